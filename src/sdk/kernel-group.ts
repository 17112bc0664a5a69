/**
 * Owns the kernel processes that runtimes of this host share, and on which of them a new machine is
 * placed. A kernel is one thread of JavaScript and its zygote forks one guest at a time, so a host
 * with many processors needs several to keep them busy.
 *
 * Invariants: a machine is on one kernel for life, its clones on the same; the loss of a kernel
 * concerns its own machines alone. Whoever needs one kernel waits for the start of one.
 * Untrusted: nothing.
 */
import { availableParallelism } from "node:os";
import { invalidOption } from "./errors.js";
import type { KernelConnection } from "./kernel-connection.js";
import { KernelSlot } from "./kernel-slot.js";

/** See `NodeRuntimeCreateOptions.kernels`. */
export type Kernels = "auto" | number;

/** Each has some 100 MiB of its own: more would be a mistake. */
const mostKernels = 64;
/** The kernel's thread has a sixth of what a short run costs; docs/performance.md has the figures. */
const processorsPerKernel = 6;
/** Before each of those that run has so many machines, "auto" starts no other. */
const machinesPerKernel = 4;

export function parseKernels(value: unknown): Kernels {
  if (value === undefined || value === "auto") return "auto";
  if (typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= mostKernels)
    return value;
  throw invalidOption("kernels", `must be "auto" or an integer from 1 to ${mostKernels}`);
}

/** How many kernels "auto" comes to on a machine of so many processors. */
export function kernelsFor(processors: number): number {
  return Math.max(1, Math.min(mostKernels, Math.floor(processors / processorsPerKernel)));
}

export class KernelGroup {
  readonly #slots: KernelSlot[] = [];
  /** Machines that were placed and are not on the kernel yet. */
  readonly #placing = new Map<KernelSlot, number>();
  readonly #processors: number;

  constructor(processors: number = availableParallelism()) {
    this.#processors = processors;
  }

  /** The kernel that a new machine belongs on, started if need be; it may be starting still. */
  async place(kernels: Kernels): Promise<KernelConnection> {
    const slot = kernels === "auto" ? this.#running() : this.#emptiest(this.#upTo(kernels));
    this.#placing.set(slot, (this.#placing.get(slot) ?? 0) + 1);
    try {
      return slot.begun();
    } finally {
      // By then its machine is on the kernel and counts there.
      setImmediate(() => this.#placing.set(slot, this.#placing.get(slot)! - 1));
    }
  }

  /** The connection of the first. */
  first(): Promise<KernelConnection> {
    return this.#upTo(1)[0]!.connection();
  }

  /** Those that run. */
  get running(): KernelConnection[] {
    return this.#slots.flatMap((slot) => slot.current ?? []);
  }

  #load(slot: KernelSlot): number {
    return slot.machines + (this.#placing.get(slot) ?? 0);
  }

  #upTo(count: number): KernelSlot[] {
    while (this.#slots.length < count) this.#slots.push(new KernelSlot());
    return this.#slots.slice(0, count);
  }

  /** The first of those with the fewest machines. */
  #emptiest(slots: readonly KernelSlot[]): KernelSlot {
    return slots.reduce((best, slot) => (this.#load(slot) < this.#load(best) ? slot : best));
  }

  /** One that runs, or the first; another is started beside when all that run have plenty to do. */
  #running(): KernelSlot {
    const slots = this.#upTo(kernelsFor(this.#processors));
    const running = slots.filter((slot) => slot.runs);
    if (running.length === 0) return slots[0]!;
    const chosen = this.#emptiest(running);
    const next = slots.find((slot) => !slot.runs);
    // Its failure is no machine's: the next one that is placed tries again.
    if (next !== undefined && this.#load(chosen) >= machinesPerKernel)
      next.connection().catch(() => undefined);
    return chosen;
  }
}

const shared = new KernelGroup();

/** Where a machine goes whose options name neither a sidecar nor a fleet. */
export function placeOnHost(kernels: Kernels): Promise<KernelConnection> {
  return shared.place(kernels);
}

/** The host's kernels that run. */
export function hostKernels(): KernelConnection[] {
  return shared.running;
}

/** The connection of the host's first kernel. */
export function sharedConnection(): Promise<KernelConnection> {
  return shared.first();
}
