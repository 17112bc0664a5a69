// Options are checked before anything starts, and nothing is silently ignored.
import assert from "node:assert/strict";
import { completeVmLimits } from "../../dist/protocol/limits.js";
import { test } from "node:test";
import { NodeRuntime } from "../../dist/index.js";
import { parseCreateOptions } from "../../dist/sdk/options.js";
import { parseRunOptions } from "../../dist/sdk/run-options.js";
import { signalNumber } from "../../dist/sdk/signals.js";

const coded = (name, pattern) => (error) => {
  assert.equal(error.code, `ERR_SECURE_EXEC_${name}`);
  assert.match(error.message, pattern);
  return true;
};

test("defaults", () => {
  assert.deepEqual(
    { ...parseCreateOptions(), env: null },
    {
      env: null,
      cwd: "/home/user",
      files: [],
      mounts: [],
      providers: new Map(),
      sidecar: undefined,
      kernels: "auto",
      snapshot: undefined,
      loopbackExemptPorts: [],
      isolation: [],
      engine: "forked",
      nativeAddons: false,
      onBootTiming: undefined,
      permissions: {
        policies: {
          fs: "allow",
          network: "deny",
          childProcess: "allow",
          process: "allow",
          env: "allow",
          tool: "deny",
        },
        functions: new Map(),
      },
      permissionTimeoutMs: 10_000,
      tools: new Map(),
      limits: completeVmLimits(),
      jsRuntime: {
        platform: "node",
        moduleResolution: "node",
        allowedBuiltins: null,
        timing: "normal",
        nodeVersion: "22.0.0",
      },
    },
  );
  assert.deepEqual(
    { ...parseRunOptions(undefined, "/w"), env: null },
    {
      env: null,
      cwd: "",
      stdin: undefined,
      timeoutMs: undefined,
      cpuTimeMs: 0,
      signal: undefined,
      onStdout: undefined,
      onStderr: undefined,
      args: [],
      endWhenSettled: false,
      language: "js",
      name: "",
    },
  );
});

test("undefined counts as not given", () => {
  parseCreateOptions({
    env: undefined,
    permissions: undefined,
    tools: undefined,
    nonsense: undefined,
  });
  assert.deepEqual(Object.entries(parseRunOptions({ env: { A: "1", B: undefined } }, "/").env), [
    ["A", "1"],
  ]);
});

test("unknown create options are refused by name", async () => {
  await assert.rejects(
    NodeRuntime.create({ foo: 1, bar: 2 }),
    coded("INVALID_OPTION", /^foo, bar is not/),
  );
  await assert.rejects(NodeRuntime.create([]), coded("INVALID_OPTION", /^options must/));
});

test("planned options are refused by name", async () => {
  for (const name of ["wasmCommandDirs", "user"]) {
    const refused = coded("NOT_IMPLEMENTED", new RegExp(`^${name} is not implemented`));
    await assert.rejects(NodeRuntime.create({ [name]: {} }), refused);
  }
});

test("create options of the wrong type name themselves", () => {
  for (const [options, pattern] of [
    [{ cwd: "relative" }, /^cwd must be an absolute/],
    [{ cwd: "" }, /^cwd must not be empty/],
    [{ env: { A: 1 } }, /^env\.A must be a string/],
    [{ env: { "A=B": "1" } }, /^env\.A=B is not a valid name/],
    [{ env: { A: "a\0b" } }, /^env\.A must not contain a NUL/],
    [{ env: ["A"] }, /^env must be an object/],
    [{ files: { "data.txt": "" } }, /^files\["data.txt"\] must be an absolute/],
    [{ files: { "/a": 1 } }, /^files\["\/a"\] must be a string or a Uint8Array/],
    [{ loopbackExemptPorts: [0] }, /^loopbackExemptPorts must be an array of ports/],
    [{ loopbackExemptPorts: 80 }, /^loopbackExemptPorts must be an array of ports/],
    [{ sidecar: {} }, /^sidecar must be a SidecarProcess/],
    ...[0, 65, 1.5, "2", "all", null].map((kernels) => [
      { kernels },
      /^kernels must be "auto" or an integer from 1 to 64/,
    ]),
    [{ onBootTiming: 1 }, /^onBootTiming must be a function/],
  ]) {
    assert.throws(() => parseCreateOptions(options), coded("INVALID_OPTION", pattern));
  }
});

test("run options of the wrong type name themselves", () => {
  for (const [options, pattern] of [
    [{ tiemout: 1 }, /^tiemout is not a known option/],
    [{ timeout: 0 }, /^timeout must be a positive/],
    [{ timeout: NaN }, /^timeout must be a positive/],
    [{ timeout: "5" }, /^timeout must be a positive/],
    [{ stdin: 5 }, /^stdin must be a string or/],
    [{ signal: {} }, /^signal must be an AbortSignal/],
    [{ onStdout: "x" }, /^onStdout must be a function/],
    [{ onStderr: {} }, /^onStderr must be a function/],
    [{ args: "x" }, /^args must be an array/],
    [{ args: ["a", 1] }, /^args\[1\] must be a string/],
    [{ language: "py" }, /^language must be "js", "ts" or "tsx"/],
    [{ compilerOptions: {} }, /^compilerOptions needs language/],
    [{ language: "ts", compilerOptions: [] }, /^compilerOptions must be an object/],
    [{ language: "ts", compilerOptions: { a: 1n } }, /^compilerOptions must be what JSON/],
    [{ name: "a/b.mjs" }, /^name must be a file name/],
    [{ name: ".." }, /^name must name a file/],
    [{ cwd: 1 }, /^cwd must be a string/],
  ]) {
    assert.throws(() => parseRunOptions(options, "/"), coded("INVALID_OPTION", pattern));
  }
});

test("language follows the name unless it is given", () => {
  const language = (options) => parseRunOptions(options, "/").language;
  assert.equal(language({ name: "a.ts" }), "ts");
  assert.equal(language({ name: "/tmp/a.mts" }), "ts");
  assert.equal(language({ name: "a.mjs" }), "js");
  assert.equal(language({ name: "a.tsx" }), "tsx");
  assert.equal(language({ name: "a.ts", language: "js" }), "js");
  assert.equal(language({ language: "ts" }), "ts");
});

test("long timeouts do not overflow the timer, relative directories start at the machine's", () => {
  assert.equal(parseRunOptions({ timeout: Infinity }, "/").timeoutMs, 2 ** 31 - 1);
  assert.equal(parseRunOptions({ cwd: "sub" }, "/w").cwd, "/w/sub");
});

test("parsed bytes are copies", () => {
  const data = Uint8Array.of(1);
  const { stdin } = parseRunOptions({ stdin: data }, "/");
  data[0] = 2;
  assert.equal(stdin[0], 1);
});

test("signals by name and number", () => {
  assert.deepEqual(
    ["SIGHUP", "SIGINT", "SIGKILL", "SIGUSR1", "SIGSEGV", "SIGTERM", "SIGCHLD", "SIGSYS", 9].map(
      signalNumber,
    ),
    [1, 2, 9, 10, 11, 15, 17, 31, 9],
  );
  for (const bad of ["TERM", "SIGNOPE", 0, 32, 1.5, null]) {
    assert.throws(() => signalNumber(bad), coded("INVALID_OPTION", /^signal must/));
  }
});
