/**
 * Owns what single steps of the kernel cost, measured without a machine: run by the pinned engine, as the kernel is,
 * it prints microseconds of the thread's CPU as JSON. Steps of a tenth of a microsecond do not show in whole programs.
 */
import { FileSystem } from "../dist/kernel/fs/index.js";
import { Transit } from "../dist/kernel/io/transit.js";
import { Account } from "../dist/kernel/machine/account.js";
import { epochMs } from "../dist/kernel/machine/clock.js";
import { MachineObserver } from "../dist/kernel/machine/observer.js";
import { Policy } from "../dist/kernel/policy/policy.js";
import { Bill } from "../dist/kernel/process/bill.js";
import { noLimit } from "../dist/abi/resources.js";
import { DescriptorTable } from "../dist/kernel/process/descriptors.js";
import { peakMemoryOf } from "../dist/kernel/process/usage.js";
import { answer } from "../dist/kernel/syscalls/dispatch.js";
import { threadCpuMs } from "../dist/sandbox/libc.js";
import { percentile } from "./measure.mjs";

const rounds = 40;
const warmUp = 6;
const scopes = ["fs", "network", "childProcess", "process", "env", "tool"];
const everything = Object.fromEntries(scopes.map((scope) => [scope, "allow"]));

/** A process that may do everything, whose decisions are kept or not. */
function caller(all) {
  const account = new Account();
  // As in the kernel, where a frame's time is known when its decisions are made.
  const now = performance.now();
  const observer = new MachineObserver(
    { entries: 1000, all, stream: false },
    "enforce",
    () => {},
    () => epochMs(now),
  );
  const fs = new FileSystem();
  return {
    pid: 7,
    argv: ["node"],
    fs,
    account,
    vm: { transit: new Transit(account) },
    credentials: { uid: 0, gid: 0, umask: 0o022, cwd: "/" },
    policy: new Policy(everything, () => {}, { observer }),
    descriptors: new DescriptorTable(64),
    fileBytes: noLimit,
    bill: new Bill(),
    openTerminal: () => undefined,
  };
}

/** Names as long as those of programs, each a text of its own as in frames. */
const names = Array.from({ length: 64 }, (_, at) => `/etc/of-a-usual-length-${at}`);
const stat = (of) => (at) =>
  answer(of, { name: "stat", args: { path: names[at % names.length], follow: true } });
const data = Buffer.alloc(2000, "x");
const createTruncated = 0o1101;
const file = (of) => (at) => {
  const path = `/f${at % 100}`;
  const args = { path, data, flags: createTruncated, mode: 0o644, more: false };
  answer(of, { name: "writeFile", args });
  answer(of, { name: "readFile", args: { path, flags: 0 } });
};
const bill = new Bill(new Bill());

/** Each is called so many times a round; all of them take turns. */
const steps = {
  statUs: { times: 10_000, step: stat(caller(false)) },
  auditedStatUs: { times: 10_000, step: stat(caller(true)) },
  fileUs: { times: 2000, step: file(caller(false)) },
  auditedFileUs: { times: 2000, step: file(caller(true)) },
  billedUs: { times: 100_000, step: () => bill.served(0.01, 1) },
  peakMemoryUs: { times: 200, step: () => peakMemoryOf(process.pid) },
};
const samples = Object.fromEntries(Object.keys(steps).map((name) => [name, []]));
for (let round = -warmUp; round < rounds; round++) {
  for (const [name, { times, step }] of Object.entries(steps)) {
    const before = threadCpuMs();
    for (let at = 0; at < times; at++) step(at);
    const tookUs = ((threadCpuMs() - before) * 1000) / times;
    if (round >= 0) samples[name].push(tookUs);
  }
}
console.log(
  JSON.stringify(
    Object.fromEntries(Object.entries(samples).map(([name, all]) => [name, percentile(all, 0.5)])),
  ),
);
