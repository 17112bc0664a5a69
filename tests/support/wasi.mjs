// Machines with WebAssembly commands in them.
import { readFileSync } from "node:fs";
import { NodeRuntime } from "../../dist/index.js";

export const fixture = (name) =>
  readFileSync(new URL(`../fixtures/wasi/${name}.wasm`, import.meta.url));

/** A machine whose /opt/wasm, first in PATH, holds `commands`: name → module. */
export async function machineWith(commands, options = {}) {
  const rt = await NodeRuntime.create({
    ...options,
    env: { PATH: "/opt/wasm:/usr/local/bin:/usr/bin:/bin", ...options.env },
  });
  await addCommands(rt, commands);
  return rt;
}

export async function addCommands(rt, commands) {
  for (const [name, module] of Object.entries(commands))
    await rt.writeFile(`/opt/wasm/${name}`, module);
  const { exitCode, stderr } = await rt.exec(`
    import { chmodSync } from "node:fs";
    for (const name of ${JSON.stringify(Object.keys(commands))}) chmodSync("/opt/wasm/" + name, 0o755);`);
  if (exitCode !== 0) throw new Error(stderr);
}
