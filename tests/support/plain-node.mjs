// The engine itself, started plainly: what a guest is compared with.
import { spawnSync } from "node:child_process";
import { findEngine } from "../../dist/launcher/engine.js";

const env = { HOME: "/home/user", PATH: "/usr/local/bin:/usr/bin" };

/** Answers what `spawnSync` does, with text. */
export function plainNode(args, options = {}) {
  const { path } = /** @type {{ path: string }} */ (findEngine());
  return spawnSync(path, args, {
    env,
    timeout: 20_000,
    encoding: "utf8",
    ...options,
  });
}
