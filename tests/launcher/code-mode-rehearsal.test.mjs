// What a zygote rehearses of code mode comes to its end: a rehearsal that fails would be silent, and guests slower.
import assert from "node:assert/strict";
import { test } from "node:test";
import { loadGuestModule } from "../support/guest-modules.mjs";

test("every rehearsed program calls its functions and answers, and leaves the globals alone", async () => {
  const { rehearseCodeMode } = loadGuestModule("launcher/zygote/code-mode-rehearsal");
  const before = Reflect.ownKeys(globalThis);
  const { log } = console;
  const answers = [];
  await rehearseCodeMode((text) => answers.push(text));
  assert.equal(answers.length, 24);
  assert.deepEqual([...new Set(answers)], ['{"ok":true,"value":[[1],[1]]}']);
  assert.deepEqual(Reflect.ownKeys(globalThis), before);
  assert.equal(console.log, log);
});
