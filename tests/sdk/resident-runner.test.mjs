/** Whose an error is that nobody handles, and what is known of a snippet that took too long. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { machine } from "../support/machines.mjs";

const rt = await machine({});
const quiet = { stdout: "", stderr: "", exitCode: 0 };
const floating = {
  "a rejected promise": `console.log("before"); Promise.reject(new Error("why"));`,
  "an async function": `console.log("before"); (async () => { await null; throw new Error("why"); })();`,
  "a tick": `console.log("before"); process.nextTick(() => { throw new Error("why"); });`,
  "a microtask": `console.log("before"); queueMicrotask(() => { throw new Error("why"); });`,
  "a timer that is awaited": `console.log("before"); await new Promise((resolve) => setTimeout(() => { throw new Error("why"); }, 5));`,
  "an immediate that is awaited": `console.log("before"); await new Promise((resolve) => setImmediate(() => { throw new Error("why"); }));`,
  "an event": `console.log("before"); const { EventEmitter } = await import("node:events");
    const emitter = new EventEmitter(); process.nextTick(() => emitter.emit("error", new Error("why")));`,
};

for (const [what, code] of Object.entries(floating)) {
  test(`an error of ${what} is its snippet's, and the runner lives on`, async () => {
    const runner = await rt.createResidentRunner();
    await runner.exec(`globalThis.kept = 1`);
    const { stdout, stderr, exitCode } = await runner.exec(code);
    assert.deepEqual([stdout, exitCode], ["before\n", 1]);
    assert.match(stderr, /Error: why/);
    assert.deepEqual(await runner.exec(`console.log(kept)`), { ...quiet, stdout: "1\n" });
    await runner.dispose();
  });
}

test("what is no error, too", async () => {
  const runner = await rt.createResidentRunner();
  for (const reason of ["1", "undefined", "null", `Symbol("why")`, `"why"`, "{}", "() => {}"]) {
    assert.equal((await runner.exec(`Promise.reject(${reason})`)).exitCode, 1, reason);
    assert.equal((await runner.exec(`await null; throw ${reason}`)).exitCode, 1, reason);
    const thrown = await runner.exec(`process.nextTick(() => { throw ${reason} })`);
    assert.equal(thrown.exitCode, 1, reason);
    assert.deepEqual(await runner.exec("1"), quiet);
  }
  await runner.dispose();
});

test("an error that comes after its snippet's answer is not a later snippet's", async () => {
  const runner = await rt.createResidentRunner();
  const late = [
    `globalThis.go = new Promise((resolve) => { globalThis.start = resolve; });
     go.then(() => { throw new Error("late"); });`,
    `setTimeout(() => { globalThis.fired = true; throw new Error("late"); }, 1);`,
  ];
  for (const code of late) assert.deepEqual(await runner.exec(code), quiet);
  // The first goes off while this one runs; the second may do so before.
  const innocent = `
    start();
    while (!globalThis.fired) await new Promise((resolve) => setTimeout(resolve, 1));
    await new Promise((resolve) => setTimeout(resolve, 1));
    console.log("fine");`;
  assert.deepEqual(await runner.exec(innocent), { ...quiet, stdout: "fine\n" });
  assert.deepEqual(await runner.exec("1"), quiet);
  await runner.dispose();
});

test("a handled rejection is no failure; the program's own listeners come first", async () => {
  const runner = await rt.createResidentRunner();
  assert.deepEqual(
    await runner.exec(
      `const p = Promise.reject(new Error("x")); p.catch(() => console.log("caught"))`,
    ),
    { ...quiet, stdout: "caught\n" },
  );
  const listen = `globalThis.heard = []; process.on("uncaughtException", (e) => heard.push(e.message));`;
  assert.deepEqual(await runner.exec(listen), quiet);
  assert.deepEqual(await runner.exec(`Promise.reject(new Error("mine"))`), quiet);
  assert.deepEqual(await runner.exec("console.log(heard)"), { ...quiet, stdout: "[ 'mine' ]\n" });
  await runner.dispose();
});

test("a snippet that took too long says what it had written", async () => {
  for (const hang of ["while (true);", "await new Promise(() => {});"]) {
    const runner = await rt.createResidentRunner();
    await assert.rejects(
      runner.exec(`console.log("so far"); console.error("and so"); ${hang}`, { timeout: 300 }),
      (error) => {
        assert.equal(error.code, "ERR_SECURE_EXEC_RUNNER_TIMEOUT");
        assert.deepEqual(error.details, { stdout: "so far\n", stderr: "and so\n" });
        return true;
      },
    );
    await assert.rejects(runner.exec("1"), { code: "ERR_SECURE_EXEC_RUNNER_ENDED" });
  }
});

test("snippets of TypeScript are compiled as programs are", async () => {
  const runner = await rt.createResidentRunner({ language: "ts" });
  const typed = "const a: number = 1; console.log(a);";
  assert.deepEqual(await runner.exec(typed), { ...quiet, stdout: "1\n" });
  const compiled = `enum A { X = 3, Y } namespace N { export const q: number = A.Y; }
    class C { constructor(readonly z: number) {} } console.log(A.X, A[3], N.q, new C(7).z);`;
  assert.deepEqual(await runner.exec(compiled), { ...quiet, stdout: "3 X 4 7\n" });
  assert.equal((await runner.exec("enum {")).exitCode, 1);
  await runner.dispose();
  // And in a copy of a set-up that is TypeScript, too.
  const template = await rt.template("enum B { P = 5 } globalThis.b = B.P;", { language: "ts" });
  const { stdout } = await template.exec(`enum C { Q = 2 } console.log(b + C.Q);`, {
    language: "ts",
  });
  assert.equal(stdout, "7\n");
  await template.dispose();
});
