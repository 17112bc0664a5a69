/**
 * Owns the warnings of one machine: the host is told once when something comes to 80 % of its limit,
 * and again only after it was below half.
 *
 * Invariants: no timer while no process runs; a machine whose host does not listen has none of this.
 * What comes and goes between two looks, 100 ms apart and at each start and end of a process, is not seen.
 */
import type { LimitWarning } from "../../protocol/host-calls.js";
import type { VmLimitName } from "../../protocol/limits.js";

const warnShare = 0.8;
const rearmShare = 0.5;
const pauseMs = 100;

/** What something uses of one of its limits. */
export interface Measured {
  readonly limit: VmLimitName;
  readonly observed: number;
  /** 0 for none. */
  readonly capacity: number;
  /** Whose it is: the machine's, when left out. */
  readonly of?: { readonly key: object; readonly pid: number };
}

export class LimitWarnings {
  readonly #warn: (warning: LimitWarning) => void;
  readonly #measure: () => { readonly alive: boolean; readonly measured: Iterable<Measured> };
  /** Limits whose warning was given, by whose they are. */
  readonly #given = new WeakMap<object, Set<VmLimitName>>();
  #timer: NodeJS.Timeout | undefined;

  constructor(
    warn: (warning: LimitWarning) => void,
    measure: () => { readonly alive: boolean; readonly measured: Iterable<Measured> },
  ) {
    this.#warn = warn;
    this.#measure = measure;
  }

  look(): void {
    const { alive, measured } = this.#measure();
    if (alive) this.#timer ??= setInterval(() => this.look(), pauseMs).unref();
    else this.close();
    for (const one of measured) this.#judge(one);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #judge({ limit, observed, capacity, of }: Measured): void {
    if (capacity === 0) return;
    const key = of?.key ?? this;
    let given = this.#given.get(key);
    if (given === undefined) this.#given.set(key, (given = new Set()));
    const share = observed / capacity;
    if (share < rearmShare) given.delete(limit);
    if (share < warnShare || given.has(limit)) return;
    given.add(limit);
    const fillPercent = Math.round(share * 100);
    this.#warn({ limit, observed, capacity, fillPercent, ...(of && { pid: of.pid }) });
  }
}
