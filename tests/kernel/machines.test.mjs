// Machines that are gone leave nothing: no memory, no descriptor, nothing on an account.
import assert from "node:assert/strict";
import { it } from "node:test";
import { kernelState, keepAlive, makeAndDispose } from "../../scripts/machines.mjs";

async function quiet(descriptors) {
  // More guests wait for as long as there was a demand for them: twenty seconds.
  for (let tries = 0; ; tries++) {
    const state = await kernelState();
    if (tries === 3000 || (state.kernelObjects === 0 && state.descriptors <= descriptors))
      return state;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

it("machines made, used and disposed leave nothing", { timeout: 200_000 }, async () => {
  await makeAndDispose(12);
  const before = await quiet(Infinity);
  await makeAndDispose(40);
  const after = await quiet(before.descriptors);
  assert.deepEqual(
    [after.machines, after.kernelBytes, after.kernelObjects, after.hostDescriptors],
    [0, 0, 0, 0],
  );
  assert.ok(after.descriptors <= before.descriptors, `${after.descriptors} descriptors`);
  assert.ok(after.rssMiB < before.rssMiB + 48, `${before.rssMiB} → ${after.rssMiB} MiB`);
});

it("many machines live at once", { timeout: 200_000 }, async () => {
  await keepAlive(40, async () => assert.equal((await kernelState()).machines, 40));
  assert.equal((await quiet(Infinity)).machines, 0);
});
