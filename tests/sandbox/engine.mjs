// Runs a script of ./engine inside the bundled engine, the way the product runs
// a zygote: a parent installs stage 1 on itself and spawns it.
import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const require = createRequire(import.meta.url);
const scripts = join(dirname(fileURLToPath(import.meta.url)), "engine");

export const engine = join(
  dirname(require.resolve(`node-linux-${process.arch}/package.json`)),
  "bin/node",
);

function run(script, args, timeoutMs) {
  return new Promise((resolve, reject) => {
    execFile(
      engine,
      ["--no-warnings", join(scripts, script), ...args],
      { timeout: timeoutMs, killSignal: "SIGKILL", maxBuffer: 16 << 20, env: {} },
      (error, stdout, stderr) => {
        if (error) reject(new Error(`${script}: ${error.message}\n${stdout}\n${stderr}`));
        else resolve(JSON.parse(stdout));
      },
    );
  });
}

/** Without stage 1, as an ordinary process; the script prints one JSON value. */
export const runPlain = (script, args = [], timeoutMs = 20_000) => run(script, args, timeoutMs);

/** Under stage 1 and the zygote's flags. */
export const runZygote = (script, args = [], timeoutMs = 60_000) =>
  run("stage1.mjs", [script, ...args], timeoutMs);
