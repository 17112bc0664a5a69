// A native addon is refused, and what does the same work is named.
import assert from "node:assert/strict";
import { test } from "node:test";
import { machine } from "../support/machines.mjs";

test("the error of a native addon names its alternative", { timeout: 60_000 }, async () => {
  const elf = Buffer.from("\x7fELF");
  const rollup = "/app/node_modules/@rollup/rollup-linux-x64-gnu/rollup.linux-x64-gnu.node";
  const other = "/app/node_modules/other/build/Release/other.node";
  const rt = await machine({ files: { [rollup]: elf, [other]: elf } });
  const { value } = await rt.run(`
    const load = (path) => { try { require(path); } catch ({ code, message }) { return [code, message]; } };
    __return([${JSON.stringify(rollup)}, ${JSON.stringify(other)}].map(load));`);
  const why = "Native addons are not supported in this virtual machine";
  assert.deepEqual(value, [
    ["ERR_DLOPEN_FAILED", `${why}: ${rollup}; use @rollup/wasm-node in its place`],
    ["ERR_DLOPEN_FAILED", `${why}: ${other}`],
  ]);
});
