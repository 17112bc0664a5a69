// A Linux without seccomp user notification, and one where somebody above uses it: no templates, and all else as ever.
import assert from "node:assert/strict";
import { test } from "node:test";
import { runPlain } from "./engine.mjs";

const timeout = 60_000;
const index = new URL("../../dist/index.js", import.meta.url).href;
const script = `
  import { NodeRuntime } from ${JSON.stringify(index)};
  const rt = await NodeRuntime.create();
  const answers = { before: (await rt.run("__return(1)")).value, refused: [] };
  for (let time = 0; time < 2; time++)
    await rt.template("globalThis.ran = 1").catch(({ code, message }) => answers.refused.push({ code, message }));
  const clone = await rt.clone();
  answers.after = [(await rt.run("__return(2)")).value, (await clone.run("__return(3)")).value];
  answers.layer = (await rt.isolation()).find(({ layer }) => layer === "seccomp").active;
  await clone.dispose();
  await rt.dispose();
  console.log(JSON.stringify(answers));`;

for (const [name, errno] of [
  ["EINVAL", 22],
  ["EBUSY", 16],
]) {
  test(`a listener is answered with ${name}`, { timeout }, async () => {
    const said = await runPlain(
      "without-listeners.mjs",
      [process.execPath, script, String(errno)],
      timeout,
    );
    const answers = JSON.parse(said.stdout || JSON.stringify(said.stderr));
    const refusal = {
      code: "ERR_SECURE_EXEC_TEMPLATE_UNAVAILABLE",
      message: `this machine cannot copy processes: seccomp user notification: errno ${errno}`,
    };
    assert.deepEqual(answers, {
      before: 1,
      refused: [refusal, refusal],
      after: [2, 3],
      layer: true,
    });
  });
}
