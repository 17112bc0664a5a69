/**
 * Owns the record of what one machine's policy decided: the last decisions, and those on their way
 * to the host.
 *
 * Invariants: what is kept is bounded in entries and text, whatever guests ask for; what is dropped
 * is counted; nothing is sent before the host has taken the last it was sent, but for `flush`; nothing waits longer than
 * `batchMs` for that alone, and what comes close together goes together, as each message costs the host a turn.
 * Untrusted: resources, commands and reasons.
 */
import type { AuditOptions, Decision, DecisionList } from "../../protocol/decisions.js";
import { permissionScopes, scopeNames } from "../../protocol/permissions.js";
import { limits } from "../limits.js";

/** How long the host hears nothing after a message, unless half of what may wait does. */
const batchMs = 10;

/** One decision on its way into the record. */
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

/** All that can be asked for; "request" is what a border has read. */
const operations = [
  ...scopeNames.flatMap((scope) =>
    Object.keys(permissionScopes[scope].operations).map((operation) => ({ scope, operation })),
  ),
  { scope: "network", operation: "request" } as const,
];
const places = new Map(
  scopeNames.map((scope) => [
    scope,
    new Map(operations.flatMap((one, at) => (one.scope === scope ? [[one.operation, at]] : []))),
  ]),
);
/** Beside the place in `operations`. */
const denied = 1 << 8;
const wouldBeDenied = 1 << 9;
/** What is no index of a rule, as -1, -2 … */
const namedRules = ["default", "function", "allow", "deny", "address"] as const;

function whatOf(scope: Decision["scope"], operation: string): number {
  return places.get(scope)!.get(operation)!;
}

function ruleOf(rule: Decision["rule"]): number {
  return typeof rule === "number" ? rule : -1 - namedRules.indexOf(rule);
}
const ruleAllow = ruleOf("allow");

/** How many rows a queue has room for at first, and how many numbers a row is. */
const firstRows = 64;
const numbersOfRow = 4;
/** Above what a row is. */
const rulePlace = 1 << 10;

/**
 * A bounded queue of decisions; the oldest go first. A row is numbers and two texts, and no object before somebody
 * reads: an object a row was dearer to make, and the last thousand were moved whenever the engine collected its young
 * ones. Texts copied into one buffer were dearer than texts that stay where they are.
 */
class Ring {
  readonly #entries: number;
  /** Of each row its time, what it is with its rule, its process, and how long its texts are: side by side, in one line of a cache. */
  #numbers: Float64Array;
  /** Of each row what it is about, and of whom. */
  #texts: string[] = [];
  /** By place; few have one. */
  readonly #reasons = new Map<number, string>();
  #room: number;
  #first = 0;
  #size = 0;
  #chars = 0;
  dropped = 0;

  constructor(entries: number) {
    this.#entries = entries;
    this.#room = Math.min(firstRows, entries);
    this.#numbers = new Float64Array(this.#room * numbersOfRow);
  }

  get size(): number {
    return this.#size;
  }

  add(
    time: number,
    what: number,
    rule: number,
    resource: string,
    pid: number,
    argv0: string,
    reason: string,
  ): void {
    if (this.#size === this.#entries) this.#drop();
    else if (this.#size === this.#room) this.#grow();
    let at = this.#first + this.#size;
    if (at >= this.#room) at -= this.#room;
    const length = resource.length + argv0.length + reason.length;
    const numbers = this.#numbers;
    const place = at * numbersOfRow;
    numbers[place] = time;
    numbers[place + 1] = what + rulePlace * (rule + namedRules.length);
    numbers[place + 2] = pid;
    numbers[place + 3] = length;
    this.#texts[2 * at] = resource;
    this.#texts[2 * at + 1] = argv0;
    if (reason !== "") this.#reasons.set(at, reason);
    this.#size++;
    this.#chars += length;
    while (this.#chars > limits.auditChars) {
      this.#texts[2 * this.#first] = this.#texts[2 * this.#first + 1] = "";
      this.#drop();
    }
  }

  /** Its texts stay until others take their place. */
  #drop(): void {
    const first = this.#first;
    this.#chars -= this.#numbers[first * numbersOfRow + 3]!;
    if (this.#reasons.size > 0) this.#reasons.delete(first);
    this.#first = first + 1 === this.#room ? 0 : first + 1;
    this.#size--;
    this.dropped++;
  }

  #grow(): void {
    const room = Math.min(this.#entries, this.#room * 2);
    const first = this.#first;
    const before = this.#numbers;
    this.#numbers = new Float64Array(room * numbersOfRow);
    this.#numbers.set(before.subarray(first * numbersOfRow));
    this.#numbers.set(
      before.subarray(0, first * numbersOfRow),
      before.length - first * numbersOfRow,
    );
    this.#texts = [...this.#texts.slice(2 * first), ...this.#texts.slice(0, 2 * first)];
    const reasons = [...this.#reasons];
    this.#reasons.clear();
    for (const [at, reason] of reasons)
      this.#reasons.set((at - first + this.#room) % this.#room, reason);
    this.#room = room;
    this.#first = 0;
  }

  read(): DecisionList {
    const decisions: Decision[] = [];
    for (let at = 0; at < this.#size; at++)
      decisions.push(this.#decisionAt((this.#first + at) % this.#room));
    return { decisions, dropped: this.dropped };
  }

  #decisionAt(at: number): Decision {
    const [time, whatAndRule, pid] = this.#numbers.subarray(at * numbersOfRow) as unknown as [
      number,
      number,
      number,
    ];
    const what = whatAndRule % rulePlace;
    const rule = Math.floor(whatAndRule / rulePlace) - namedRules.length;
    const reason = this.#reasons.get(at);
    return {
      time,
      ...operations[what & 0xff]!,
      resource: this.#texts[2 * at]!,
      decision: (what & denied) === 0 ? "allow" : "deny",
      rule: rule < 0 ? namedRules[-1 - rule]! : rule,
      ...(reason !== undefined && { reason }),
      ...((what & wouldBeDenied) !== 0 && { wouldDeny: true as const }),
      process: { pid, argv0: this.#texts[2 * at + 1]! },
    };
  }

  take(): DecisionList {
    const taken = this.read();
    this.#texts = [];
    this.#reasons.clear();
    this.#first = this.#size = this.#chars = this.dropped = 0;
    return taken;
  }
}

export class Audit {
  readonly #kept: Ring;
  readonly #entries: number;
  #outgoing: Ring | undefined;
  readonly #send: (list: DecisionList) => void;
  readonly #now: () => number;
  /** When the next is sent: in the next turn, or later. */
  #soon: NodeJS.Immediate | undefined;
  #later: NodeJS.Timeout | undefined;
  #sentAtMs = Number.NEGATIVE_INFINITY;
  /** The host works on what it was sent last. */
  #busy = false;
  /** What was noted last: most often it is the same again. */
  #scope: Decision["scope"] = "fs";
  #operation = "";
  #what = 0;

  constructor(options: AuditOptions, send: (list: DecisionList) => void, now: () => number) {
    this.#now = now;
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
    const { scope, operation, resource, reason, pid, argv0 } = row;
    const what =
      whatOf(scope, operation) |
      (row.decision === "deny" ? denied : 0) |
      (row.wouldDeny ? wouldBeDenied : 0);
    this.#add(what, ruleOf(row.rule), resource, pid, argv0, reason);
  }

  /** Something in a scope that allows everything. */
  note(
    scope: Decision["scope"],
    operation: string,
    resource: string,
    pid: number,
    argv0: string,
  ): void {
    if (operation !== this.#operation || scope !== this.#scope) {
      this.#what = whatOf(scope, operation);
      this.#scope = scope;
      this.#operation = operation;
    }
    this.#add(this.#what, ruleAllow, resource, pid, argv0, "");
  }

  #add(
    what: number,
    rule: number,
    resource: string,
    pid: number,
    argv0: string,
    reason: string,
  ): void {
    const time = this.#now();
    this.#kept.add(time, what, rule, resource, pid, argv0, reason);
    if (this.#outgoing === undefined) return;
    this.#outgoing.add(time, what, rule, resource, pid, argv0, reason);
    this.#schedule();
  }

  /** Sees to it that what waits is sent. */
  #schedule(): void {
    const waiting = this.#outgoing?.size ?? 0;
    if (this.#busy || this.#soon !== undefined || waiting === 0) return;
    const isFull = 2 * waiting >= this.#entries;
    if (this.#later !== undefined && !isFull) return;
    const restMs = isFull ? 0 : batchMs - (performance.now() - this.#sentAtMs);
    const send = (): void => {
      this.#unschedule();
      if (!this.#busy) this.flush();
    };
    if (restMs > 0) this.#later = setTimeout(send, restMs);
    else this.#soon = setImmediate(send);
  }

  #unschedule(): void {
    clearImmediate(this.#soon);
    clearTimeout(this.#later);
    this.#soon = this.#later = undefined;
  }

  /** Sends what waits, for instance because a program has ended. */
  flush(): void {
    if (this.#outgoing === undefined || this.#outgoing.size === 0) return;
    this.#unschedule();
    this.#busy = true;
    this.#sentAtMs = performance.now();
    this.#send(this.#outgoing.take());
  }

  /** The host has taken what it was sent. */
  taken(): void {
    this.#busy = false;
    this.#schedule();
  }

  read(): DecisionList {
    return this.#kept.read();
  }
}
