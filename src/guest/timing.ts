/**
 * Owns coarse and frozen clocks: every way JavaScript has of asking for the time
 * answers in steps of a millisecond, or always the same. Timers keep running.
 *
 * It makes timing attacks harder, and protects nothing: a program can count.
 */
import type { Timing } from "../protocol/platforms.js";

const { apply, construct } = Reflect;

export function installTiming(timing: Exclude<Timing, "normal">): void {
  const NativeDate = Date;
  const nativeNow = Date.now;
  const { performance } = globalThis;
  const prototype = Object.getPrototypeOf(performance) as { now(): number };
  const nativeElapsed = prototype.now;
  const nativeBigint = process.hrtime.bigint;

  const frozen = timing === "frozen";
  const frozenNow = nativeNow();
  const frozenElapsed = Math.floor(apply(nativeElapsed, performance, []) as number);
  const inMilliseconds = (exact: bigint): bigint => exact - (exact % 1_000_000n);
  const frozenNs = inMilliseconds(nativeBigint());

  /** Milliseconds since the epoch. */
  const now = (): number => (frozen ? frozenNow : nativeNow());
  /** Nanoseconds of the monotonic clock. */
  const nanoseconds = (): bigint => (frozen ? frozenNs : inMilliseconds(nativeBigint()));
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

  replace(prototype, "now", function (this: unknown): number {
    return frozen ? frozenElapsed : Math.floor(apply(nativeElapsed, this, []) as number);
  });
  const hrtime = Object.assign(
    (previous?: [number, number]): [number, number] => {
      const time = nanoseconds();
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
    { bigint: nanoseconds },
  );
  replace(process, "hrtime", hrtime);
  const uptime = process.uptime;
  const frozenUptime = Math.floor(uptime() * 1000) / 1000;
  replace(process, "uptime", () =>
    frozen ? frozenUptime : Math.floor(uptime.call(process) * 1000) / 1000,
  );
  replaceTemporal(now, replace);
}

/** `Temporal.Now`, from the same clock. */
function replaceTemporal(
  now: () => number,
  replace: (target: object, name: string, value: Function) => void,
): void {
  const { Temporal } = globalThis as any;
  if (Temporal === undefined) return;
  const { Instant, Now } = Temporal;
  const instant = (): any => Instant.fromEpochMilliseconds(now());
  const zoned = (zone?: unknown): any => instant().toZonedDateTimeISO(zone ?? Now.timeZoneId());
  replace(Now, "instant", instant);
  replace(Now, "zonedDateTimeISO", zoned);
  replace(Now, "plainDateTimeISO", (zone?: unknown) => zoned(zone).toPlainDateTime());
  replace(Now, "plainDateISO", (zone?: unknown) => zoned(zone).toPlainDate());
  replace(Now, "plainTimeISO", (zone?: unknown) => zoned(zone).toPlainTime());
}
