// A runner of build jobs: sources in, steps with their log and exit code, artifacts out. A step that fails ends the job, and a
// job has no network, no host and no time without end.
import { NodeRuntime } from "secure-exec";

interface Job {
  sources: Record<string, string>;
  steps: { name: string; run: string }[];
  artifacts: string;
}

async function perform({ sources, steps, artifacts }: Job) {
  await using rt = await NodeRuntime.create({
    files: Object.fromEntries(
      Object.entries(sources).map(([name, text]) => [`/work/${name}`, text]),
    ),
    cwd: "/work",
    env: { CI: "true" },
    limits: { memoryBytes: 512 * 1024 * 1024, wallTimeMs: 60_000, processes: 64 },
  });
  const log: string[] = [];
  for (const { name, run } of steps) {
    const step = await rt.spawnCommand("bash", ["-euo", "pipefail", "-c", run]);
    const take = async (stream: "stdout" | "stderr"): Promise<void> => {
      for await (const line of step.lines(stream)) log.push(`${name} | ${line}`);
    };
    const [code] = await Promise.all([step.wait(), take("stdout"), take("stderr")]);
    if (code !== 0) return { passed: false, failed: name, log, files: {} };
  }
  const names = await rt.readDir(artifacts);
  const files = await Promise.all(
    names.map(async (name) => [name, await rt.readFile(`${artifacts}/${name}`, "utf8")] as const),
  );
  return { passed: true, log, files: Object.fromEntries(files) };
}

const sources = {
  "sum.mjs": "export const sum = (list) => list.reduce((a, b) => a + b, 0);\n",
  "sum.test.mjs": `import assert from "node:assert";
import { test } from "node:test";
import { sum } from "./sum.mjs";
test("adds", () => assert.equal(sum([20, 22]), 42));
`,
};
const build = { name: "build", run: "mkdir -p dist && sed 's/list/l/g' sum.mjs > dist/sum.mjs" };
const test = { name: "test", run: "node --test --test-reporter=tap | grep -E '^(# pass|# fail)'" };

console.log(await perform({ sources, steps: [test, build], artifacts: "/work/dist" }));
const broken = { ...sources, "sum.mjs": "export const sum = () => 41;\n" };
const { passed, failed, files } = await perform({
  sources: broken,
  steps: [test, build],
  artifacts: "/work/dist",
});
console.log(passed, failed, Object.keys(files).length);
