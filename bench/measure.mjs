/**
 * Owns the timing helpers of the benchmark: clocks, percentiles, plain Node as the yardstick.
 */
import { spawnSync } from "node:child_process";
import { performance } from "node:perf_hooks";

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Milliseconds that `work` took. */
export async function timed(work) {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

export function percentile(samples, share) {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)];
}

export const summary = (samples) => ({
  p50: percentile(samples, 0.5),
  p95: percentile(samples, 0.95),
  samples: samples.length,
});

/** Runs `binary` with `args` to its end; throws unless it exits with 0. */
export function runPlain(binary, args) {
  const done = spawnSync(binary, args, { encoding: "utf8", timeout: 20_000 });
  if (done.error) throw done.error;
  if (done.status !== 0)
    throw new Error(`${binary} ended with ${done.status ?? done.signal}: ${done.stderr}`);
  return done.stdout;
}

/** Milliseconds of `binary -e 0`, from spawn to exit. */
export function startPlain(binary) {
  const startedAt = performance.now();
  runPlain(binary, ["-e", "0"]);
  return performance.now() - startedAt;
}

const callRounds = 50;
const callWarmUp = 5;

/** What `call`, which answers 42, takes, one after the other. */
export async function measuredCall(what, call) {
  const times = [];
  for (let round = 0; round < callRounds + callWarmUp; round++) {
    const ms = await timed(async () => {
      const value = await call();
      if (value !== 42)
        throw new Error(`a program answered ${JSON.stringify(value)} instead of 42`);
    });
    if (round >= callWarmUp) times.push(ms);
  }
  return { what, ...summary(times) };
}

/** The median, and between which samples it lies at 95 %: by their ranks, whatever their distribution. */
export function medianInterval(samples) {
  const sorted = samples.toSorted((a, b) => a - b);
  const { length } = sorted;
  const reach = 0.98 * Math.sqrt(length);
  return {
    median: percentile(samples, 0.5),
    low: sorted[Math.max(0, Math.floor(length / 2 - reach))],
    high: sorted[Math.min(length - 1, Math.ceil(length / 2 + reach))],
  };
}
