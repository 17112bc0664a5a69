/** When an open stdin keeps a program alive, and when it does not: as plain Node has it. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { findEngine } from "../../dist/launcher/engine.js";
import { machine } from "../support/machines.mjs";

const rt = await machine({});
const timer = `setTimeout(() => console.log("timer"), 50);`;
/** Programs that end while their stdin stays open. */
const ending = {
  "unref at once": `process.stdin.on("data", () => {}); process.stdin.unref(); ${timer}`,
  "unref before the listener": `process.stdin.unref(); process.stdin.on("data", () => {}); ${timer}`,
  "unref later": `process.stdin.on("data", () => {}); setTimeout(() => process.stdin.unref(), 20); ${timer}`,
  "unref after text": `process.stdin.on("data", (d) => { console.log(String(d)); process.stdin.unref(); });`,
  "pause at once": `process.stdin.on("data", () => {}); process.stdin.pause(); ${timer}`,
  "pause in a timer": `process.stdin.on("data", () => {}); setTimeout(() => process.stdin.pause(), 20); ${timer}`,
  destroy: `process.stdin.on("data", () => {}); process.stdin.destroy(); ${timer}`,
  untouched: timer,
  "a getter": `process.stdin; ${timer}`,
};
/** Programs that live on: what they say tells that they had their text first. */
const living = {
  data: `process.stdin.on("data", (d) => { console.log(String(d)); process.exit(3); });`,
  readable: `process.stdin.on("readable", () => { const d = process.stdin.read(); if (d) { console.log(String(d)); process.exit(3); } });`,
  "ref again": `process.stdin.on("data", (d) => { console.log(String(d)); process.exit(3); }); process.stdin.unref(); process.stdin.ref();`,
  "pause and resume": `process.stdin.on("data", (d) => { console.log(String(d)); process.exit(3); }); process.stdin.pause(); setTimeout(() => process.stdin.resume(), 20);`,
  "async iteration": `for await (const d of process.stdin) { console.log(String(d)); process.exit(3); }`,
};

async function plain(source) {
  const child = spawn(findEngine().path, ["--input-type=module", "-e", source], {
    stdio: ["pipe", "pipe", "inherit"],
    timeout: 20_000,
  });
  let stdout = "";
  child.stdout.on("data", (data) => (stdout += data));
  child.stdin.on("error", () => {});
  child.stdin.write("text");
  const [code, signal] = await once(child, "close");
  child.stdin.destroy();
  return { code: code ?? signal, stdout };
}

async function guest(source) {
  let stdout = "";
  const program = await rt.spawn(source, {
    timeout: 20_000,
    onStdout: (data) => void (stdout += Buffer.from(data).toString()),
  });
  program.writeStdin("text");
  return { code: await program.wait(), stdout };
}

for (const [what, source] of Object.entries({ ...ending, ...living })) {
  test(`stdin stays open: ${what}`, async () => {
    const [got, wanted] = await Promise.all([guest(source), plain(source)]);
    assert.ok(typeof wanted.code === "number", "plain Node ends");
    assert.deepEqual(got, wanted);
  });
}
