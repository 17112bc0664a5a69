/**
 * Owns the thread in which one machine's tool inputs are judged when that may take
 * long: it is started when first needed, ended at a deadline, and when idle.
 *
 * Invariants: one input is judged at a time, in the order they came; a judgement over
 * its deadline, or a thread that fails, refuses; on a busy host the deadline is of the time that the
 * thread had a processor; waiting inputs whose call is over are
 * dropped; neither the thread nor its timers keep the host's process alive.
 * Untrusted: inputs, and so how long the thread takes and whether it answers.
 */
import { readFileSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { unjudged } from "./schema-validation.js";
import type { Violation } from "./schema-validation.js";

export interface JudgeQuestion {
  /** Stands for the schema. */
  key: number;
  /** When the thread has not seen it yet. */
  schema?: object;
  costly: boolean;
  json: Uint8Array;
}

export interface JudgeAnswer {
  /** Its number for Linux, if it knows it: that it is ready. */
  ready?: number;
  violation?: Violation | undefined;
}

/** For each of so many bytes that have begun, from the moment the thread has the input; honest ones take a tenth of it. */
const deadlineMs = 1000;
const deadlineBytes = 1024 * 1024;
/** How often it is looked anew where the thread had less of a processor than that. */
const mostLooks = 20;
const shortestLookMs = 50;
const startMs = 20_000;
const idleMs = 10_000;
/** Of the thread's heap: inputs are mostly 16 MiB of text at most. */
const heapMb = 512;

/** How long a thread of this process has had a processor, in milliseconds; NaN where Linux does not say. */
function ranMs(thread: number): number {
  try {
    const [nanoseconds] = readFileSync(`/proc/self/task/${thread}/schedstat`, "latin1").split(" ");
    return Number(nanoseconds) / 1e6;
  } catch {
    return Number.NaN;
  }
}

interface Waiting extends JudgeQuestion {
  schema: object;
  settle: (violation: Violation | undefined) => void;
}

export class SchemaJudge {
  readonly #keys = new WeakMap<object, number>();
  #nextKey = 0;
  readonly #waiting: Waiting[] = [];
  #thread: Worker | undefined;
  /** The thread's number, once it is ready. */
  #ready: number | undefined;
  readonly #ranMs: (thread: number) => number;
  /** Schemas that the thread has. */
  #known = new Set<number>();
  #current: Waiting | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(clock = ranMs) {
    this.#ranMs = clock;
  }

  /** What `json` violates of the schema. Never rejects; resolves at once when `signal` says that nobody waits. */
  violation(
    schema: object,
    costly: boolean,
    json: Uint8Array,
    signal: AbortSignal,
  ): Promise<Violation | undefined> {
    return new Promise((resolve) => {
      const key = this.#keys.get(schema) ?? this.#nextKey++;
      this.#keys.set(schema, key);
      const dropped = (): void => {
        const at = this.#waiting.indexOf(waiting);
        if (at !== -1) this.#waiting.splice(at, 1);
        waiting.settle(unjudged);
      };
      const settle = (violation: Violation | undefined): void => {
        signal.removeEventListener("abort", dropped);
        resolve(violation);
      };
      const waiting: Waiting = { key, schema, costly, json, settle };
      if (signal.aborted) return settle(unjudged);
      signal.addEventListener("abort", dropped);
      this.#waiting.push(waiting);
      this.#next();
    });
  }

  /** Ends the thread; whatever waits is refused. */
  close(): void {
    for (const { settle } of this.#waiting.splice(0)) settle(unjudged);
    this.#end(unjudged);
  }

  #next(): void {
    if (this.#current !== undefined || this.#waiting.length === 0) return;
    if (this.#thread === undefined) return this.#start();
    const thread = this.#ready;
    if (thread === undefined) return;
    const current = this.#waiting.shift()!;
    this.#current = current;
    const { key, schema, costly, json } = current;
    this.#thread.postMessage({
      key,
      ...(!this.#known.has(key) && { schema }),
      costly,
      json,
    } satisfies JudgeQuestion);
    this.#known.add(key);
    const mayMs = deadlineMs * Math.max(1, Math.ceil(json.byteLength / deadlineBytes));
    this.#within(thread, mayMs);
  }

  /** Refuses what is judged once the thread has worked for so long on it. */
  #within(thread: number, mayMs: number): void {
    const before = this.#ranMs(thread);
    let looks = 0;
    const look = (): void => {
      const leftMs = mayMs - (this.#ranMs(thread) - before);
      // NaN is not more.
      if (leftMs > 0 && ++looks < mostLooks) wait(Math.max(leftMs, shortestLookMs));
      else this.#fail({ path: "$", problem: `the tool's schema did not decide within ${mayMs}ms` });
    };
    const wait = (ms: number): void => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(look, ms).unref();
    };
    wait(mayMs);
  }

  #start(): void {
    const thread = new Worker(new URL("./schema-thread.js", import.meta.url), {
      name: "secure-exec schema",
      env: {},
      argv: [],
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: heapMb },
    });
    thread.unref();
    this.#thread = thread;
    clearTimeout(this.#timer);
    const failed = (): void => {
      if (this.#thread === thread) this.#fail(unjudged);
    };
    thread.on("message", (answer: JudgeAnswer) => {
      if (this.#thread === thread) this.#answered(answer);
    });
    // Out of memory, above all.
    thread.on("error", failed);
    thread.on("exit", failed);
    this.#timer = setTimeout(() => this.#fail(unjudged), startMs).unref();
  }

  #answered({ ready, violation }: JudgeAnswer): void {
    if (ready !== undefined) this.#ready = ready;
    const current = this.#current;
    this.#current = undefined;
    clearTimeout(this.#timer);
    current?.settle(violation);
    this.#next();
    if (this.#current === undefined)
      this.#timer = setTimeout(() => this.#end(unjudged), idleMs).unref();
  }

  /** Refuses what is judged, or when the thread did not even start, what waits for it. */
  #fail(violation: Violation): void {
    if (this.#ready === undefined)
      for (const { settle } of this.#waiting.splice(0)) settle(violation);
    this.#end(violation);
    this.#next();
  }

  #end(violation: Violation): void {
    clearTimeout(this.#timer);
    const thread = this.#thread;
    const current = this.#current;
    this.#thread = undefined;
    this.#current = undefined;
    this.#ready = undefined;
    this.#known = new Set();
    void thread?.terminate();
    current?.settle(violation);
  }
}
