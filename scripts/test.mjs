// Runs every tests/**/*.test.mjs under node:test; arguments narrow the list by substring.
// What a host application does runs on the host's own Node; tests that load the kernel's or
// the launcher's modules themselves run on the engine, as those do.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
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

/** Runs files under one Node; adds to `counts`. Answers its exit code. */
async function run(node, some) {
  if (some.length === 0) return 0;
  const summary = join(scratch, "tap");
  const child = spawn(
    node,
    [
      "--test",
      "--test-timeout=300000",
      "--test-concurrency=2",
      "--test-reporter=spec",
      "--test-reporter-destination=stdout",
      "--test-reporter=tap",
      `--test-reporter-destination=${summary}`,
      ...some,
    ],
    { cwd: root, stdio: "inherit", env: { ...process.env, ...fleet } },
  );
  const [status] = await once(child, "exit");
  const said = existsSync(summary) ? readFileSync(summary, "utf8") : "";
  const number = (name) =>
    Number(
      said
        .match(new RegExp(`^# ${name} (\\d+)$`, "gm"))
        ?.at(-1)
        ?.split(" ")[2] ?? 0,
    );
  counts.passed += number("pass");
  counts.failed += number("fail") + number("cancelled");
  counts.skipped += number("skipped");
  return status ?? 1;
}

const fleet = await fleetEnvironment();
const [engineFiles, hostFiles] = [
  files.filter((file) => needsEngine(file)),
  files.filter((file) => !needsEngine(file)),
];
const codes = [await run(engine, engineFiles), await run(hostNode, hostFiles)];
rmSync(scratch, { recursive: true, force: true });
console.log(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
process.exit(codes.find((code) => code !== 0) ?? (counts.failed > 0 ? 1 : 0));
