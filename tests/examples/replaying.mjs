// Loaded before an example: every machine is deterministic and records, and what ran is replayed at once.
import assert from "node:assert/strict";
import { NodeRuntime } from "secure-exec";

const { create } = NodeRuntime;
let replayed = 0;
NodeRuntime.create = (options) =>
  create({
    ...options,
    deterministic: { seed: "example", startTimeMs: Date.UTC(2024, 0, 1) },
    record: true,
  });
for (const name of ["exec", "run"]) {
  const method = NodeRuntime.prototype[name];
  NodeRuntime.prototype[name] = async function (...args) {
    const result = await method.apply(this, args);
    const again = await this.replay(result.recording);
    if (name === "exec") assert.equal(again.value, undefined);
    assert.deepEqual({ ...again }, { ...result });
    replayed++;
    return result;
  };
}
process.on("exit", () => console.log(`replayed: ${replayed}`));
