/**
 * Owns every way JavaScript has of asking for the time: what they answer when the host chose coarse or
 * frozen clocks (steps of a millisecond, or always the same; timers keep running), or a clock of ours.
 *
 * It makes timing attacks harder, and protects nothing: a program can count.
 */
import type { Timing } from "../protocol/platforms.js";

const { apply, construct } = Reflect;

/** Where the time comes from. */
export interface Clocks {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Milliseconds since the process started. */
  elapsedMs(): number;
  /** Nanoseconds of the monotonic clock. */
  nanoseconds(): bigint;
  /** Since the process started. */
  uptimeSeconds(): number;
}

export function installTiming(timing: Exclude<Timing, "normal">): void {
  replaceClocks(timing === "frozen" ? frozenClocks() : coarseClocks());
}

const inMilliseconds = (exact: bigint): bigint => exact - (exact % 1_000_000n);

function nativeClocks(): Clocks {
  const { performance } = globalThis;
  const { now: elapsed } = Object.getPrototypeOf(performance) as { now(): number };
  const { uptime } = process;
  return {
    now: Date.now,
    elapsedMs: () => apply(elapsed, performance, []) as number,
    nanoseconds: process.hrtime.bigint,
    uptimeSeconds: () => uptime.call(process),
  };
}

function coarseClocks(): Clocks {
  const native = nativeClocks();
  return {
    now: native.now,
    elapsedMs: () => Math.floor(native.elapsedMs()),
    nanoseconds: () => inMilliseconds(native.nanoseconds()),
    uptimeSeconds: () => Math.floor(native.uptimeSeconds() * 1000) / 1000,
  };
}

function frozenClocks(): Clocks {
  const coarse = coarseClocks();
  const now = coarse.now();
  const elapsedMs = coarse.elapsedMs();
  const nanoseconds = coarse.nanoseconds();
  const uptimeSeconds = coarse.uptimeSeconds();
  return {
    now: () => now,
    elapsedMs: () => elapsedMs,
    nanoseconds: () => nanoseconds,
    uptimeSeconds: () => uptimeSeconds,
  };
}

export function replaceClocks(clocks: Clocks): void {
  const NativeDate = Date;
  const prototype = Object.getPrototypeOf(globalThis.performance) as { now(): number };
  const now = (): number => clocks.now();
  const replace = (target: object, name: string, value: Function): void => {
    Object.defineProperty(value, "name", { value: name, configurable: true });
    Object.defineProperty(target, name, {
      ...Object.getOwnPropertyDescriptor(target, name),
      value,
    });
  };

  replace(NativeDate, "now", () => now());
  const OwnDate = new Proxy(NativeDate, {
    construct: (target, args, newTarget) =>
      construct(target, args.length === 0 ? [now()] : args, newTarget) as object,
    apply: () => new NativeDate(now()).toString(),
  });
  Object.defineProperty(NativeDate.prototype, "constructor", {
    value: OwnDate,
    writable: true,
    configurable: true,
  });
  Object.defineProperty(globalThis, "Date", {
    value: OwnDate,
    writable: true,
    configurable: true,
    enumerable: false,
  });

  replace(prototype, "now", () => clocks.elapsedMs());
  const hrtime = Object.assign(
    (previous?: [number, number]): [number, number] => {
      const time = clocks.nanoseconds();
      let seconds = Number(time / 1_000_000_000n);
      let rest = Number(time % 1_000_000_000n);
      if (previous !== undefined) {
        seconds -= previous[0];
        rest -= previous[1];
        if (rest < 0) {
          seconds--;
          rest += 1_000_000_000;
        }
      }
      return [seconds, rest];
    },
    { bigint: () => clocks.nanoseconds() },
  );
  replace(process, "hrtime", hrtime);
  replace(process, "uptime", () => clocks.uptimeSeconds());
  replaceTemporal(now, replace);
}

/** What is used of Temporal, for which the compiler has no types yet. */
interface ZonedDateTime {
  toPlainDateTime(): unknown;
  toPlainDate(): unknown;
  toPlainTime(): unknown;
}
interface Instant {
  toZonedDateTimeISO(zone: unknown): ZonedDateTime;
}
interface TemporalNames {
  Instant: { fromEpochMilliseconds(milliseconds: number): Instant };
  Now: { timeZoneId(): string };
}

/** `Temporal.Now`, from the same clock. */
function replaceTemporal(
  now: () => number,
  replace: (target: object, name: string, value: Function) => void,
): void {
  const { Temporal } = globalThis as unknown as { Temporal?: TemporalNames };
  if (Temporal === undefined) return;
  const { Instant, Now } = Temporal;
  const instant = (): Instant => Instant.fromEpochMilliseconds(now());
  const zoned = (zone?: unknown): ZonedDateTime =>
    instant().toZonedDateTimeISO(zone ?? Now.timeZoneId());
  replace(Now, "instant", instant);
  replace(Now, "zonedDateTimeISO", zoned);
  replace(Now, "plainDateTimeISO", (zone?: unknown) => zoned(zone).toPlainDateTime());
  replace(Now, "plainDateISO", (zone?: unknown) => zoned(zone).toPlainDate());
  replace(Now, "plainTimeISO", (zone?: unknown) => zoned(zone).toPlainTime());
}
