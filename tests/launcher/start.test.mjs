// A zygote that ends before it can fork.
import assert from "node:assert/strict";
import { test } from "node:test";
import { NodeRuntime } from "../../dist/index.js";
import { children, commandLine, tree, until } from "../support/processes.mjs";

const limit = { timeout: 60_000 };

/** The kernel's children that run the engine: the zygote, before it has a first guest. */
const engines = () => {
  const { kernel } = tree();
  const own = kernel === undefined ? [] : children(kernel);
  return own.filter((pid) => commandLine(pid).startsWith("node"));
};

/** Kills the first `most` zygotes as soon as they are there, and answers how `create` ended. */
async function createdBesides(most) {
  const killed = new Set();
  let outcome;
  void NodeRuntime.create().then(
    (rt) => (outcome = { rt }),
    ({ code, message }) => (outcome = { said: `${code} ${message}` }),
  );
  await until(() => {
    for (const pid of engines()) {
      if (killed.size === most || killed.has(pid)) continue;
      killed.add(pid);
      process.kill(pid, "SIGKILL");
    }
    return outcome !== undefined;
  });
  return { killed, ...outcome };
}

test(
  "a second one that is killed while it starts ends the kernel, which says how",
  limit,
  async () => {
    let outcome;
    do {
      // One that could fork before this process came to kill it: a kernel of its own is needed for the next try, which may
      // come before the end of the last one is known here.
      const { kernel } = tree();
      if (kernel !== undefined) process.kill(kernel, "SIGKILL");
      await until(() => tree().kernel === undefined);
      outcome = await createdBesides(2);
    } while (outcome.said === undefined || outcome.killed.size === 0);
    assert.equal(outcome.killed.size, 2);
    assert.match(outcome.said, /KERNEL_START_FAILED .*the zygote ended \(SIGKILL\)/);
  },
);

test("one that is killed while it starts is started once more", limit, async () => {
  const { killed, rt } = await createdBesides(1);
  assert.equal((await rt.run("__return(2 + 3)")).value, 5);
  assert.equal(killed.has(tree().zygote), false);
  await rt.dispose();
});
