/**
 * Owns events of the SDK's objects: typed `on`, `once` and `off` as Node's emitters have them.
 *
 * Invariants: a listener is called in a turn of its own, so that what it throws is an uncaught error of
 * the host's and never one of the kernel's connection; there is no event that throws when nobody listens.
 */
import { invalidOption } from "./errors.js";

type Listener = (...args: never[]) => void;

export class Emitter<Events extends { [name: string]: Listener }> {
  readonly #names: readonly string[];
  readonly #listeners = new Map<string, Map<Listener, { once: boolean }>>();
  /** Arguments of events that came for the last time. */
  readonly #last = new Map<string, never[]>();
  readonly #first: (name: keyof Events & string) => void;

  /** `first` is called when a name gets its first listener. */
  constructor(
    names: readonly (keyof Events & string)[],
    first: (name: keyof Events & string) => void = () => {},
  ) {
    this.#names = names;
    this.#first = first;
  }

  /** Throws INVALID_OPTION for an event that there is not, or what is no function. */
  add(name: string, listener: unknown, once: boolean): void {
    if (!this.#names.includes(name))
      throw invalidOption("event", `must be one of ${this.#names.join(", ")}`);
    if (typeof listener !== "function") throw invalidOption("listener", "must be a function");
    const last = this.#last.get(name);
    if (last !== undefined) return queueMicrotask(() => (listener as Listener)(...last));
    const known = this.#listeners.get(name);
    if (known !== undefined) known.set(listener as Listener, { once });
    else {
      this.#listeners.set(name, new Map([[listener as Listener, { once }]]));
      this.#first(name);
    }
  }

  remove(name: string, listener: unknown): void {
    this.#listeners.get(name)?.delete(listener as Listener);
  }

  /** Names that somebody listens to, or has. */
  get used(): (keyof Events & string)[] {
    return [...this.#listeners.keys()];
  }

  emit<K extends keyof Events & string>(name: K, ...args: Parameters<Events[K]>): void {
    const listeners = this.#listeners.get(name);
    if (listeners === undefined) return;
    for (const [listener, { once }] of listeners) {
      if (once) listeners.delete(listener);
      queueMicrotask(() => listener(...args));
    }
  }

  /** As `emit`, for what happens once: who listens later is told as well. */
  emitLast<K extends keyof Events & string>(name: K, ...args: Parameters<Events[K]>): void {
    this.emit(name, ...args);
    this.#last.set(name, args as never[]);
  }
}
