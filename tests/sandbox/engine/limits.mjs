import * as libc from "../../../dist/sandbox/libc.js";
import * as rlimits from "../../../dist/sandbox/rlimits.js";
import { inGuest } from "./native.mjs";

libc.setParentDeathSignal(libc.SIGKILL);
const MiB = 2 ** 20;
const prepare = () => rlimits.applyRlimits({ memoryBytes: 64 * MiB, cpuSeconds: 1.5 });
const quiet = (cpuSeconds) => () => {
  const [, end] = libc.pipe2(0);
  libc.dup2(end, 2);
  rlimits.applyRlimits({ memoryBytes: 64 * MiB, cpuSeconds });
};
const names = ["CPU", ...rlimits.LOCK_DOWN.map(({ name }) => name)];
const allocate = (size) => {
  try {
    new Uint8Array(size).fill(1);
    return "ok";
  } catch (error) {
    return error.name;
  }
};

const result = {
  stack: libc.getrlimit(rlimits.RLIMIT_STACK),
  set: inGuest(
    () => {
      const base = dataBefore;
      const data = libc.getrlimit(rlimits.RLIMIT_DATA);
      return {
        limits: Object.fromEntries(
          names.map((name) => [name, libc.getrlimit(rlimits[`RLIMIT_${name}`])]),
        ),
        stack: libc.getrlimit(rlimits.RLIMIT_STACK),
        data: data.soft === data.hard && Math.abs(data.soft - base - 64 * MiB) < 4 * MiB,
      };
    },
    { prepare: () => ((globalThis.dataBefore = rlimits.ownDataBytes()), prepare()) },
  ),
  under: inGuest(() => allocate(32 * MiB), { prepare }),
  over: inGuest(() => allocate(128 * MiB), { prepare }),
  heap: inGuest(
    () => {
      const kept = [];
      for (;;) kept.push(Array.from({ length: 1e5 }, () => kept.length));
    },
    { prepare: quiet(60) },
  ),
  cpu: inGuest(
    () => {
      for (;;);
    },
    { prepare: quiet(1) },
  ),
};
console.log(JSON.stringify(result));
libc._exit(0);
