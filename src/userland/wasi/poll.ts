/**
 * Serves poll_oneoff: waiting for clocks, and for descriptors, which never make
 * one wait.
 * Untrusted: every argument, and the subscriptions in the module's memory.
 */
import { Clock, EventType, FileType, Right, WasiErrno, WasiError, errnoOf } from "./abi.js";
import { clockNs } from "./clocks.js";
import type { Import, WasiContext } from "./context.js";
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

interface Timer {
  userdata: bigint;
  /** How long from now. */
  leftNs: bigint;
}

interface Subscriptions {
  /** Of what can be told at once. */
  events: Event[];
  timers: Timer[];
}

export function pollImport(context: WasiContext): Import {
  const { memory, system } = context;
  return (from: number, to: number, count: number, result: number): void => {
    const subscriptions = count >>> 0;
    if (subscriptions === 0 || subscriptions > wasiLimits.subscriptions)
      throw new WasiError(WasiErrno.EINVAL);
    memory.bytes(from, subscriptions * subscriptionBytes);
    memory.bytes(to, subscriptions * eventBytes);
    const { events, timers } = readSubscriptions(context, from, subscriptions);
    // Without an event there is something to wait for: whatever is no timer has one.
    const dueNs = events.length > 0 ? 0n : least(timers);
    if (dueNs > 0n) system.sleep(Number(dueNs) / Number(millisecondNs));
    for (const { userdata, leftNs } of timers) {
      if (leftNs <= dueNs || leftNs <= 0n)
        events.push({ userdata, errno: 0, type: EventType.clock, bytes: 0n });
    }
    events.forEach((event, index) => memory.set((to >>> 0) + index * eventBytes, record(event)));
    memory.setU32(result, events.length);
  };
}

function least(timers: readonly Timer[]): bigint {
  return timers.reduce((least, { leftNs }) => (leftNs < least ? leftNs : least), timers[0]!.leftNs);
}

function readSubscriptions(context: WasiContext, from: number, count: number): Subscriptions {
  const { memory, system } = context;
  const events: Event[] = [];
  const timers: Timer[] = [];
  for (let index = 0; index < count; index++) {
    const at = (from >>> 0) + index * subscriptionBytes;
    const userdata = memory.u64(at);
    const type = memory.u8(at + 8);
    if (type === EventType.clock) {
      const clock = memory.u32(at + 16);
      const timeoutNs = memory.u64(at + 24);
      const absolute = (memory.u16(at + 40) & absoluteTime) !== 0;
      if (clock !== Clock.realtime && clock !== Clock.monotonic)
        events.push({ userdata, errno: WasiErrno.ENOTSUP, type, bytes: 0n });
      else {
        const leftNs = absolute ? timeoutNs - clockNs(system, clock) : timeoutNs;
        timers.push({ userdata, leftNs });
      }
    } else if (type === EventType.fdRead || type === EventType.fdWrite) {
      events.push({ userdata, type, ...readiness(context, memory.u32(at + 16), type) });
    } else {
      throw new WasiError(WasiErrno.EINVAL);
    }
  }
  return { events, timers };
}

/** What an event about a descriptor says: Node's descriptors can always be tried. */
function readiness(
  { descriptors, system }: WasiContext,
  fd: number,
  type: number,
): Pick<Event, "errno" | "bytes"> {
  try {
    const right = type === EventType.fdRead ? Right.fdRead : Right.fdWrite;
    const file = descriptors.get(fd, right | Right.pollFdReadwrite);
    if (type === EventType.fdWrite || file.type !== FileType.file) return { errno: 0, bytes: 1n };
    const left = system.fs.fstatSync(file.fd, { bigint: true }).size - file.position;
    return { errno: 0, bytes: left > 0n ? left : 0n };
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === undefined) throw error;
    return { errno, bytes: 0n };
  }
}

function record({ userdata, errno, type, bytes }: Event): Uint8Array {
  const record = new Uint8Array(eventBytes);
  const view = new DataView(record.buffer);
  view.setBigUint64(0, userdata, true);
  view.setUint16(8, errno, true);
  view.setUint8(10, type);
  view.setBigUint64(16, bytes, true);
  return record;
}
