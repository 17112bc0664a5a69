// Runs Node's own tests inside a VM and counts them: one fresh machine per test, the test tree
// mounted read-only, a test counts when its process ends with 0 and did not skip itself.
//
//   node scripts/conformance.mjs --tests DIR [--families fs,net] [--match REGEX] [--out FILE]
//
// The tests are not part of this repository: DIR is the `test` directory of a Node.js checkout
// (or NODE_TESTS). What they must do natively comes from --baseline (a JSON of name → status,
// may be repeated) or from running each with the pinned engine first.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { NodeRuntime } from "../dist/index.js";
import { findEngine } from "../dist/launcher/engine.js";

const { values: given } = parseArgs({
  options: {
    tests: { type: "string", default: process.env.NODE_TESTS },
    families: { type: "string", default: "" },
    match: { type: "string" },
    list: { type: "string" },
    baseline: { type: "string", multiple: true, default: [] },
    out: { type: "string" },
    jobs: { type: "string", default: "2" },
    sample: { type: "string" },
    timeout: { type: "string", default: "60000" },
    "native-timeout": { type: "string", default: "20000" },
    retries: { type: "string", default: "1" },
    canary: { type: "boolean", default: false },
    verbose: { type: "boolean", default: false },
  },
});
if (given.tests === undefined || !existsSync(join(given.tests, "common", "index.js"))) {
  console.error("--tests (or NODE_TESTS) must be the test directory of a Node.js source tree");
  process.exit(2);
}
const root = resolve(given.tests);

/** Family → the tests in it. */
const families = {
  buffer: /^parallel\/test-buffer[-.]/,
  stream: /^parallel\/test-streams?\d*[-.]/,
  util: /^parallel\/test-util[-.]/,
  url: /^parallel\/test-url[-.]/,
  whatwg: /^parallel\/test-whatwg-/,
  events: /^parallel\/test-(events?|eventtarget)[-.]/,
  assert: /^parallel\/test-assert[-.]/,
  path: /^parallel\/test-path[-.]/,
  querystring: /^parallel\/test-querystring[-.]/,
  timers: /^parallel\/test-timers[-.]/,
  zlib: /^parallel\/test-zlib[-.]/,
  crypto: /^parallel\/test-(crypto|webcrypto)[-.]/,
  fs: /^parallel\/test-fs[-.]/,
  module: /^(parallel\/test-module[-.]|module-hooks\/)/,
  require: /^parallel\/test-require[-.]/,
  "es-module": /^es-module\//,
  "child-process": /^parallel\/test-child-process[-.]/,
  process: /^parallel\/test-process[-.]/,
  worker: /^parallel\/test-worker[-.]/,
  net: /^parallel\/test-net[-.]/,
  http: /^parallel\/test-http[-.]/,
  https: /^parallel\/test-https[-.]/,
  http2: /^parallel\/test-http2[-.]/,
  tls: /^parallel\/test-tls[-.]/,
  dgram: /^parallel\/test-dgram[-.]/,
  dns: /^parallel\/test-dns[-.]/,
  "async-hooks": /^(async-hooks\/|parallel\/test-async[-.])/,
  "test-runner": /^(test-runner\/|parallel\/test-runner[-.])/,
  "client-proxy": /^client-proxy\//,
  wasi: /^(wasi\/|parallel\/test-wasi[-.])/,
  sequential: /^sequential\//,
  other: /^parallel\//,
};
const directories = [
  "parallel",
  "es-module",
  "module-hooks",
  "async-hooks",
  "test-runner",
  "client-proxy",
  "wasi",
  "sequential",
];

/** Classes that say nothing about a guest, first match wins; the rest is public. */
const excluded = [
  ["quic", (name) => /test-quic/.test(name)],
  [
    "internals",
    (_, text, flags) =>
      /--expose[-_]internals/.test(flags) ||
      /internalBinding\(|process\.binding\(|require\('internal\//.test(text),
  ],
  [
    "permission-model",
    (name, _, flags) =>
      /--(experimental-)?permission\b/.test(flags) || /test-permission-/.test(name),
  ],
  [
    "inspector-debugger",
    (name, text) =>
      /test-(inspector|debugger)-/.test(name) ||
      /require\('(node:)?inspector/.test(text) ||
      /--inspect/.test(text),
  ],
  [
    "snapshot-sea",
    (name, text) =>
      /test-(snapshot|single-executable|sea)-|^sea\//.test(name) || /--build-snapshot/.test(text),
  ],
  ["abort-core", (_, text, flags) => /--abort[-_]on[-_]uncaught/.test(flags + text)],
  [
    "v8-engine",
    (name, text, flags) =>
      /--allow-natives-syntax|--(cpu|heap)-prof|--heapsnapshot|--trace-event|--trace-gc/.test(
        flags,
      ) ||
      /test-(cpu-prof|heap-prof|heapdump|trace-events|v8-coverage)|^report\//.test(name) ||
      /writeHeapSnapshot|getHeapSnapshot/.test(text),
  ],
  ["native-addon", (_, text) => /require\(`?'?\.\/build\//.test(text)],
];

const flagsOf = (text) =>
  /\/\/\s+Flags:(.*)/.exec(text)?.[1].trim().split(/\s+/).filter(Boolean) ?? [];
const environmentOf = (text) =>
  Object.fromEntries(
    (/\/\/\s+Env:(.*)/.exec(text)?.[1].trim().split(/\s+/) ?? []).map((pair) => {
      const at = pair.indexOf("=");
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
const sharedEnvironment = (name) => ({
  TEST_SERIAL_ID: "1",
  TEST_THREAD_ID: "1",
  // With it `common.PORT` throws, which those of `sequential` use.
  ...(name.startsWith("sequential/") ? {} : { TEST_PARALLEL: "1" }),
  LANG: "C.UTF-8",
  TERM: "xterm",
});

const baseline = new Map();
for (const file of given.baseline) {
  for (const [name, entry] of Object.entries(JSON.parse(readFileSync(file, "utf8")))) {
    baseline.set(name.includes("/") ? name : `parallel/${name}`, entry);
  }
}

const familyOf = (name) => Object.keys(families).find((key) => families[key].test(name));
const sourceOf = (name) => readFileSync(join(root, name), "utf8");
function classOf(name) {
  const known = baseline.get(name)?.class;
  if (known !== undefined) return known === "gc-timing" ? "public" : known;
  const text = sourceOf(name);
  const flags = flagsOf(text).join(" ");
  return excluded.find(([, test]) => test(name, text, flags))?.[0] ?? "public";
}

function select() {
  const wanted = given.families === "" ? Object.keys(families) : given.families.split(",");
  for (const key of wanted) {
    if (!(key in families)) throw new Error(`no family ${key}; there are ${Object.keys(families)}`);
  }
  const list = given.list && new Set(readFileSync(given.list, "utf8").split(/\s+/).filter(Boolean));
  const match = given.match && new RegExp(given.match);
  const names = directories
    .flatMap((directory) =>
      existsSync(join(root, directory))
        ? readdirSync(join(root, directory)).map((file) => `${directory}/${file}`)
        : [],
    )
    .filter((name) => /\/test-.*\.m?js$/.test(name))
    .filter((name) => (list ? list.has(name) : wanted.includes(familyOf(name))))
    .filter((name) => !match || match.test(name))
    .filter((name) => classOf(name) === "public")
    .sort();
  if (given.sample === undefined) return names;
  // Every n-th: the same ones each time.
  const step = Math.max(1, Math.floor(names.length / Number(given.sample)));
  return names.filter((_, index) => index % step === 0);
}

/** pass, skip, timeout or fail. */
function judge({ exitCode, stdout, timedOut }) {
  if (timedOut) return "timeout";
  if (exitCode !== 0) return "fail";
  return /^1\.\.0 # Skipped/m.test(stdout) ? "skip" : "pass";
}

const engine = findEngine().path;
const nativeTemporary = mkdtempSync(join(tmpdir(), "conformance-"));

function runNatively(name, worker) {
  const text = sourceOf(name);
  return new Promise((done) => {
    const env = {
      ...sharedEnvironment(name),
      NODE_TEST_DIR: nativeTemporary,
      HOME: nativeTemporary,
    };
    const child = spawn(engine, [...flagsOf(text), join(root, name)], {
      cwd: resolve(root, ".."),
      env: { ...env, PATH: process.env.PATH, ...environmentOf(text), TEST_SERIAL_ID: `${worker}` },
      stdio: ["ignore", "pipe", "ignore"],
    });
    let stdout = "";
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      child.kill("SIGKILL");
    }, Number(given["native-timeout"]));
    child.stdout.on("data", (data) => (stdout += data));
    child.on("close", (exitCode) => {
      clearTimeout(timer);
      done({ exitCode, stdout, timedOut });
    });
  });
}

/** Makes every test fail at its end: a run of canaries must count none. */
const canary = "process.on('exit', () => { throw new Error('canary'); });";

/**
 * Some tests allocate gigabytes, or skip themselves where they cannot: natively they have what the host has, and open files. All
 * other limits are the defaults.
 */
const roomy = { memoryBytes: 4 * 2 ** 30, fileSystemBytes: 16 * 2 ** 30, openFiles: 4096 };

/** A system has some, of which tests want one. */
const systemCertificate = "fixtures/keys/fake-startcom-root-cert.pem";

async function runInVm(name) {
  const text = sourceOf(name);
  const timeout = Number(given.timeout);
  const runtime = await NodeRuntime.create({
    mounts: [{ guestPath: "/node/test", hostPath: root }],
    permissions: {
      fs: "allow",
      network: "allow",
      childProcess: "allow",
      process: "allow",
      env: "allow",
    },
    limits: roomy,
    files: {
      "/etc/ssl/certs/system.pem": readFileSync(join(root, systemCertificate)),
      ...(given.canary && { "/tmp/canary.cjs": canary }),
    },
  });
  try {
    const startedAt = performance.now();
    const preload = given.canary ? ["--require", "/tmp/canary.cjs"] : [];
    const args = [...preload, ...flagsOf(text), `/node/test/${name}`];
    const result = await runtime.execCommand("node", args, {
      cwd: "/node",
      env: { ...sharedEnvironment(name), NODE_TEST_DIR: "/tmp", ...environmentOf(text) },
      timeout,
    });
    const ms = Math.round(performance.now() - startedAt);
    return { ...result, ms, timedOut: result.exitCode === 137 && ms >= timeout };
  } catch (error) {
    return { exitCode: null, stdout: "", stderr: String(error?.stack ?? error), ms: 0 };
  } finally {
    await runtime.dispose().catch(() => {});
  }
}

const names = select();
const tests = {};
const retries = Number(given.retries);

async function nativeVerdict(name, worker) {
  const known = baseline.get(name)?.status;
  if (known !== undefined) return known;
  let verdict = judge(await runNatively(name, worker));
  for (let again = 0; verdict !== "pass" && again < retries; again++)
    verdict = judge(await runNatively(name, worker));
  return verdict;
}

async function measure(name, worker) {
  const native = await nativeVerdict(name, worker);
  if (native !== "pass") return { native };
  let flips = 0;
  for (;;) {
    const result = await runInVm(name);
    const verdict = judge(result);
    if (verdict === "pass" || flips >= retries) {
      const record = { native, verdict, ms: result.ms };
      if (verdict === "pass") return flips === 0 ? record : { ...record, flips };
      const output = `${result.stderr}\n${result.stdout}`.trim();
      return { ...record, exitCode: result.exitCode, output: output.slice(0, 4000) };
    }
    flips++;
  }
}

function headline(output) {
  const lines = output.split("\n").filter((line) => line.trim() !== "");
  const said = lines.find(
    (line) => /\w*Error\b|assert|EPERM/.test(line) && !/^\s+at |throw /.test(line),
  );
  return (said ?? lines[0] ?? "").trim().slice(0, 160);
}

let next = 0;
await Promise.all(
  Array.from({ length: Number(given.jobs) }, async (_, worker) => {
    while (next < names.length) {
      const name = names[next++];
      const record = await measure(name, worker);
      tests[name] = record;
      if (given.verbose) console.log(record.verdict ?? `native ${record.native}`, name);
    }
  }),
);
rmSync(nativeTemporary, { recursive: true, force: true });

const table = {};
for (const name of names) {
  const { native, verdict } = tests[name];
  const row = (table[familyOf(name) ?? "other"] ??= { files: 0, native: 0, pass: 0 });
  row.files++;
  if (native === "pass") row.native++;
  if (verdict === "pass") row.pass++;
}
for (const name of names) {
  const { verdict, exitCode, output } = tests[name];
  if (verdict !== undefined && verdict !== "pass")
    console.log(`${verdict} ${name} (${exitCode}) ${headline(output)}`);
}
console.table(
  Object.fromEntries(
    Object.entries(table).map(([family, row]) => [
      family,
      { ...row, share: row.native === 0 ? "" : `${((100 * row.pass) / row.native).toFixed(1)} %` },
    ]),
  ),
);
if (given.out !== undefined) {
  const machine = `${cpus().length} × ${cpus()[0].model}`;
  const sorted = Object.fromEntries(Object.entries(tests).sort(([a], [b]) => (a < b ? -1 : 1)));
  const record = { date: new Date().toISOString(), machine, families: table, tests: sorted };
  writeFileSync(given.out, `${JSON.stringify(record, null, 1)}\n`);
}
// A canary that counts as passed means that failures are not seen.
process.exit(
  given.canary && Object.values(tests).some(({ verdict }) => verdict === "pass") ? 1 : 0,
);
