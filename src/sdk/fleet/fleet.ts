/**
 * Owns one fleet as a caller sees it: which workers there are, who waits for room, and where a
 * machine is placed.
 *
 * Invariants: who waited longest is placed first, among those that ask for the same labels; a request
 * that got no answer is never taken for one that was refused without telling the worker so; nothing
 * runs before a worker has answered with its fence, so asking a second worker executes nothing twice.
 * Untrusted: advertisements and answers, which a worker writes.
 */
import {
  fleetLimits,
  fleetVersion,
  jsonBytes,
  parseAdvertisement,
  parseOpenAnswer,
  subjectsOf,
} from "../../protocol/fleet.js";
import type { Advertisement, Reason } from "../../protocol/fleet.js";
import { failure, printable } from "../errors.js";
import { Broker } from "./broker.js";
import { Mailbox } from "./mailbox.js";
import type { Address } from "./mailbox.js";
import type { ParsedFleet, ParsedFleetServers } from "./options.js";

/** A worker that has not answered by then is taken to be gone or stopped, until it is heard of again. */
const openTimeoutMs = 3000;
/** While somebody waits and nobody is known to have room. */
const helloMs = 500;
const mostWorkers = 4096;
/** Requests to open a session that may be on their way to one worker. */
const opensPerWorker = 64;
/** Workers that the error names. */
const namedWorkers = 8;

interface Worker {
  advertisement: Advertisement;
  heardMs: number;
  /** Sessions asked for since. */
  asked: number;
  opening: number;
  /** Why it is not asked until it is heard of again. */
  refusal: string | undefined;
}

/** A session that a worker holds for us. */
export interface Placed {
  readonly worker: string;
  readonly name: string;
  /** Where packets to it go. */
  readonly subject: string;
  /** Where its packets come. */
  readonly address: Address;
  onMessage: (data: Uint8Array, isUnheard: boolean) => void;
}

interface Waiter {
  readonly wanted: ParsedFleet;
  placed(placed: Placed): void;
  failed(error: unknown): void;
  timer: NodeJS.Timeout;
}

const fleets = new Map<string, Promise<Fleet>>();

export class Fleet {
  readonly broker: Broker;
  readonly mailbox: Mailbox;
  readonly #subjects: ReturnType<typeof subjectsOf>;
  readonly #workers = new Map<string, Worker>();
  /** By the labels they ask for, oldest first. */
  readonly #waiting = new Map<string, Set<Waiter>>();
  #waiters = 0;
  /** Those whose request is with a worker. */
  readonly #asking = new Set<Waiter>();
  readonly #hello: Address;
  #helloTimer: NodeJS.Timeout | undefined;
  #forbidden: Error | undefined;

  private constructor(broker: Broker, { subject, inboxPrefix }: ParsedFleetServers) {
    this.broker = broker;
    this.#subjects = subjectsOf(subject);
    const refused = (error: Error): void => {
      this.#forbidden = error;
    };
    this.mailbox = new Mailbox(broker, inboxPrefix, refused);
    const heard = ({ data }: { data: Uint8Array }): void => this.#heard(data);
    this.#hello = this.mailbox.address(heard);
    broker.subscribe(this.#subjects.advertisements, heard, refused);
    broker.onReconnect(() => this.#sayHello());
    this.#sayHello();
  }

  /** The connection that all runtimes of this process with the same servers and credentials use. */
  static async of(options: ParsedFleetServers): Promise<Fleet> {
    const { servers, credentials, tls, subject, inboxPrefix } = options;
    const key = JSON.stringify([servers, credentials, tls, subject, inboxPrefix]);
    const known = await fleets.get(key);
    if (known !== undefined && !known.broker.isClosed) return known;
    // Others may have found the same while this one waited.
    const other = fleets.get(key);
    if (other !== undefined && (known === undefined || (await other) !== known)) return other;
    const opening = Broker.connect(options, "secure-exec caller").then(
      (broker) => new Fleet(broker, options),
    );
    fleets.set(key, opening);
    opening.catch(() => fleets.delete(key));
    return opening;
  }

  /** Those that were heard of lately. */
  workers(): Advertisement[] {
    this.#forget();
    return [...this.#workers.values()].map(({ advertisement }) => advertisement);
  }

  /** Finds a worker with room. Rejects with FLEET_FULL when none had any in time. */
  place(wanted: ParsedFleet): Promise<Placed> {
    return new Promise((resolve, reject) => {
      const key = JSON.stringify(Object.entries(wanted.labels).sort());
      const line = this.#waiting.get(key) ?? new Set();
      this.#waiting.set(key, line);
      const leave = (): void => {
        clearTimeout(waiter.timer);
        if (!line.delete(waiter)) return;
        if (line.size === 0) this.#waiting.delete(key);
        if (--this.#waiters > 0) return;
        this.broker.release();
        clearInterval(this.#helloTimer);
        this.#helloTimer = undefined;
      };
      const waiter: Waiter = {
        wanted,
        placed: (placed) => {
          leave();
          resolve(placed);
        },
        failed: (error) => {
          leave();
          reject(error);
        },
        timer: setTimeout(() => waiter.failed(this.#full(wanted)), wanted.timeoutMs),
      };
      line.add(waiter);
      if (this.#waiters++ === 0) {
        this.broker.hold();
        this.#helloTimer = setInterval(() => this.#sayHello(), helloMs);
      }
      this.#serve();
    });
  }

  #sayHello(): void {
    this.broker.publish(this.#subjects.hello, new Uint8Array(0), this.#hello.subject);
  }

  #heard(data: Uint8Array): void {
    const advertisement = parseAdvertisement(data);
    if (advertisement === undefined) return;
    const known = this.#workers.get(advertisement.worker);
    if (known === undefined && this.#workers.size >= mostWorkers) this.#forget();
    if (known === undefined && this.#workers.size >= mostWorkers) return;
    this.#workers.set(advertisement.worker, {
      advertisement,
      heardMs: performance.now(),
      asked: known?.opening ?? 0,
      opening: known?.opening ?? 0,
      refusal: undefined,
    });
    this.#serve();
  }

  #forget(): void {
    const since = performance.now() - fleetLimits.advertisementLifeMs;
    for (const [id, { heardMs, opening }] of this.#workers)
      if (heardMs < since && opening === 0) this.#workers.delete(id);
  }

  /** Asks workers for those who wait, as long as any has room. */
  #serve(): void {
    if (this.#waiters === 0) return;
    this.#forget();
    for (const line of this.#waiting.values()) {
      for (const waiter of line) {
        if (this.#asking.has(waiter)) continue;
        const worker = this.#best(waiter.wanted);
        if (worker === undefined) break;
        void this.#ask(worker, waiter);
      }
    }
  }

  #hasRoom({ advertisement, asked, opening, refusal }: Worker): boolean {
    const { state, vms, slots } = advertisement;
    if (state !== "open" && state !== "busy") return false;
    return refusal === undefined && opening < opensPerWorker && vms + asked < slots;
  }

  #best({ labels, choices }: ParsedFleet): Worker | undefined {
    const able = [...this.#workers.values()].filter(
      (worker) => this.#hasRoom(worker) && missingLabel(worker.advertisement, labels) === undefined,
    );
    // Those that are not over their soft limit first.
    const calm = able.filter(({ advertisement }) => advertisement.state === "open");
    const drawn = draw(calm.length > 0 ? calm : able, choices);
    return drawn.reduce<Worker | undefined>(
      (best, one) => (best === undefined || score(one) > score(best) ? one : best),
      undefined,
    );
  }

  async #ask(worker: Worker, waiter: Waiter): Promise<void> {
    const { worker: id, name } = worker.advertisement;
    this.#asking.add(waiter);
    this.#count(id, 1);
    const answer = await this.#open(id, name, waiter.wanted.leaseMs);
    this.#count(id, -1);
    this.#asking.delete(waiter);
    if (typeof answer === "object" && "address" in answer) {
      // The time was up meanwhile: the worker is told by the first packet it sends to nobody.
      if (!this.#isWaiting(waiter)) answer.address.close();
      else waiter.placed(answer);
    } else {
      const known = this.#workers.get(id);
      if (known !== undefined) known.refusal = typeof answer === "string" ? answer : answer.message;
    }
    this.#serve();
  }

  #isWaiting(waiter: Waiter): boolean {
    return [...this.#waiting.values()].some((line) => line.has(waiter));
  }

  #count(id: string, by: number): void {
    const known = this.#workers.get(id);
    if (known === undefined) return;
    known.opening += by;
    if (by > 0) known.asked += by;
  }

  /** Opens a session; a text or reason when that was not possible. */
  #open(id: string, name: string, leaseMs: number): Promise<Placed | Reason | string> {
    return new Promise((resolve) => {
      let placed: Placed | undefined;
      const giveUp = (why: Reason | string): void => {
        clearTimeout(timer);
        address.close();
        resolve(why);
      };
      const address = this.mailbox.address(({ data, isUnheard }) => {
        if (placed !== undefined) return placed.onMessage(data, isUnheard);
        if (isUnheard) return giveUp("it is gone");
        const answer = parseOpenAnswer(data);
        if (answer === undefined) return giveUp("it answers what this version does not understand");
        if ("refused" in answer) return giveUp(answer.refused);
        clearTimeout(timer);
        placed = {
          worker: id,
          name,
          subject: this.#subjects.session(id, answer.fence),
          address,
          // A worker has nothing to say before it was asked something.
          onMessage: () => undefined,
        };
        resolve(placed);
      });
      const timer = setTimeout(() => giveUp("it does not answer"), openTimeoutMs);
      const request = { version: fleetVersion, inbox: address.subject, leaseMs };
      this.broker.publish(this.#subjects.open(id), jsonBytes(request), address.subject);
    });
  }

  /** What was missing where. */
  #full({ labels, timeoutMs }: ParsedFleet): Error {
    this.#forget();
    const lacks = [...this.#workers.values()].map((worker) => ({
      worker: worker.advertisement.name,
      lacks: lackOf(worker, labels),
    }));
    const named = lacks.slice(0, namedWorkers).map(({ worker, lacks: why }) => `${worker}: ${why}`);
    if (lacks.length > namedWorkers) named.push(`${lacks.length - namedWorkers} more`);
    if (lacks.length === 0)
      named.push(
        this.#forbidden === undefined
          ? "no worker has been heard of"
          : printable(this.#forbidden.message.toLowerCase()),
      );
    const why = named.join("; ");
    return failure("FLEET_FULL", { timeout: timeoutMs, why }, { details: { workers: lacks } });
  }
}

function missingLabel(
  { labels: has }: Advertisement,
  labels: Readonly<Record<string, string>>,
): string | undefined {
  return Object.keys(labels).find((name) => has[name] !== labels[name]);
}

function lackOf(worker: Worker, labels: Readonly<Record<string, string>>): string {
  const { advertisement, refusal } = worker;
  const label = missingLabel(advertisement, labels);
  if (label !== undefined) return `has no label ${label}=${labels[label]}`;
  if (refusal !== undefined) return refusal;
  const { state, vms, slots } = advertisement;
  if (state === "draining") return "is draining";
  if (vms >= slots) return `runs ${vms} machines of ${slots}`;
  if (state === "full") return "is out of memory";
  return "answered none of the requests in time";
}

/** Higher is better: free memory, slots and processors, each as a part of what it has. */
function score({ advertisement, asked }: Worker): number {
  const { freeBytes, totalBytes, vms, slots, load } = advertisement;
  const memory = totalBytes > 0 ? freeBytes / totalBytes : 0;
  const room = slots > 0 ? (slots - vms - asked) / slots : 0;
  return memory + room - Math.min(load, 2) / 2;
}

/** So many of them, at random. */
function draw<T>(list: T[], count: number): T[] {
  const rest = [...list];
  const drawn: T[] = [];
  while (drawn.length < count && rest.length > 0)
    drawn.push(rest.splice(Math.floor(Math.random() * rest.length), 1)[0]!);
  return drawn;
}
