// Faults of a fleet: callers run programs over workers and a broker, while workers, callers and the broker are
// killed and stopped at random, and the network between them stands still. As root, each worker and caller is in a
// network namespace of its own, and packets are lost as well. Checks: every call settles within its deadline, with the
// right result or a coded error; no program runs twice; after the leases no machine is left. With
// SECURE_EXEC_TEST_JETSTREAM=1 leases are in the broker's store, which is emptied as well.
//   node scripts/fleet-faults.mjs [--seconds 60] [--seed N] [--workers 3] [--callers 3]
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, readdirSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { NodeRuntime, SecureExecError } from "../dist/index.js";
import { natsServer, noServer, status, workerBy, workerCommand } from "../tests/support/fleets.mjs";
import { operator } from "../tests/support/leases.mjs";
import { alive } from "../tests/support/processes.mjs";
import { inOwnNetwork, way as wayTo } from "../tests/support/ways.mjs";
import { Random } from "../tests/fuzz/random.mjs";

const { values: given } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    workers: { type: "string", default: "3" },
    callers: { type: "string", default: "3" },
    caller: { type: "string" },
  },
});
const leaseMs = 4000;
/** Beyond the lease and a call's own bound: finding out, and a busy machine. */
const slackMs = 30_000;
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** The faults of a seed can be had again, as far as the machine allows. */
const chance = new Random(Number(given.seed));
const random = () => chance.fraction();
const below = (count) => chance.below(count);
const pick = (list) => chance.pick(list);

if (given.caller !== undefined) await caller(given.caller);
else await supervise();

/** Runs programs for ever; a line of JSON on stdout for each call that settled. */
async function caller(servers) {
  const say = (fields) => process.stdout.write(`${JSON.stringify(fields)}\n`);
  /** Rejects after so much time in which this process ran: being stopped is not the call's fault. */
  const deadline = (ms) => {
    let timer;
    let left = ms;
    const late = new Promise((_, reject) => {
      timer = setInterval(() => {
        if ((left -= 100) <= 0) reject(new Error("hung"));
      }, 100);
    });
    return { late, clear: () => clearInterval(timer) };
  };
  async function call(what, boundMs, work, isRight) {
    const { late, clear } = deadline(boundMs + leaseMs + slackMs);
    const startedMs = performance.now();
    try {
      const result = await Promise.race([work(), late]);
      const right = isRight(result);
      say({ what, right, ...(!right && { invented: result }), ms: performance.now() - startedMs });
      return result;
    } catch (error) {
      const code = error instanceof SecureExecError ? error.code : undefined;
      say({
        what,
        code: code ?? "none",
        ...(code === undefined && { stack: String(error?.stack) }),
      });
      return undefined;
    } finally {
      clear();
    }
  }
  let last = 0;
  async function line() {
    for (;;) {
      const begun = new Map();
      const tools = {
        begin: {
          handler: ({ token }) => {
            const count = (begun.get(token) ?? 0) + 1;
            begun.set(token, count);
            if (count > 1) say({ what: "a program", twice: token });
            return token;
          },
        },
      };
      const fleet = { servers, leaseMs, placement: { timeoutMs: 20_000 } };
      const runtime = await call(
        "create",
        20_000,
        () => NodeRuntime.create({ fleet, tools }),
        () => true,
      );
      if (runtime === undefined) continue;
      for (let times = 1 + below(4); times > 0; times--) {
        const token = ++last;
        const kind = below(4);
        const timeout = 5000;
        if (kind === 0)
          await call(
            "run",
            timeout,
            () =>
              runtime.run(`__return(await callHostTool("begin", { token: ${token} }))`, {
                timeout,
              }),
            ({ exitCode, value }) => exitCode === 137 || value === token,
          );
        else if (kind === 1)
          await call(
            "output",
            timeout,
            () =>
              runtime.exec(
                `await callHostTool("begin", { token: ${token} }); process.stdout.write("x".repeat(300_000) + "${token}")`,
                { timeout },
              ),
            ({ exitCode, stdout }) =>
              exitCode === 137 ||
              (stdout.length === 300_000 + String(token).length && stdout.endsWith(String(token))),
          );
        else if (kind === 2)
          await call(
            "file",
            timeout,
            async () => {
              await runtime.writeFile("/tmp/f", Buffer.alloc(700_000, token % 256));
              return runtime.readFile("/tmp/f");
            },
            (bytes) => bytes.length === 700_000 && bytes.every((byte) => byte === token % 256),
          );
        else
          await call(
            "endless",
            500,
            () => runtime.exec("for (;;);", { timeout: 500 }),
            ({ exitCode }) => exitCode === 137,
          );
      }
      await call(
        "dispose",
        0,
        () => runtime.dispose(),
        () => true,
      );
    }
  }
  await Promise.all([1, 2, 3].map(line));
}

function kernelsOf(pid) {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        const text = readFileSync(`/proc/${name}/stat`, "latin1");
        return Number(text.slice(text.lastIndexOf(")") + 4).split(" ")[0]) === pid;
      } catch {
        return false;
      }
    })
    .map(Number);
}

async function supervise() {
  if (noServer !== false) throw new Error(noServer);
  const noNetwork = await inOwnNetwork();
  const problems = [];
  const counts = { settled: 0, right: 0, coded: 0 };
  const codes = new Map();
  const faults = new Map();
  const count = (fault) => faults.set(fault, (faults.get(fault) ?? 0) + 1);
  let broker = await natsServer();
  const { port } = broker;
  let brokerIsDown = false;
  const workers = new Set();
  const callers = new Set();
  const kernels = new Set();
  process.once("exit", () => {
    for (const { child } of callers) child.kill("SIGKILL");
  });
  let longestMs = 0;

  async function startWorker() {
    const way = await wayTo(port);
    const [command, ...args] = [
      ...way.prefix,
      ...workerCommand(way.url, "--capacity", "machines=20,reserve=64M"),
    ];
    let started;
    while (started === undefined) {
      started = await workerBy(command, args).catch((error) => {
        // The broker is down: whoever keeps workers (systemd, Kubernetes) starts it again.
        if (!String(error).includes("ERR_SECURE_EXEC_FLEET_UNREACHABLE")) throw error;
        count("worker without a broker");
      });
    }
    const one = { ...started, way };
    workers.add(one);
    for (const pid of kernelsOf(started.pid)) kernels.add(pid);
    return one;
  }

  async function startCaller() {
    const way = await wayTo(port);
    const self = [process.execPath, fileURLToPath(import.meta.url), "--caller", way.url];
    const [command, ...args] = [...way.prefix, ...self, "--seed", String(below(1e6))];
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
    const one = { child, way };
    callers.add(one);
    createInterface({ input: child.stdout }).on("line", (text) => {
      let said;
      try {
        said = JSON.parse(text);
      } catch {
        // Cut off where it was killed.
        return;
      }
      counts.settled++;
      longestMs = Math.max(longestMs, said.ms ?? 0);
      if (
        said.twice !== undefined ||
        said.right === false ||
        said.code === "none" ||
        said.code === "ERR_SECURE_EXEC_INTERNAL"
      ) {
        problems.push(said);
        console.error("PROBLEM", JSON.stringify(said).slice(0, 2000));
      } else if (said.right === true) counts.right++;
      else {
        counts.coded++;
        codes.set(said.code, (codes.get(said.code) ?? 0) + 1);
      }
    });
    return one;
  }

  await Promise.all(Array.from({ length: Number(given.workers) }, startWorker));
  await Promise.all(Array.from({ length: Number(given.callers) }, startCaller));
  const stop = async (name, pid, ms) => {
    count(`${name} stopped`);
    // Somebody may have killed it meanwhile.
    const signal = (what) => alive(pid) && process.kill(pid, what);
    signal("SIGSTOP");
    await pause(ms);
    signal("SIGCONT");
  };
  const lost = async (name, one, ms) => {
    const { way } = one;
    count(`${name}'s packets lost`);
    way.lose(true);
    await pause(ms);
    // It may have ended meanwhile, and its link with it.
    if (workers.has(one) || callers.has(one)) way.lose(false);
  };
  const still = async (name, { way }, ms) => {
    count(`${name} cut off`);
    way.freeze(true);
    await pause(ms);
    way.freeze(false);
  };
  /** Shorter and longer than the lease. */
  const someMs = () => (random() < 0.5 ? below(leaseMs / 2) : leaseMs + below(leaseMs * 2));
  const acts = [
    async () => {
      count("worker killed");
      const one = pick([...workers]);
      workers.delete(one);
      await one.stop();
      one.way.close();
      await startWorker();
    },
    async () => {
      count("caller killed");
      const one = pick([...callers]);
      callers.delete(one);
      one.child.kill("SIGKILL");
      await once(one.child, "exit");
      one.way.close();
      await startCaller();
    },
    async () => {
      // There is one port: the other line's broker is not started again twice.
      if (brokerIsDown) return;
      brokerIsDown = true;
      count("broker killed");
      await broker.stop();
      await pause(below(leaseMs / 2));
      broker = await natsServer({ port });
      brokerIsDown = false;
    },
    ...(broker.jetstream
      ? [
          async () => {
            count("store emptied");
            const store = await operator(broker.url).catch(() => undefined);
            await store?.api(pick(["STREAM.PURGE", "STREAM.DELETE"])).catch(() => undefined);
            await store?.close();
          },
        ]
      : []),
    () => stop("worker", pick([...workers]).pid, someMs()),
    () => stop("caller", pick([...callers]).child.pid, someMs()),
    () => stop("broker", broker.pid, below(leaseMs * 1.5)),
    () => still("worker", pick([...workers]), someMs()),
    () => still("caller", pick([...callers]), someMs()),
    ...(noNetwork === undefined
      ? [
          () => lost("worker", pick([...workers]), someMs()),
          () => lost("caller", pick([...callers]), someMs()),
        ]
      : []),
    async () => {
      count("connection cut");
      pick([...workers, ...callers]).way.cut();
    },
    async () => {
      count("worker drained");
      const one = pick([...workers]);
      workers.delete(one);
      await startWorker();
      one.kill("SIGTERM");
      const gone = one.ended().then(() => one.way.close());
      await Promise.race([gone, pause(10_000)]);
      if (callers.size === 0) await gone;
      else void gone.catch(() => {});
    },
  ];
  const until = performance.now() + Number(given.seconds) * 1000;
  // Two at a time: what one breaks, the other meets broken.
  const line = async () => {
    while (performance.now() < until) {
      await pause(below(1500));
      await pick(acts)();
    }
  };
  await Promise.all([line(), line()]);
  for (const { child, way } of callers) {
    child.kill("SIGKILL");
    await once(child, "exit");
    way.close();
  }
  // No caller is left: after the leases nothing of them may be.
  const boundMs = performance.now() + leaseMs + slackMs;
  const left = async () => (await status(broker.url)).filter(({ state }) => state !== "draining");
  for (;;) {
    const listed = await left();
    if (listed.length === workers.size && listed.every(({ vms }) => vms === 0)) break;
    if (performance.now() > boundMs) {
      problems.push({ left: listed });
      break;
    }
  }
  const mine = new Set([...workers].flatMap(({ pid }) => kernelsOf(pid)));
  for (const one of workers) {
    for (const kernel of kernelsOf(one.pid)) {
      // Zygote below the kernel, guests below the zygote: only those that wait for a program are left.
      const guests = kernelsOf(kernel).flatMap((zygote) => kernelsOf(zygote));
      if (guests.length > 40) problems.push({ guests: guests.length });
    }
  }
  for (const pid of kernels) {
    if (mine.has(pid)) continue;
    let name = "";
    try {
      name = readFileSync(`/proc/${pid}/cmdline`, "latin1");
    } catch {
      continue;
    }
    if (name.startsWith("secure-exec-kernel")) problems.push({ orphan: pid });
  }
  for (const one of workers) {
    await one.stop("SIGTERM");
    one.way.close();
  }
  await broker.stop();
  console.log(
    `seed ${given.seed}, ${given.seconds} s, ${given.workers} workers, ${given.callers} callers, ` +
      (noNetwork ?? "each in a network namespace"),
  );
  console.log("faults:", Object.fromEntries(faults));
  console.log(
    "calls:",
    counts,
    "codes:",
    Object.fromEntries(codes),
    `longest ${Math.round(longestMs)} ms`,
  );
  for (const one of problems) console.log("problem:", JSON.stringify(one).slice(0, 2000));
  console.log(`${problems.length} problems`);
  process.exit(problems.length === 0 ? 0 : 1);
}
