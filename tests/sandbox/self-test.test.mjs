// No guest without isolation: the zygote's self-test finds what is missing, and a kernel without
// seccomp is one clear error.
import assert from "node:assert/strict";
import { it } from "node:test";
import { runPlain, runZygote } from "./engine.mjs";

const options = { timeout: 60_000 };

it("the self-test passes only a lock-down that holds", options, async () => {
  const { results, tookMs } = await runZygote("self-test.mjs");
  const promise = (what, errno) =>
    new RegExp(`^IsolationUnavailable seccomp: ${what}, where errno ${errno} is the promise$`);
  assert.equal(results.whole, "proven");
  assert.match(results.none, promise("openat succeeded", 2));
  assert.match(results.openat, promise("openat succeeded", 2));
  assert.match(results.socket, promise("socket succeeded", 13));
  assert.match(results.kill, promise("kill succeeded", 1));
  assert.match(results.execve, promise("execve failed with errno 14", 1));
  assert.match(results.throwing, /no_new_privs: errno 38$/);
  assert.match(results.dying, /says nothing/);
  assert.ok(tookMs < 1000, `${tookMs} ms`);
});

it("a machine without seccomp is refused by name", options, async () => {
  const index = new URL("../../dist/index.js", import.meta.url).href;
  const { stdout, stderr } = await runPlain("without-call.mjs", [
    process.execPath,
    `import { NodeRuntime } from ${JSON.stringify(index)};
     try {
       const rt = await NodeRuntime.create();
       console.log(JSON.stringify(["ran", await rt.exec("1")]));
       await rt.dispose();
     } catch (error) {
       console.log(JSON.stringify([error.code, error.message]));
     }`,
    "seccomp",
    "317",
    "277",
  ]);
  assert.deepEqual(
    JSON.parse(stdout || JSON.stringify(stderr)),
    ["ERR_SECURE_EXEC_ISOLATION_UNAVAILABLE", "seccomp: errno 38"],
    stderr,
  );
});
