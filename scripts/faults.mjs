// Fault injection: programs run under load while processes of every level are killed or stopped at
// random, and with too few descriptors or processes, from the start or in the middle, too small files, a full
// file system, full memory. Checks: nothing hangs past its deadline, nothing is left over, nothing is invented.
//   node scripts/faults.mjs [--seconds 20] [--seed N] [--phase kill|starve|descriptors|processes|files|full|memory]
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { fileURLToPath } from "node:url";
import { NodeRuntime, SecureExecError } from "../dist/index.js";
import { alive, tree } from "../tests/support/processes.mjs";
import { Random } from "../tests/fuzz/random.mjs";

const { values: given } = parseArgs({
  options: {
    seconds: { type: "string", default: "20" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    phase: { type: "string" },
  },
});
const seconds = Number(given.seconds);

/** What is left of a call's deadline for finding out, ending processes and a busy machine. */
const boundMs = 20_000;
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** The faults of a seed can be had again, as far as the machine allows. */
const chance = new Random(Number(given.seed));
const random = () => chance.fraction();
const below = (count) => chance.below(count);
const pick = (list) => chance.pick(list);

const counts = { calls: 0, answered: 0, refused: 0, kills: 0, stops: 0, starved: 0 };
const refusals = new Map();
const problems = [];
const seen = new Set();
const problem = (text) => {
  problems.push(text);
  console.error(`PROBLEM: ${text}`);
};

/** Runs one call; it settles in time, with what it should or a coded error. */
async function call(what, timeoutMs, work, check) {
  counts.calls++;
  const hung = Symbol("hung");
  let timer;
  const late = new Promise((resolve) => {
    timer = setTimeout(() => resolve(hung), timeoutMs + boundMs);
  });
  try {
    const result = await Promise.race([work(), late]);
    if (result === hung) return problem(`${what} hung for ${timeoutMs + boundMs} ms`);
    counts.answered++;
    const wrong = check(result);
    if (wrong) problem(`${what} invented ${JSON.stringify(wrong)}`);
  } catch (error) {
    counts.refused++;
    const code = error instanceof SecureExecError ? error.code : undefined;
    refusals.set(code, (refusals.get(code) ?? 0) + 1);
    if (code === undefined || code === "ERR_SECURE_EXEC_INTERNAL")
      problem(`${what} failed without a code: ${error?.stack}`);
  } finally {
    clearTimeout(timer);
  }
}

const killed = (result) => result.exitCode === 137;
/** Wrong when it says success and is not what was asked for. */
const exact = (token) => (result) =>
  killed(result) || (result.exitCode === 0 && result.value === token)
    ? undefined
    : // A child that somebody killed makes its parent fail, which is no invention.
      result.exitCode !== 0
      ? undefined
      : result;

/** How often the program of each number said that it ran. */
const ran = new Map();
let programs = 0;

/** Runs of `from` at once, each of a number of its own; all settle before this does. */
async function runsOf(from, base) {
  const settled = await Promise.allSettled(
    Array.from({ length: 3 }, () => {
      const number = ++programs;
      const program = `await callHostTool("ran", ${number}); __return([base, ${number}])`;
      return from.run(program, { timeout: 5000 }).then((result) => ({ result, number }));
    }),
  );
  const failed = settled.find(({ status }) => status === "rejected");
  if (failed !== undefined) throw failed.reason;
  return settled.map(({ value: { result, number } }) => ({ result, expected: [base, number] }));
}

const exactAll = (all) =>
  all.find(
    ({ result, expected }) =>
      result.exitCode === 0 && JSON.stringify(result.value) !== JSON.stringify(expected),
  );

async function withTemplate(rt, token, use) {
  const template = await rt.template(`globalThis.base = ${token}`, { timeout: 5000 });
  try {
    return await use(template);
  } finally {
    await template.dispose();
  }
}

const calls = [
  (rt, token) =>
    call(
      "runs of a template",
      15_000,
      () => withTemplate(rt, token, (template) => runsOf(template, token)),
      exactAll,
    ),
  (rt, token) =>
    call(
      "a machine from a template",
      25_000,
      () =>
        withTemplate(rt, token, async (template) => {
          const warm = await NodeRuntime.create({ template });
          try {
            return await runsOf(warm, token);
          } finally {
            await warm.dispose();
          }
        }),
      exactAll,
    ),
  (rt, token) =>
    call("run", 5000, () => rt.run(`__return(${token})`, { timeout: 5000 }), exact(token)),
  (rt, token) =>
    call(
      "a child",
      5000,
      () =>
        rt.run(
          `import { execFileSync } from "node:child_process"; __return(Number(execFileSync("echo", ["${token}"])))`,
          { timeout: 5000 },
        ),
      exact(token),
    ),
  (rt, token) =>
    call(
      "a file",
      5000,
      () =>
        rt.run(
          `import fs from "node:fs"; const f = "/tmp/f${token}"; for (let i = 0; i < 50; i++) fs.writeFileSync(f, String(${token})); const n = Number(fs.readFileSync(f)); fs.rmSync(f); __return(n)`,
          { timeout: 5000 },
        ),
      exact(token),
    ),
  (rt, token) =>
    call(
      "a tool",
      5000,
      () => rt.run(`__return(await callHostTool("echo", ${token}))`, { timeout: 5000 }),
      exact(token),
    ),
  (rt) =>
    call(
      "a tool that never answers",
      2000,
      () => rt.exec(`await callHostTool("never", {})`, { timeout: 2000 }),
      (result) => (result.exitCode === 0 ? result : undefined),
    ),
  (rt) =>
    call(
      "a hook that never settles",
      1000,
      () => rt.exec("console.log(1)", { timeout: 1000, onStdout: () => new Promise(() => {}) }),
      // The program may have been killed before it printed.
      (result) => (killed(result) || result.exitCode !== 0 ? undefined : result),
    ),
  (rt) =>
    call(
      "an endless loop",
      300,
      () => rt.exec("for (;;);", { timeout: 300 }),
      (result) => (killed(result) ? undefined : result),
    ),
  (rt, token) =>
    call(
      "the host's file",
      5000,
      async () => {
        await rt.writeFile(`/tmp/h${token}`, String(token));
        return Buffer.from(await rt.readFile(`/tmp/h${token}`)).toString();
      },
      (text) => (text === String(token) ? undefined : text),
    ),
];

const tools = {
  echo: { handler: (value) => value },
  ran: {
    handler: (number) => {
      const times = (ran.get(number) ?? 0) + 1;
      ran.set(number, times);
      if (times > 1) problem(`program ${number} ran ${times} times`);
    },
  },
  never: { handler: () => new Promise(() => {}), timeoutMs: 1000 },
};

async function client(until, chosen = calls) {
  while (Date.now() < until) {
    let rt;
    await call(
      "create",
      30_000,
      async () => (rt = await NodeRuntime.create({ tools })),
      () => undefined,
    );
    if (rt === undefined) {
      await pause(50);
      continue;
    }
    for (let i = below(12) + 1; i > 0 && Date.now() < until; i--)
      await pick(chosen)(rt, below(1e9));
    await call(
      "dispose",
      0,
      () => rt.dispose(),
      () => undefined,
    );
  }
}

async function saboteur(until) {
  while (Date.now() < until) {
    await pause(100 + below(900));
    const { kernel, spawner, zygote, guests } = tree();
    for (const pid of [kernel, spawner, zygote, ...guests]) if (pid) seen.add(pid);
    const dice = random();
    const pid = dice < 0.1 ? kernel : dice < 0.2 ? zygote : dice < 0.25 ? spawner : pick(guests);
    if (!pid) continue;
    const signal = random() < 0.5 ? "SIGKILL" : "SIGSTOP";
    try {
      process.kill(pid, signal);
    } catch {
      continue;
    }
    counts[signal === "SIGKILL" ? "kills" : "stops"]++;
    // Some go on after a while, some never.
    if (signal === "SIGSTOP" && random() < 0.5)
      setTimeout(() => {
        try {
          process.kill(pid, "SIGCONT");
        } catch {
          // It was ended meanwhile.
        }
      }, below(8000));
  }
}

/** Takes from a process of a level what it may have, for a while: descriptors, and processes where it is not root's. */
async function starver(until) {
  while (Date.now() < until) {
    await pause(200 + below(800));
    const { kernel, spawner, zygote } = tree();
    const pid = pick([kernel, kernel, zygote, spawner]);
    const resource = pick(["nofile", "nproc"]);
    const before = pid && softLimit(pid, resource);
    if (before === undefined) continue;
    const few = resource === "nofile" ? below(60) : below(4);
    if (!setLimit(pid, resource, few)) continue;
    counts.starved++;
    await pause(below(1500));
    setLimit(pid, resource, before);
  }
}

const limitRows = { nofile: "Max open files", nproc: "Max processes" };

function softLimit(pid, resource) {
  try {
    const line = readFileSync(`/proc/${pid}/limits`, "latin1")
      .split("\n")
      .find((row) => row.startsWith(limitRows[resource]));
    return line.slice(26).trim().split(/\s+/)[0];
  } catch {
    return undefined;
  }
}

/** The soft limit alone, so that it can be given back. */
function setLimit(pid, resource, count) {
  const { status } = spawnSync("prlimit", [`--pid=${pid}`, `--${resource}=${count}:`]);
  return status === 0;
}

async function starves() {
  const until = Date.now() + seconds * 1000;
  const before = descriptors();
  await Promise.all([starver(until), ...Array.from({ length: 3 }, () => client(until))]);
  await nothingLeft(before);
}

const descriptors = () => readdirSync("/proc/self/fd").length;

async function kills() {
  const until = Date.now() + seconds * 1000;
  const before = descriptors();
  const rssBefore = process.memoryUsage.rss();
  await Promise.all([saboteur(until), ...Array.from({ length: 3 }, () => client(until))]);
  await nothingLeft(before);
  const grown = (process.memoryUsage.rss() - rssBefore) / 2 ** 20;
  // Heap that was not collected is no leak; a minute's worth of kept runs would be more.
  if (grown > 200) problem(`the host grew by ${Math.round(grown)} MiB`);
}

/** One runtime still works; then every process but those of the shared kernel is gone. */
async function nothingLeft(before) {
  // A guest that waited stopped or dead is handed out once.
  let serves = false;
  for (let attempt = 0; attempt < 9 && !serves; attempt++)
    await call(
      "the last run",
      60_000,
      async () => {
        const rt = await NodeRuntime.create();
        // One who was handed a guest that somebody stopped waits for its time-out, as for any program that does nothing.
        const result = await rt.run("__return(7)", { timeout: 20_000 });
        await rt.dispose();
        serves = result.value === 7;
        return result;
      },
      exact(7),
    );
  if (!serves) problem("no run succeeded after the faults");
  const deadline = Date.now() + boundMs;
  let orphans;
  do {
    await pause(200);
    const { kernel, spawner, zygote, guests } = tree();
    const own = new Set([kernel, spawner, zygote, ...guests]);
    orphans = [...seen].filter((pid) => alive(pid) && !own.has(pid));
  } while (orphans.length > 0 && Date.now() < deadline);
  if (orphans.length > 0) problem(`left over: processes ${orphans}`);
  const after = descriptors();
  // One kernel: its socket, its stderr, its pidfd.
  if (after > before + 6) problem(`descriptors of the host ${before} → ${after}`);
}

/** The phase of this name in a process of its own, below the limits that `shell` sets; `inside` is a command that runs the shell. */
function limited(phase, shell, inside = []) {
  const command = `${shell}; exec "$0" "$@"`;
  const args = [fileURLToPath(import.meta.url), "--phase", phase, "--seconds", "4"];
  const [program, ...rest] = [...inside, "/bin/sh", "-c", command, process.execPath, ...args];
  const { status, stdout, stderr } = spawnSync(program, rest, {
    encoding: "utf8",
    timeout: 120_000,
  });
  process.stdout.write(stdout.replace(/^/gm, `  ${shell}: `).trimEnd() + "\n");
  if (status !== 0) problem(`${phase} (${shell}): ${status} ${stderr.slice(-2000)}`);
}

/** With so few from the first machine on: before, modules are loaded, many at a time. */
async function fewDescriptors() {
  const { status } = spawnSync("prlimit", [
    `--pid=${process.pid}`,
    `--nofile=${process.env["FAULTS_DESCRIPTORS"]}`,
  ]);
  if (status === 0) return constrained();
  console.log("no prlimit(1): descriptors are not limited");
}

/** Calls under a limit that this process was started with. */
async function constrained() {
  await Promise.all(Array.from({ length: 2 }, () => client(Date.now() + seconds * 1000)));
}

/** As nobody, whose processes can be counted: with those of all levels there are too few. */
async function processes() {
  if (process.getuid() === 0) {
    process.setgroups([]);
    process.setgid(65_534);
    process.setuid(65_534);
  }
  await constrained();
}

/** Runs a program in a machine of its own, with a directory of the host at /m. */
async function onMount(hostPath, program) {
  const rt = await NodeRuntime.create({
    mounts: [{ guestPath: "/m", hostPath, readOnly: false }],
  });
  try {
    return await rt.run(program, { timeout: 20_000 });
  } finally {
    await rt.dispose();
  }
}

/** A mount on a file system that has no room: the program is told, and what it reads back is what it wrote. */
async function full() {
  const hostPath = process.env["FAULTS_FULL"];
  const until = Date.now() + seconds * 1000;
  while (Date.now() < until) {
    await call(
      "a write to a full file system",
      20_000,
      () =>
        onMount(
          hostPath,
          `import fs from "node:fs";
             let code;
             try { fs.writeFileSync("/m/x", Buffer.alloc(4 << 20, 7)); } catch (error) { code = error.code; }
             const there = fs.readFileSync("/m/x");
             fs.rmSync("/m/x");
             fs.writeFileSync("/m/y", "small");
             __return([code, there.length <= 1 << 20, there.every((byte) => byte === 7), fs.readFileSync("/m/y", "utf8")].join());`,
        ),
      (result) =>
        killed(result) || result.value === "ENOSPC,true,true,small" ? undefined : result,
    );
    await client(Date.now() + 1000, calls.slice(0, 4));
  }
}

async function files() {
  const hostPath = mkdtempSync(join(tmpdir(), "faults-"));
  try {
    await call(
      "a write over the largest file",
      20_000,
      () =>
        onMount(
          hostPath,
          `import fs from "node:fs"; fs.writeFileSync("/m/x", Buffer.alloc(4 << 20)); __return(fs.statSync("/m/x").size)`,
        ),
      (result) => (result.exitCode === 0 ? result : undefined),
    );
    await constrained();
  } finally {
    rmSync(hostPath, { recursive: true });
  }
}

async function memory() {
  const hungry = (rt) =>
    call(
      "eating memory",
      10_000,
      () =>
        rt.exec("const all = []; for (;;) all.push(Buffer.alloc(1 << 20, 1))", { timeout: 10_000 }),
      (result) => (result.exitCode === 0 ? result : undefined),
    );
  const until = Date.now() + seconds * 1000;
  await Promise.all([
    client(until, [hungry]),
    client(until, [hungry]),
    client(until, calls.slice(0, 4)),
  ]);
}

const phases = {
  kill: kills,
  starve: starves,
  descriptors: fewDescriptors,
  processes,
  files,
  full,
  memory,
};
if (given.phase === undefined) {
  console.log(`seed ${given.seed}, ${seconds} s`);
  await kills();
  if (spawnSync("prlimit", ["--version"]).status === 0) await starves();
  else console.log("no prlimit(1): nothing is taken away in the middle");
  await memory();
  for (const count of [40, 64, 128]) limited("descriptors", `export FAULTS_DESCRIPTORS=${count}`);
  for (const count of [12, 24, 48]) limited("processes", `ulimit -u ${count}`);
  limited("files", "ulimit -f 2048");
  const place = mkdtempSync(join(tmpdir(), "faults-full-"));
  const mounted = `mount -t tmpfs -o size=1m none ${place} && export FAULTS_FULL=${place} TMPDIR=${place}`;
  if (spawnSync("unshare", ["-m", "/bin/sh", "-c", mounted]).status === 0)
    limited("full", mounted, ["unshare", "-m"]);
  else console.log("no file system can be mounted here: none is full");
  rmdirSync(place);
} else await phases[given.phase]();

const codes = [...refusals].map(([code, count]) => `${code} × ${count}`).join(", ");
console.log(JSON.stringify(counts), codes);
console.log(problems.length === 0 ? "no problem" : `${problems.length} problems`);
process.exit(problems.length === 0 ? 0 : 1);
