// Runs every tests/**/*.test.mjs under node:test; arguments narrow the list by substring.
// What a host application does runs on the host's own Node; tests that load the kernel's or
// the launcher's modules themselves run on the engine, as those do.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism, tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const wanted = process.argv.slice(2);
const files = readdirSync(join(root, "tests"), { recursive: true })
  .map((name) => join("tests", String(name)))
  .filter((name) => name.endsWith(".test.mjs"))
  .filter((name) => wanted.length === 0 || wanted.some((part) => name.includes(part)))
  .sort();
if (files.length === 0) {
  console.error(`no test file matches ${wanted.join(", ")}`);
  process.exit(1);
}

/** Newest change below a folder, of its files and of the folder's own entries. */
const newest = (folder) =>
  Math.max(
    ...[".", ...readdirSync(join(root, folder), { recursive: true })].map(
      (name) => statSync(join(root, folder, String(name))).mtimeMs,
    ),
  );
/** The last thing that a build writes. */
const built = join(root, "dist/programs.json");
const sources = Math.max(
  newest("src"),
  ...[
    "tsconfig.json",
    "tsconfig.base.json",
    "tsconfig.guest.json",
    "tsconfig.page.json",
    "scripts/build.mjs",
  ].map((name) => statSync(join(root, name)).mtimeMs),
);
if (!existsSync(built) || statSync(built).mtimeMs < sources) {
  console.log("src/ is newer than dist/: building");
  const { status } = spawnSync(process.execPath, [join(root, "scripts/build.mjs")], {
    stdio: "inherit",
  });
  if (status !== 0) process.exit(status ?? 1);
}

const ofEngine = /^dist\/(?:kernel|sandbox|launcher)\/(?!engine\.js$)/;
/** Whether a file, or what it imports, loads modules that only the engine can. */
function needsEngine(file, seen = new Set()) {
  if (seen.has(file)) return false;
  seen.add(file);
  const text = readFileSync(join(root, file), "utf8");
  const imports = [...text.matchAll(/^import\b[^"]*"(\.{1,2}\/[^"]+)"/gm)].map(([, name]) =>
    relative(root, join(root, dirname(file), name)),
  );
  return imports.some(
    (name) =>
      ofEngine.test(name) ||
      (name.startsWith("tests/") && existsSync(join(root, name)) && needsEngine(name, seen)),
  );
}

const require = createRequire(import.meta.url);
const engine = join(
  dirname(require.resolve(`node-linux-${process.arch}/package.json`)),
  "bin/node",
);
// npm puts the engine's package, which brings a `node` of its own, in front of the host's.
const hostNode = process.env.npm_node_execpath ?? process.execPath;
const counts = { passed: 0, failed: 0, skipped: 0 };
const scratch = mkdtempSync(join(tmpdir(), "secure-exec-tests-"));

/**
 * With SECURE_EXEC_TEST_FLEET, machines of tests are those of two workers on this host, which may mount what
 * the host has; see tests/support/over-fleet.mjs.
 */
async function fleetEnvironment() {
  if (process.env.SECURE_EXEC_TEST_FLEET === undefined) return {};
  const { natsServer, noServer, worker } = await import("../tests/support/fleets.mjs");
  if (noServer !== false) throw new Error(noServer);
  const { url } = await natsServer();
  const capacity = ["--capacity", "machines=1000,reserve=256M"];
  await Promise.all(
    [1, 2].map(() => worker(url, ...capacity, "--mounts", "/", "--loopback-ports")),
  );
  const preload = new URL("../tests/support/over-fleet.mjs", import.meta.url).href;
  return { SECURE_EXEC_TEST_FLEET_SERVERS: url, NODE_OPTIONS: `--import=${preload}` };
}

/** A file that is not through by then is ended, and has failed. */
const fileTimeoutMs = 1_800_000;
/** Tests wait for processes of theirs a good part of the time: two files more than there are processors. */
const lanes = availableParallelism() + 2;
/** Those that take longest begin first, or the last of them would run alone in the end. */
const longest = [
  "tests/userland/commands/git.test.mjs",
  "tests/programs/programs.test.mjs",
  "tests/kernel/bounds.test.mjs",
  "tests/ports/typescript.test.mjs",
  "tests/cli/cli.test.mjs",
  "tests/examples/examples.test.mjs",
  "tests/sdk/secrets.test.mjs",
  "tests/house.test.mjs",
  "tests/launcher/savings.test.mjs",
  "tests/launcher/zygote/compiled-forms.test.mjs",
  "tests/sdk/tool-values.test.mjs",
  "tests/sdk/fleet/lost.test.mjs",
  "tests/kernel/leaks.test.mjs",
];
const rank = (file) => (longest.includes(file) ? longest.indexOf(file) : longest.length);

/** Runs a file in a process of its own and says what that said; adds to `counts`. Whether it passed. */
async function passes(file, at) {
  const summary = join(scratch, `${at}.tap`);
  const child = spawn(
    needsEngine(file) ? engine : hostNode,
    [
      "--test-reporter=spec",
      "--test-reporter-destination=stdout",
      "--test-reporter=tap",
      `--test-reporter-destination=${summary}`,
      file,
    ],
    { cwd: root, stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...fleet } },
  );
  const startedMs = performance.now();
  const timer = setTimeout(() => child.kill("SIGKILL"), fileTimeoutMs);
  const parts = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (part) => parts.push(part));
  // What it leaves running may hold its streams.
  const [status, signal] = await once(child, "exit");
  clearTimeout(timer);
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  const said = existsSync(summary) ? readFileSync(summary, "utf8") : "";
  const number = (name) => Number(new RegExp(`^# ${name} (\\d+)$`, "m").exec(said)?.[1] ?? 0);
  const failed = number("fail") + number("cancelled");
  counts.passed += number("pass");
  counts.skipped += number("skipped");
  const isWhole = /^# pass /m.test(said);
  const passed = status === 0 && isWhole && failed === 0;
  counts.failed += passed ? 0 : Math.max(1, failed);
  const end = isWhole ? "" : `, ended by ${signal ?? `exit code ${status}`} before it was through`;
  // Its own totals are part of those at the end.
  const shown = Buffer.concat(parts)
    .toString("utf8")
    .replace(/^ℹ .*\n/gm, "");
  process.stdout.write(`${file} (${seconds} s${end})\n${shown}`);
  return passed;
}

const fleet = await fleetEnvironment();
const waiting = files.map((file, at) => ({ file, at })).sort((a, b) => rank(a.file) - rank(b.file));
const failures = [];
await Promise.all(
  Array.from({ length: lanes }, async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift())
      if (!(await passes(next.file, next.at))) failures.push(next.file);
  }),
);
rmSync(scratch, { recursive: true, force: true });
for (const file of failures) console.log(`✖ ${file}`);
console.log(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
process.exit(failures.length === 0 ? 0 : 1);
