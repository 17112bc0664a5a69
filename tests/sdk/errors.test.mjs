// The table of public errors and the class that carries them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { SecureExecError } from "../../dist/index.js";
import {
  errorTable,
  failure,
  invalidOption,
  kernelError,
  nameOfCode,
  printable,
} from "../../dist/sdk/errors.js";

test("every entry says what, when and what to do", () => {
  for (const [name, entry] of Object.entries(errorTable)) {
    assert.match(name, /^[A-Z][A-Z_]+$/);
    assert.deepEqual(Object.keys(entry), ["message", "when", "remedy"]);
    for (const text of Object.values(entry)) assert.ok(text.length > 10, name);
    const error = failure(name, {});
    assert.equal(error.code, `ERR_SECURE_EXEC_${name}`);
    assert.doesNotMatch(error.message, /[{}]/);
    assert.equal(nameOfCode(error.code), name);
  }
});

test("the class is an Error with code, cause, details and a brand", () => {
  const cause = new Error("why");
  const error = failure("KERNEL_LOST", { why: "exit code 1" }, { cause, details: { stderr: "x" } });
  assert.ok(error instanceof SecureExecError && error instanceof Error);
  assert.equal(error.name, "SecureExecError");
  assert.equal(error.message, "the kernel process ended: exit code 1");
  assert.equal(error.cause, cause);
  assert.deepEqual(error.details, { stderr: "x" });
  assert.deepEqual(Object.keys(failure("STDIN_CLOSED")), ["code"]);
  assert.equal(SecureExecError.isSecureExecError(error), true);
  assert.equal(
    SecureExecError.isSecureExecError({ [Symbol.for("secure-exec.error")]: true }),
    true,
  );
  for (const other of [null, undefined, "x", new Error("x"), { code: error.code }]) {
    assert.equal(SecureExecError.isSecureExecError(other), false);
  }
});

test("an option error names the option", () => {
  const error = invalidOption("timeout", "must be a positive number");
  assert.equal(error.message, "timeout must be a positive number");
  assert.deepEqual(error.details, { option: "timeout" });
});

test("codes of the kernel keep their message, unknown ones become INTERNAL", () => {
  const known = kernelError("ERR_SECURE_EXEC_ZYGOTE_LOST", "gone");
  assert.deepEqual([known.code, known.message], ["ERR_SECURE_EXEC_ZYGOTE_LOST", "gone"]);
  assert.equal(kernelError("ERR_SECURE_EXEC_toString", "x").code, "ERR_SECURE_EXEC_INTERNAL");
  assert.equal(kernelError("EWHAT", "x").message, "the kernel refused the call: EWHAT x");
});

test("printable text has no control characters and is bounded", () => {
  assert.equal(printable("a\n\u001b[0m\u202eb"), "a\ufffd\ufffd[0m\ufffdb");
  assert.equal(printable("x".repeat(10), 4), "xxxx…");
});
