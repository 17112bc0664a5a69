// Runs the fuzzers of tests/fuzz for some time each, and prints how many executions there were.
//   node scripts/fuzz.mjs [--seconds 60] [--seed N] [name …]
// Exits with 1 at the first finding, with the seed and the input that repeat it.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { inspect, parseArgs } from "node:util";
import { findEngine } from "../dist/launcher/engine.js";

const { values, positionals } = parseArgs({
  options: { seconds: { type: "string", default: "60" }, seed: { type: "string" } },
  allowPositionals: true,
});
const { path } = findEngine();
if (process.versions.node !== findEngine().version) {
  const { status } = spawnSync(
    path,
    ["--no-warnings", fileURLToPath(import.meta.url), ...process.argv.slice(2)],
    { stdio: "inherit" },
  );
  process.exit(status ?? 1);
}

const { Random } = await import("../tests/fuzz/random.mjs");
const { targets } = await import("../tests/fuzz/targets.mjs");
const { calls } = await import("../tests/fuzz/calls.mjs");
const seed = Number(values.seed ?? Date.now() % 2 ** 31);
const lastsMs = Number(values.seconds) * 1000;
const names = positionals.length > 0 ? positionals : [...Object.keys(targets), "calls"];
for (const name of names) {
  const random = new Random(seed);
  const until = performance.now() + lastsMs;
  try {
    let executions = 0;
    let note = "";
    if (name === "calls") ({ executions, note } = await calls(random, until));
    else {
      const once = targets[name](random);
      do once();
      while (++executions % 16 !== 0 || performance.now() < until);
    }
    console.log(`${name}: ${executions} executions, seed ${seed}${note && `; ${note}`}`);
  } catch (error) {
    console.log(`${name}: seed ${seed}\n${inspect(error)}`);
    process.exit(1);
  }
}
process.exit(0);
