// System calls with any arguments through real guests, as native code makes them. What must hold: the run ends
// with its own exit code or a code of the table, the neighbour answers, and the kernel does not grow without end.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { guestCalls, guestEvents } from "../../dist/protocol/guest-calls.js";
import { buildWithNatives } from "../support/natives.mjs";
import { tree } from "../support/processes.mjs";
import { Random } from "./random.mjs";
import { valueOf } from "./targets.mjs";

const callsPerGuest = 1500;
const growthMiB = 128;
/** What ends the guest itself or the run's meaning. */
const left = new Set([
  "exit",
  "uncaught",
  "ready",
  "residentDone",
  "returnValue",
  "returnFailure",
  "threadSocket",
  "awaitFork",
  "ownEngine",
  "execve",
  "templateReady",
]);
const residentMiB = (pid) =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "latin1"))[1]) / 1024;

const program = (seed) => `
  const { channel } = globalThis.__natives;
  ${Random.toString()}
  const words = ["", "/", "/tmp", "/tmp/a", "../..", "é", "\\0", "__proto__", "/proc/self/environ", "/dev/zero", "x".repeat(300)];
  const numbers = [0, 1, -1, 7, 255, 65_536, 2 ** 31, -(2 ** 31), 2 ** 53, NaN, Infinity, 0.5];
  ${valueOf.toString()}
  const random = new Random(${seed});
  const rows = ${JSON.stringify(
    [
      ...Object.entries(guestCalls).map(([name, { args }]) => [true, name, args]),
      ...Object.entries(guestEvents).map(([name, { args }]) => [false, name, args]),
    ].filter(([, name]) => !left.has(String(name))),
  )};
  for (let at = 0; at < ${callsPerGuest}; at++) {
    const [isCall, name, schema] = random.pick(rows);
    const args = Object.fromEntries(Object.entries(schema).map(([key, type]) => [key, valueOf(random, type)]));
    if (name === "kill") args.pid = 99_999;
    // What no honest guest sends ends it: most of the time what the next rows do is more interesting.
    if (name === "output" && at % 700 !== 0) args.fd = 1 + (args.fd & 1);
    if (name === "printed" && at % 700 !== 0) args.bytes = 0;
    if (name === "writeOn" && at % 700 !== 0) args.data = new Uint8Array(0);
    if (name === "signalHandler" && at % 700 !== 0) args.signal = 1 + (args.signal & 31);
    if (name !== "output" && args.fd >= 0 && args.fd < 3 && at % 100 !== 99) args.fd += 3;
    if (name === "flowOpen") args.flow = 1000 + at;
    else if ("flow" in args) args.flow = 1000 + random.below(at + 1);
    if (name === "waitReadable") args.timeoutMs %= 20;
    if (isCall) channel.callAsync(name, args, () => undefined);
    else channel.event(name, args);
    if (at % 50 === 0) await new Promise(setImmediate);
  }
  setTimeout(() => process.exit(0), 50);`;

/** Runs until `until`; answers how many calls the kernel counted of guests that it did not end. */
export async function calls(random, until) {
  const { NodeRuntime } = await import(buildWithNatives());
  const neighbour = await NodeRuntime.create();
  await neighbour.exec("");
  const before = residentMiB(tree().kernel);
  let executions = 0;
  const ends = new Map();
  do {
    const seed = random.next();
    const rt = await NodeRuntime.create({
      tools: { t: { handler: () => 1 } },
      limits: { processes: 16, wallTimeMs: 2000 },
    });
    let made = 0;
    const end = await rt.exec(program(seed), { timeout: 25_000 }).then(
      ({ exitCode, usage }) => {
        made = usage.systemCalls;
        return `exit ${exitCode}`;
      },
      (error) => `${error.code ?? error} ${error.message}`,
    );
    ends.set(end.slice(0, 90), (ends.get(end.slice(0, 90)) ?? 0) + 1);
    await rt.dispose();
    const found = `seed ${seed}: ${end}`;
    assert.match(end, /^(exit 0$|exit 1\d\d|ERR_SECURE_EXEC_(?!INTERNAL|KERNEL)\w+ )/, found);
    assert.equal((await neighbour.run("__return(7)")).value, 7, found);
    assert.ok(residentMiB(tree().kernel) - before < growthMiB, found);
    executions += made;
  } while (performance.now() < until);
  await neighbour.dispose();
  return { executions, note: [...ends].map(([end, count]) => `${count} × ${end}`).join(", ") };
}
