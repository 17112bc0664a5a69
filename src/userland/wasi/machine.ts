/**
 * Serves the imports about the program and the machine: arguments, environment,
 * clocks, randomness, waiting, the end; and sockets, of which there are none.
 * Untrusted: every argument.
 */
import { Clock, EventType, FileType, Right, WasiErrno, WasiError, errnoOf } from "./abi.js";
import type { ImportTable, WasiContext } from "./context.js";
import type { OpenFile } from "./descriptors.js";
import { wasiLimits } from "./limits.js";

const millisecondNs = 1_000_000n;
const absoluteTime = 1;
/** Subscription and event records; witx: `subscription`, `event`. */
const subscriptionBytes = 48;
const eventBytes = 32;

interface Event {
  userdata: bigint;
  errno: number;
  type: number;
  bytes: bigint;
}

export function machineImports(context: WasiContext): ImportTable {
  const { memory, descriptors, system, args, env } = context;

  const sizes = (texts: readonly Uint8Array[], countPointer: number, sizePointer: number): void => {
    memory.setU32(countPointer, texts.length);
    memory.setU32(
      sizePointer,
      texts.reduce((size, text) => size + text.byteLength + 1, 0),
    );
  };
  const copy = (texts: readonly Uint8Array[], pointers: number, buffer: number): void => {
    let at = buffer >>> 0;
    texts.forEach((text, index) => {
      memory.setU32((pointers >>> 0) + index * 4, at);
      memory.set(at, text);
      memory.setU8(at + text.byteLength, 0);
      at += text.byteLength + 1;
    });
  };

  const now = (clock: number): bigint => {
    switch (clock) {
      case Clock.realtime:
        return system.realtimeNs();
      case Clock.monotonic:
        return system.monotonicNs();
      case Clock.processCpu:
      case Clock.threadCpu:
        return system.cpuNs();
      default:
        throw new WasiError(WasiErrno.EINVAL);
    }
  };

  /** What an event about a descriptor says: Node's descriptors can always be tried. */
  const readiness = (fd: number, type: number): Pick<Event, "errno" | "bytes"> => {
    let file: OpenFile;
    try {
      const right = type === EventType.fdRead ? Right.fdRead : Right.fdWrite;
      file = descriptors.get(fd, right | Right.pollFdReadwrite);
      if (type === EventType.fdWrite || file.type !== FileType.file) return { errno: 0, bytes: 1n };
      const left = system.fs.fstatSync(file.fd, { bigint: true }).size - file.position;
      return { errno: 0, bytes: left > 0n ? left : 0n };
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === undefined) throw error;
      return { errno, bytes: 0n };
    }
  };

  const poll_oneoff = (from: number, to: number, count: number, result: number): void => {
    const subscriptions = count >>> 0;
    if (subscriptions === 0 || subscriptions > wasiLimits.subscriptions)
      throw new WasiError(WasiErrno.EINVAL);
    memory.bytes(from, subscriptions * subscriptionBytes);
    memory.bytes(to, subscriptions * eventBytes);
    const events: Event[] = [];
    /** Of clocks: how long from now. */
    const timers: { userdata: bigint; leftNs: bigint }[] = [];
    for (let index = 0; index < subscriptions; index++) {
      const at = (from >>> 0) + index * subscriptionBytes;
      const userdata = memory.u64(at);
      const type = memory.u8(at + 8);
      if (type === EventType.clock) {
        const clock = memory.u32(at + 16);
        const timeoutNs = memory.u64(at + 24);
        const absolute = (memory.u16(at + 40) & absoluteTime) !== 0;
        if (clock !== Clock.realtime && clock !== Clock.monotonic)
          events.push({ userdata, errno: WasiErrno.ENOTSUP, type, bytes: 0n });
        else timers.push({ userdata, leftNs: absolute ? timeoutNs - now(clock) : timeoutNs });
      } else if (type === EventType.fdRead || type === EventType.fdWrite) {
        events.push({ userdata, type, ...readiness(memory.u32(at + 16), type) });
      } else {
        throw new WasiError(WasiErrno.EINVAL);
      }
    }
    if (events.length === 0) {
      const leastNs = timers.reduce(
        (least, { leftNs }) => (leftNs < least ? leftNs : least),
        timers[0]!.leftNs,
      );
      if (leastNs > 0n) system.sleep(Number(leastNs) / Number(millisecondNs));
      for (const { userdata, leftNs } of timers) {
        if (leftNs <= leastNs || leftNs <= 0n)
          events.push({ userdata, errno: 0, type: EventType.clock, bytes: 0n });
      }
    } else {
      for (const { userdata, leftNs } of timers) {
        if (leftNs <= 0n) events.push({ userdata, errno: 0, type: EventType.clock, bytes: 0n });
      }
    }
    events.forEach((event, index) => {
      const record = new Uint8Array(eventBytes);
      const view = new DataView(record.buffer);
      view.setBigUint64(0, event.userdata, true);
      view.setUint16(8, event.errno, true);
      view.setUint8(10, event.type);
      view.setBigUint64(16, event.bytes, true);
      memory.set((to >>> 0) + index * eventBytes, record);
    });
    memory.setU32(result, events.length);
  };

  const socket = (fd: number): never => {
    const { type } = descriptors.get(fd, Right.none);
    throw new WasiError(
      type === FileType.file || type === FileType.directory
        ? WasiErrno.ENOTSOCK
        : WasiErrno.ENOTSUP,
    );
  };

  return {
    args_sizes_get: (count: number, size: number) => sizes(args, count, size),
    args_get: (pointers: number, buffer: number) => copy(args, pointers, buffer),
    environ_sizes_get: (count: number, size: number) => sizes(env, count, size),
    environ_get: (pointers: number, buffer: number) => copy(env, pointers, buffer),

    clock_res_get(clock: number, result: number) {
      if (clock < Clock.realtime || clock > Clock.threadCpu) throw new WasiError(WasiErrno.EINVAL);
      const resolution = { [Clock.realtime]: millisecondNs, [Clock.monotonic]: 1n }[clock] ?? 1000n;
      memory.setU64(result, resolution);
    },
    clock_time_get(clock: number, _precision: bigint, result: number) {
      memory.setU64(result, now(clock));
    },
    random_get(pointer: number, size: number) {
      const bytes = memory.bytes(pointer, size);
      for (let at = 0; at < bytes.byteLength; at += wasiLimits.randomBytes)
        system.fillRandom(bytes.subarray(at, at + wasiLimits.randomBytes));
    },
    poll_oneoff,
    sched_yield: () => undefined,
    proc_exit(code: number) {
      system.exit(code);
    },
    proc_raise(signal: number) {
      system.raise(signal);
    },

    sock_accept: socket,
    sock_recv: socket,
    sock_send: socket,
    sock_shutdown: socket,
  };
}
