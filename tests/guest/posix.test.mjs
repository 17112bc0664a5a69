/** A guest's file system and the host's answer the same questions the same way. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chownSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { NodeRuntime } from "../../dist/index.js";
import { engine } from "../sandbox/engine.mjs";

const source = readFileSync(fileURLToPath(new URL("posix/checks.mjs", import.meta.url)), "utf8");
const directory = mkdtempSync(join(os.tmpdir(), "secure-exec-posix-"));
const shared = mkdtempSync(join(os.tmpdir(), "secure-exec-posix-"));

/** Answers of the host's own file system, asked by a user whom permissions bind. */
function onHost() {
  const plain = process.getuid() === 0 ? { uid: 1000, gid: 1000 } : {};
  if (plain.uid !== undefined) chownSync(directory, 1000, 1000);
  const program = `${source}; console.log(JSON.stringify(await answers(${JSON.stringify(directory)})))`;
  const { stdout, stderr } = spawnSync(engine, ["--input-type=module", "-e", program], {
    encoding: "utf8",
    env: {},
    ...plain,
  });
  assert.notEqual(stdout, "", stderr);
  return JSON.parse(stdout);
}

const expected = onHost();
const rt = await NodeRuntime.create({
  files: { "/workspace/checks.mjs": source },
  mounts: [{ guestPath: "/mnt/host", hostPath: shared, readOnly: false }],
});

async function inGuest(root) {
  const program = `
    import { answers } from "/workspace/checks.mjs";
    (await import("node:fs")).mkdirSync(${JSON.stringify(root)}, { recursive: true });
    __return(await answers(${JSON.stringify(root)}));`;
  const { value, stderr } = await rt.run(program);
  assert.ok(value, stderr);
  return value;
}

const inMemory = await inGuest("/workspace/posix");
const onMount = await inGuest("/mnt/host/posix");
await rt.dispose();
for (const path of [directory, shared]) rmSync(path, { recursive: true, force: true });

test("the host answers every question", () => {
  assert.ok(Object.keys(expected).length >= 36);
  for (const [name, answer] of Object.entries(expected))
    assert.doesNotMatch(String(answer), /^failed/, name);
});

/** inotify(7) merges equal events that nobody has read yet, so how many arrive is a matter of time. */
const settled = (answer) =>
  Array.isArray(answer)
    ? answer.filter((entry, at) => at === 0 || entry !== answer[at - 1])
    : answer;

for (const [name, given] of Object.entries(expected)) {
  const comparable = name === "events" ? settled : (answer) => answer;
  const answer = comparable(given);
  test(`in memory: ${name}`, () => assert.deepEqual(comparable(inMemory[name]), answer));
  // The host's user does not lend his identity to programs.
  if (name === "set-id bits") continue;
  test(`on a writable mount: ${name}`, () => assert.deepEqual(comparable(onMount[name]), answer));
}
