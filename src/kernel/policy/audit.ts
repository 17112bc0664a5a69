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

/** One decision as it is kept: of primitive values alone, so that nothing is made before somebody reads. */
export interface Row {
  readonly scope: Decision["scope"];
  readonly operation: string;
  readonly resource: string;
  readonly rule: Decision["rule"];
  readonly reason: string;
  readonly decision: Decision["decision"];
  readonly wouldDeny: boolean;
  readonly pid: number;
  readonly argv0: string;
}

/** How many rows a queue has room for at first. */
const firstRows = 64;

/** A bounded queue of decisions; the oldest go first. */
class Ring {
  readonly #entries: number;
  #times: Float64Array;
  #rows: (Row | undefined)[] = [];
  #first = 0;
  #size = 0;
  #chars = 0;
  dropped = 0;

  constructor(entries: number) {
    this.#entries = entries;
    this.#times = new Float64Array(Math.min(firstRows, entries));
  }

  get size(): number {
    return this.#size;
  }

  add(time: number, row: Row): void {
    if (this.#size === this.#entries) this.#drop();
    else if (this.#size === this.#times.length) this.#grow();
    const at = (this.#first + this.#size) % this.#times.length;
    this.#times[at] = time;
    this.#rows[at] = row;
    this.#size++;
    this.#chars += charsOf(row);
    while (this.#chars > limits.auditChars) this.#drop();
  }

  #drop(): void {
    this.#chars -= charsOf(this.#rows[this.#first]!);
    this.#rows[this.#first] = undefined;
    this.#first = (this.#first + 1) % this.#times.length;
    this.#size--;
    this.dropped++;
  }

  #grow(): void {
    const times = new Float64Array(Math.min(this.#entries, this.#times.length * 2));
    const rows: Row[] = [];
    for (let at = 0; at < this.#size; at++) {
      const from = (this.#first + at) % this.#times.length;
      times[at] = this.#times[from]!;
      rows.push(this.#rows[from]!);
    }
    this.#times = times;
    this.#rows = rows;
    this.#first = 0;
  }

  read(): DecisionList {
    const decisions: Decision[] = [];
    for (let at = 0; at < this.#size; at++) {
      const from = (this.#first + at) % this.#times.length;
      decisions.push(decisionOf(this.#times[from]!, this.#rows[from]!));
    }
    return { decisions, dropped: this.dropped };
  }

  take(): DecisionList {
    const taken = this.read();
    this.#rows = [];
    this.#first = this.#size = this.#chars = this.dropped = 0;
    return taken;
  }
}

function decisionOf(time: number, row: Row): Decision {
  const { scope, operation, resource, decision, rule, reason, wouldDeny, pid, argv0 } = row;
  return {
    time,
    scope,
    operation,
    resource,
    decision,
    rule,
    ...(reason !== "" && { reason }),
    ...(wouldDeny && { wouldDeny }),
    process: { pid, argv0 },
  };
}

function charsOf({ resource, reason, argv0 }: Row): number {
  return resource.length + reason.length + argv0.length;
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

  add(row: Row): void {
    const time = Date.now();
    this.#kept.add(time, row);
    if (this.#outgoing === undefined) return;
    this.#outgoing.add(time, row);
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
