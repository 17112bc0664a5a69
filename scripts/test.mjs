// Runs every tests/**/*.test.mjs under node:test; arguments narrow the list by substring.
// What a host application does runs on the host's own Node; tests that load the kernel's or
// the launcher's modules themselves run on the engine, as those do. test-processes.mjs says which files share a process.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { needsEngine, processesOf, roomOf, verdictOn } from "./test-processes.mjs";

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

/** What is not through by then is ended, and has failed. */
const processTimeoutMs = 1_800_000;
/** Tests wait for processes of theirs a good part of the time: two more at a time than there are processors. */
const lanes = availableParallelism() + 2;

/** Runs files in a process of their own and says what that said; adds to `counts`. Those that have not passed. */
async function failuresOf(files, at) {
  const summary = join(scratch, `${at}.tap`);
  const child = spawn(
    needsEngine(files[0]) ? engine : hostNode,
    [
      "--test-reporter=spec",
      "--test-reporter-destination=stdout",
      "--test-reporter=tap",
      `--test-reporter-destination=${summary}`,
      ...(files.length > 1 ? ["scripts/test-files.mjs"] : []),
      ...files,
    ],
    { cwd: root, stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...fleet } },
  );
  const startedMs = performance.now();
  const timer = setTimeout(() => child.kill("SIGKILL"), processTimeoutMs);
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
  const isWhole =
    /^# pass /m.test(said) &&
    (files.length === 1 || files.every((file) => verdictOn(file, said) !== undefined));
  const passed = status === 0 && isWhole && failed === 0;
  counts.failed += passed ? 0 : Math.max(1, failed);
  const end = isWhole ? "" : `, ended by ${signal ?? `exit code ${status}`} before it was through`;
  // Its own totals are part of those at the end.
  const shown = Buffer.concat(parts)
    .toString("utf8")
    .replace(/^ℹ .*\n/gm, "");
  const title = files.length === 1 ? files[0] : `${files.length} files of ${roomOf(files[0])}`;
  process.stdout.write(`${title} (${seconds} s${end})\n${shown}`);
  if (passed) return [];
  const guilty = files.filter((file) => verdictOn(file, said) !== "ok");
  return guilty.length > 0 ? guilty : files;
}

const fleet = await fleetEnvironment();
// What a fleet cannot do is known by the file that a process runs.
const waiting = processesOf(files, fleet.NODE_OPTIONS === undefined).map((own, at) => ({
  own,
  at,
}));
const failures = [];
await Promise.all(
  Array.from({ length: lanes }, async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift())
      failures.push(...(await failuresOf(next.own, next.at)));
  }),
);
rmSync(scratch, { recursive: true, force: true });
for (const file of failures) console.log(`✖ ${file}`);
console.log(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
process.exit(failures.length === 0 ? 0 : 1);
