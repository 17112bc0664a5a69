// Every public symbol says what it is, what its calls throw, in codes that there are, what its options are by default
// and in which unit. That examples compile and run is snippets.test.mjs's.
import assert from "node:assert/strict";
import { test } from "node:test";
import { apiFaults, entries, publicSymbols, symbolsOfText } from "../../scripts/api-symbols.mjs";

const symbols = publicSymbols();

test("no text of the API lacks what it has to say", () => {
  assert.deepEqual(apiFaults(symbols), []);
});

test("all entries of the package are looked at, with all that they export", () => {
  assert.ok(entries().length > 10);
  const names = new Set(symbols.map(({ name }) => name));
  for (const name of ["NodeRuntime.exec", "NodeRuntimeLimits.memoryBytes", "Sidecar", "McpServer"])
    assert.ok(
      names.has(name) || symbols.some(({ names: all = [] }) => all.some(([, one]) => one === name)),
      name,
    );
});

/** Faults of one declaration, as of an entry of the package's own. */
const faultsOf = (text) =>
  apiFaults(symbolsOfText(text)).map((fault) => fault.replace(/^[^:]*: /, ""));

test("what is missing is seen", () => {
  const shown = "/**\n * Words.\n * @example\n * f();\n */\n";
  assert.deepEqual(faultsOf("export declare class A {}"), ["A has no text", "A has no @example"]);
  assert.deepEqual(faultsOf(`${shown}export declare class A { f(): void; }`), [
    "A.f has no text",
    "A.f says neither @throws nor that it never does",
  ]);
  const method = (words) =>
    faultsOf(`${shown}export declare class A {\n  /** ${words} */\n  f(): void;\n}`);
  assert.deepEqual(method("Words. Never throws."), []);
  assert.deepEqual(method("Words.\n * @throws {INVALID_OPTION} when asked."), []);
  assert.deepEqual(method("Words.\n * @throws {INVALID_OPTION}"), [
    "A.f @throws {INVALID_OPTION} without when",
  ]);
  assert.deepEqual(method("Words.\n * @throws when asked."), [
    "A.f @throws without a code: when asked.",
  ]);
  assert.deepEqual(method("Words.\n * @throws {NO_SUCH_CODE|DISPOSED} when asked."), [
    "A.f @throws {NO_SUCH_CODE}, of which src/sdk/errors.ts has nothing",
  ]);
  assert.deepEqual(method("Never throws.\n * @throws {DISPOSED} when asked."), [
    "A.f throws, and never does",
  ]);
  const option = (words, type = "number") =>
    faultsOf(
      `/** Words. */\nexport interface SomeOptions {\n  /** ${words} */\n  it?: ${type};\n}`,
    );
  assert.deepEqual(option("Milliseconds.\n * @default 1"), []);
  assert.deepEqual(option("Words."), [
    "SomeOptions.it has no @default",
    "SomeOptions.it is a number without a unit",
  ]);
  assert.deepEqual(option("Words.", "string"), ["SomeOptions.it has no @default"]);
  assert.deepEqual(
    faultsOf("/** Words. */\nexport interface SomeOptions { it?: { deep?: string } }").length,
    4,
  );
});
