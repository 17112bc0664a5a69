/**
 * Owns the record of what one machine's policy decided: the last decisions, and those on their way
 * to the host.
 *
 * Invariants: what is kept is bounded in entries and text, whatever guests ask for; what is dropped
 * is counted; nothing is sent before the host has taken the last it was sent, but for `flush`.
 * Untrusted: resources, commands and reasons.
 */
import type { AuditOptions, Decision, DecisionList } from "../../protocol/decisions.js";
import { limits } from "../limits.js";

/** A bounded queue of decisions; the oldest go first. */
class Ring {
  readonly #entries: number;
  #list: Decision[] = [];
  #first = 0;
  #chars = 0;
  dropped = 0;

  constructor(entries: number) {
    this.#entries = entries;
  }

  get size(): number {
    return this.#list.length - this.#first;
  }

  add(decision: Decision): void {
    this.#list.push(decision);
    this.#chars += charsOf(decision);
    while (this.size > this.#entries || this.#chars > limits.auditChars) {
      this.#chars -= charsOf(this.#list[this.#first++]!);
      this.dropped++;
    }
    if (this.#first < this.#entries) return;
    this.#list = this.#list.slice(this.#first);
    this.#first = 0;
  }

  read(): DecisionList {
    return { decisions: this.#list.slice(this.#first), dropped: this.dropped };
  }

  take(): DecisionList {
    const taken = this.read();
    this.#list = [];
    this.#first = this.#chars = this.dropped = 0;
    return taken;
  }
}

function charsOf({ resource, reason = "", process }: Decision): number {
  return resource.length + reason.length + process.argv0.length;
}

export class Audit {
  readonly #kept: Ring;
  readonly #entries: number;
  #outgoing: Ring | undefined;
  readonly #send: (list: DecisionList) => void;
  #scheduled = false;
  /** The host works on what it was sent last. */
  #busy = false;

  constructor(options: AuditOptions, send: (list: DecisionList) => void) {
    this.#entries = options.entries;
    this.#kept = new Ring(options.entries);
    if (options.stream) this.stream();
    this.#send = send;
  }

  /** Sends decisions from now on. */
  stream(): void {
    this.#outgoing ??= new Ring(this.#entries);
  }

  add(decision: Decision): void {
    this.#kept.add(decision);
    if (this.#outgoing === undefined) return;
    this.#outgoing.add(decision);
    if (this.#scheduled || this.#busy) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      if (!this.#busy) this.flush();
    });
  }

  /** Sends what waits, for instance because a program has ended. */
  flush(): void {
    if (this.#outgoing === undefined || this.#outgoing.size === 0) return;
    this.#busy = true;
    this.#send(this.#outgoing.take());
  }

  /** The host has taken what it was sent. */
  taken(): void {
    this.#busy = false;
    this.flush();
  }

  read(): DecisionList {
    return this.#kept.read();
  }
}
