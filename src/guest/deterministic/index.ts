/**
 * Owns what makes a run deterministic in the guest: its clock, its randomness, the order of its turns, and
 * what the engine would tell of itself. Called before the process knows who it is, so that
 * everything which counts from the start counts by the run's clock.
 *
 * Nothing here protects anything. That there is one process with one thread is the kernel's to say.
 */
import type { StartOptions } from "../../protocol/guest-calls.js";
import { EngineClock } from "../../sandbox/engine-clock.js";
import { _exit } from "../../sandbox/libc.js";
import type { Channel } from "../channel.js";
import type { EngineTools } from "../environment.js";
import { replaceClocks } from "../timing.js";
import { RunClock } from "./clock.js";
import { RunLoop } from "./loop.js";
import { OtherThreads } from "./other-threads.js";
import { replaceRandomness } from "./random.js";

type Deterministic = NonNullable<StartOptions["deterministic"]>;

/** What a process reports to have used; a plain Node's order of size. */
const memory = { rss: 48, heapTotal: 6, heapUsed: 4, external: 2, arrayBuffers: 0 };
const megabyte = 1024 * 1024;

export function beginDeterministic(
  tools: EngineTools,
  channel: Channel,
  { seed, startTimeMs }: Deterministic,
): RunLoop {
  const threads = new OtherThreads(tools);
  const clock = clockOf(tools, channel, startTimeMs);
  replaceRandomness(tools, seed);
  replaceClocks(clock);
  replaceWaiting(clock);
  replaceMeasures(clock);
  channel.tellsTime(() => clock.epochMs);
  const loop = new RunLoop(tools, clock, channel, threads);
  loop.begin();
  return loop;
}

function clockOf(tools: EngineTools, channel: Channel, startTimeMs: number): RunClock {
  const { now } = tools.internalBinding("performance") as { now(): number };
  const engine = EngineClock.install();
  if (typeof engine === "string") {
    // A run whose time is partly the host's would only look like what was asked for.
    channel.writeErrorReport(`ERR_SECURE_EXEC_DETERMINISTIC: ${engine}\n`);
    channel.event("exit", { code: 1, again: false });
    return _exit(1);
  }
  // It stands still: both are of the same moment.
  const engineOriginNs = process.hrtime.bigint() - BigInt(Math.round(now() * 1e6));
  return new RunClock(startTimeMs, engine, engineOriginNs);
}

/** There is no other thread that could wake this one: all it can wait for is the time. */
function replaceWaiting(clock: RunClock): void {
  const { wait } = Atomics;
  const value = (
    array: Int32Array,
    index: number,
    expected: number,
    timeout: number = Infinity,
  ): "ok" | "not-equal" | "timed-out" => {
    const milliseconds = Number.isNaN(Number(timeout)) ? Infinity : Number(timeout);
    if (milliseconds === Infinity) return wait(array, index, expected);
    const answer = wait(array, index, expected, 0);
    if (answer === "timed-out") clock.sleep(milliseconds);
    return answer;
  };
  Object.defineProperty(value, "name", { value: "wait", configurable: true });
  Object.defineProperty(Atomics, "wait", {
    ...Object.getOwnPropertyDescriptor(Atomics, "wait"),
    value,
  });
}

/** What a program can ask about its own use of the machine, which no two runs have alike. */
function replaceMeasures(clock: RunClock): void {
  const cpuUsage = (previous?: NodeJS.CpuUsage): NodeJS.CpuUsage => ({
    user: Math.floor(clock.elapsedMs() * 1000) - (previous?.user ?? 0),
    system: 0 - (previous?.system ?? 0),
  });
  const sizes = Object.entries(memory).map(([name, size]) => [name, size * megabyte]);
  const memoryUsage = Object.assign(() => Object.fromEntries(sizes), {
    rss: () => memory.rss * megabyte,
  });
  const resourceUsage = (): object => ({
    userCPUTime: cpuUsage().user,
    systemCPUTime: 0,
    maxRSS: memory.rss * 1024,
    ...Object.fromEntries(unmeasured.map((name) => [name, 0])),
  });
  for (const [name, value] of Object.entries({ cpuUsage, memoryUsage, resourceUsage })) {
    Object.defineProperty(value, "name", { value: name, configurable: true });
    Object.defineProperty(process, name, {
      ...Object.getOwnPropertyDescriptor(process, name),
      value,
    });
  }
}

const unmeasured = [
  "sharedMemorySize",
  "unsharedDataSize",
  "unsharedStackSize",
  "minorPageFault",
  "majorPageFault",
  "swappedOut",
  "fsRead",
  "fsWrite",
  "ipcSent",
  "ipcReceived",
  "signalsCount",
  "voluntaryContextSwitches",
  "involuntaryContextSwitches",
];
