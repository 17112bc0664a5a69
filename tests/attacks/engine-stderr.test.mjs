// A guest's real stderr belongs to its process as far as the engine prints there: a life has room for one report, whoever
// writes it and however often it is told of.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { importWithNatives } from "../support/natives.mjs";

const reportBytes = 16 * 1024;
let rt;
before(async () => {
  const { NodeRuntime } = await importWithNatives();
  rt = await NodeRuntime.create();
});
after(() => rt.dispose());

const library = `
  const { libc, channel } = __natives;
  const say = (text) => { const bytes = Buffer.from(text); for (let at = 0; at < bytes.length;) {
    const put = libc.write(2, bytes, at, bytes.length - at);
    // Nobody has to read it: the pipe of the OS may be full.
    if (put <= 0) return at;
    at += put;
  } return bytes.length; };
  const tell = () => { channel.event("enginePrinted", {}); channel.call("getcwd", {}); };`;

test("what was told of is on the process's stderr, once", { timeout: 60_000 }, async () => {
  const { stderr, exitCode } = await rt.exec(
    `${library} say("one\\n"); tell(); tell(); say("two\\n"); tell(); process.exit(0);`,
  );
  assert.deepEqual([stderr, exitCode], ["one\ntwo\n", 0]);
});

test(
  "of a text without end a life has 16 KiB, in one piece or in many",
  { timeout: 60_000 },
  async () => {
    const inOne = await rt.exec(
      `${library} say("x".repeat(40_000)); tell(); tell(); process.exit(0);`,
    );
    assert.deepEqual([inOne.stderr, inOne.exitCode], ["x".repeat(reportBytes), 0]);
    const inMany = await rt.exec(
      `${library} for (let i = 0; i < 400; i++) { say("y".repeat(100)); tell(); } process.exit(0);`,
    );
    assert.deepEqual([inMany.stderr, inMany.exitCode], ["y".repeat(reportBytes), 0]);
    // The next process has room of its own.
    const next = await rt.exec(`${library} say("z"); tell(); process.exit(0);`);
    assert.equal(next.stderr, "z");
  },
);

test("its own stderr is not cut by it", { timeout: 60_000 }, async () => {
  const { stderr } = await rt.exec(
    `${library} say("x".repeat(20_000)); tell(); console.error("e".repeat(50_000)); process.exit(0);`,
  );
  assert.equal(stderr, "x".repeat(reportBytes) + "e".repeat(50_000) + "\n");
});
