// A time limit of node:vm breaks into a script anywhere, in the middle of a system call's frame as well: every later
// call has the answer that belongs to it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { NodeRuntime } from "../../dist/index.js";

const timeout = 120_000;
const rounds = 240;
const atOnce = 4;

const program = `
import fs from "node:fs";
import vm from "node:vm";
const home = fs.mkdtempSync("/tmp/vm-") + "/";
const contents = Array.from({ length: 8 }, (_, at) => ("file " + at + " ").repeat(1 + at * 2000));
contents.forEach((text, at) => fs.writeFileSync(home + at, text));
const context = vm.createContext({ fs, home, contents, wrong: 0, large: Buffer.alloc(300_000) });
const scripts = [
  // Answers that come in one piece, and in several.
  "for (;;) for (let at = 0; at < 8; at++) if (fs.readFileSync(home + at, 'utf8') !== contents[at]) wrong++;",
  // Frames that do not go in one piece.
  "for (;;) fs.writeFileSync(home + 'large', large);",
  "for (;;) { fs.statSync(home + '1'); fs.existsSync('/none'); fs.readdirSync(home); }",
  "for (;;) { const fd = fs.openSync(home + '3'); fs.readSync(fd, large, 0, 4000, 0); fs.closeSync(fd); }",
].map((source) => new vm.Script(source));
let broken = 0;
let wrong = 0;
const others = new Set();
for (let round = 0; round < ${rounds}; round++) {
  try {
    scripts[round % scripts.length].runInContext(context, { timeout: 1 + (round % 5) });
  } catch (error) {
    if (error.code === "ERR_SCRIPT_EXECUTION_TIMEOUT") broken++;
    else others.add(String(error));
  }
  for (let at = 0; at < 8; at++) if (fs.readFileSync(home + at, "utf8") !== contents[at]) wrong++;
  // What a script opened and could not close.
  if (round % 40 === 39) for (let fd = 3; fd < 100; fd++) try { fs.closeSync(fd); } catch {}
}
const later = await fs.promises.readFile(home + "7", "utf8");
__return({ broken, wrong: wrong + context.wrong, others: [...others], later: later === contents[7] });
`;

test(
  "scripts that a time limit ends in the middle of system calls leave those of others right",
  { timeout },
  async () => {
    const runtime = await NodeRuntime.create();
    // Several at once: who waits for a processor is broken into at other places than who has one.
    const ends = await Promise.all(
      Array.from({ length: atOnce }, () => runtime.run(program, { timeout: 100_000 })),
    );
    for (const { exitCode, value, stderr } of ends) {
      const right = { broken: rounds, wrong: 0, others: [], later: true };
      assert.deepEqual({ exitCode, value, stderr }, { exitCode: 0, value: right, stderr: "" });
    }
    await runtime.dispose();
  },
);
