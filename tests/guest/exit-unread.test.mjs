// A program that ends with answers it never read still says how it ended, and what it wrote arrives.
import assert from "node:assert/strict";
import { it } from "node:test";
import { NodeRuntime } from "../../dist/index.js";

it("exit code and output are known although megabytes of answers were left unread", async () => {
  const rt = await NodeRuntime.create();
  try {
    for (const calls of [3, 30, 300]) {
      const { exitCode, stdout } = await rt.exec(`
        import fs from "node:fs";
        fs.writeFileSync("/tmp/big", Buffer.alloc(900_000));
        const fd = fs.openSync("/tmp/big"), target = Buffer.alloc(200_000);
        for (let i = 0; i < ${calls}; i++) fs.read(fd, target, 0, target.length, 0, () => {});
        console.log("said");
        process.exit(3);`);
      assert.deepEqual([exitCode, stdout], [3, "said\n"]);
    }
  } finally {
    await rt.dispose();
  }
});
