/**
 * Owns what a worker's sessions, and the worker itself, have in the broker's store where it has one.
 *
 * Invariants: a fence is taken before its session is answered for, by nobody else in the fleet as long as the store is
 * there; a session ends by the store for two reasons alone: somebody deleted its key, or it is another worker's, and the store
 * says so when asked. A store that is lost, slow or empty ends nothing: what is missing is written again.
 * Nobody awaits the store but a session that is opened, for a bounded time, and not again before it has come back.
 * Untrusted: what the store says.
 */
import { createHash } from "node:crypto";
import { isSubjectPrefix, parseLeaseText } from "../protocol/fleet.js";
import type { LeaseKeeping, LeaseText } from "../protocol/fleet.js";
import type { Broker } from "../sdk/fleet/broker.js";
import {
  LeaseStore,
  StoreError,
  forEach,
  keyOfSession,
  keyOfWorker,
} from "../sdk/fleet/lease-store.js";
import type { Log } from "./log.js";

/** A key is written so often in its life: two writes may be lost. */
const writesPerLife = 3;
/** A store that is not there is looked for after so long, then half as often each time. */
const retryMs = { first: 5000, most: 600_000 };
/** How long a worker that leaves waits for its keys to be gone. */
const closeMs = 2000;

export type LeaseLoss = "revoked" | "taken";

export interface Lease {
  readonly key: string;
  /** Its number in the fleet, which grows; 0 while the store has not taken it. */
  readonly number: number;
  /** It is over, for whatever reason: the store forgets it. */
  release(): void;
}

interface Held extends Lease {
  number: number;
  revision: number;
  isReleased: boolean;
  readonly text: Omit<LeaseText, "number">;
  readonly lost: (why: LeaseLoss) => void;
  /** One request about it after the other. */
  turn: Promise<void>;
  /** Stops listening for its end; undefined before the store has it. */
  unsubscribe: (() => void) | undefined;
}

/** The store is there, and says no. */
const isRefusal = (error: unknown): error is StoreError =>
  error instanceof StoreError && error.errorCode > 0;

/** Who a caller is without what nobody else may know of its inbox: the prefix, and which of those with that prefix. */
function holderOf(inbox: string): string {
  const words = inbox.split(".");
  const prefix = words.slice(0, -2).join(".");
  const which = createHash("sha256").update(words.slice(0, -1).join(".")).digest("hex").slice(0, 8);
  // A caller may write what it likes there; the SDK writes no other.
  return `${isSubjectPrefix(prefix) ? prefix : "?"}#${which}`;
}

export interface LeasesOptions {
  readonly broker: Broker;
  /** What the fleet's subjects begin with. */
  readonly prefix: string;
  readonly worker: string;
  readonly name: string;
  readonly log: Log;
  /** The worker's own key was deleted: it is to leave. */
  recalled(): void;
}

export class Leases {
  readonly #options: LeasesOptions;
  readonly #store: LeaseStore;
  readonly #held = new Set<Held>();
  readonly #releases = new Set<Promise<void>>();
  /** Of keys, while the store is there. */
  #lifeMs: number | undefined;
  /** Whether its bucket has been seen since the broker was last gone. */
  #isSure = false;
  /** What the log was told last. */
  #why: string | undefined;
  #refusal: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #retryMs = retryMs.first;
  #round: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: LeasesOptions) {
    this.#options = options;
    this.#store = new LeaseStore(options.broker);
  }

  get keeping(): LeaseKeeping {
    return this.#lifeMs === undefined ? "beats" : "store";
  }

  /** Sessions whose key the store has taken. */
  get stored(): number {
    if (this.keeping === "beats") return 0;
    return [...this.#held].filter(({ number, text }) => number > 0 && text.holder !== "").length;
  }

  /** Looks for the store, for a bounded time, and says in the log what it found. */
  async start(): Promise<void> {
    const { prefix, worker, recalled } = this.#options;
    this.#hold(keyOfWorker(prefix, worker), { holder: "", leaseMs: 0 }, recalled);
    await this.#look();
  }

  /** The broker is back: the store with it, without it, or emptied. */
  reconnected(): void {
    this.#isSure = false;
    this.#retryMs = retryMs.first;
    void this.#look();
  }

  /** Writes everything that is held, and does so again in time. */
  #look(): Promise<void> {
    this.#round ??= this.#renewAll().finally(() => {
      this.#round = undefined;
      if (this.#isClosed) return;
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => void this.#look(), this.#nextMs());
    });
    return this.#round;
  }

  #nextMs(): number {
    if (this.#lifeMs !== undefined) {
      this.#retryMs = retryMs.first;
      return this.#lifeMs / writesPerLife;
    }
    const next = this.#retryMs;
    this.#retryMs = Math.min(retryMs.most, next * 2);
    return next;
  }

  async #renewAll(): Promise<void> {
    try {
      const lifeMs = (this.#isSure ? this.#lifeMs : undefined) ?? (await this.#store.open());
      this.#isSure = true;
      await forEach(this.#held, (lease) =>
        this.#inTurn(lease, () => this.#renew(lease)).catch((error: unknown) => {
          if (!isRefusal(error)) throw error;
          this.#failed(error);
        }),
      );
      if (this.#lifeMs === undefined) this.#options.log.info("leases", { by: "store", lifeMs });
      this.#lifeMs = lifeMs;
      this.#why = undefined;
    } catch (error) {
      this.#without(error);
    }
  }

  /** A key that the store refuses, as a full one does, is held by beats; a store that is gone holds none. */
  #failed(error: unknown): void {
    if (!isRefusal(error)) return this.#without(error);
    if (error.message !== this.#refusal)
      this.#options.log.error("lease refused", { why: error.message });
    this.#refusal = error.message;
  }

  /** From now on the beats of both ends alone; said once for each reason. */
  #without(error: unknown): void {
    const why = (error as Error).message;
    this.#lifeMs = undefined;
    this.#isSure = false;
    if (why !== this.#why && !this.#isClosed)
      this.#options.log.info("leases", { by: "beats", why });
    this.#why = why;
  }

  /**
   * Takes a fence for a caller: undefined when it is somebody's, or was. Without the store there is a lease as well, which is
   * written when the store comes back. `lost` hears that an operator, or another worker, has taken it away.
   */
  async take(
    fence: string,
    caller: { readonly inbox: string; readonly leaseMs: number },
    lost: (why: LeaseLoss) => void,
  ): Promise<Lease | undefined> {
    const holder = holderOf(caller.inbox);
    const key = keyOfSession(this.#options.prefix, fence);
    const lease = this.#hold(key, { holder, leaseMs: caller.leaseMs }, lost);
    if (this.keeping === "beats") return lease;
    await this.#inTurn(lease, async () => {
      if ((await this.#write(lease)) === undefined) this.#forget(lease);
    }).catch((error: unknown) => this.#failed(error));
    return lease.isReleased ? undefined : lease;
  }

  #hold(
    key: string,
    { holder, leaseMs }: { readonly holder: string; readonly leaseMs: number },
    lost: (why: LeaseLoss) => void,
  ): Held {
    const { worker, name } = this.#options;
    const lease: Held = {
      key,
      number: 0,
      revision: 0,
      isReleased: false,
      text: { worker, name, holder, leaseMs, since: Date.now() },
      lost,
      turn: Promise.resolve(),
      release: () => this.#release(lease),
      unsubscribe: undefined,
    };
    this.#held.add(lease);
    return lease;
  }

  /** Runs when nothing else about the lease is under way, unless it is over by then. */
  #inTurn(lease: Held, work: () => Promise<void>): Promise<void> {
    const done = lease.turn.then(() => (lease.isReleased ? undefined : work()));
    lease.turn = done.catch(() => undefined);
    return done;
  }

  async #write(lease: Held): Promise<number | undefined> {
    const { key, text, number } = lease;
    // Before the key is there, so that no order about it is missed. What is deleted has no value; whether it is, the store says.
    lease.unsubscribe ??= this.#options.broker.subscribe(LeaseStore.subjectOf(key), ({ data }) => {
      if (data.length === 0)
        void this.#inTurn(lease, () => this.#judge(lease)).catch(() => undefined);
    });
    const revision = await this.#store.put(key, { ...text, number }, lease.revision);
    if (revision === undefined) return undefined;
    lease.revision = revision;
    if (number === 0) lease.number = revision;
    return revision;
  }

  async #renew(lease: Held): Promise<void> {
    if ((await this.#write(lease)) === undefined) await this.#judge(lease);
  }

  /** What the store has instead of what was written last. */
  async #judge(lease: Held): Promise<void> {
    const entry = await this.#store.get(lease.key);
    if (lease.isReleased) return;
    if (entry?.isRevoked === true) return this.#lose(lease, "revoked");
    const { worker } = lease.text;
    const { worker: writer = worker } = (entry && parseLeaseText(entry.value)) ?? {};
    if (writer !== worker) return this.#lose(lease, "taken");
    // Ours with an answer that was lost, what nobody can read, or nothing: a store that was emptied. It is nobody's order.
    lease.revision = entry?.revision ?? 0;
    await this.#write(lease);
  }

  #lose(lease: Held, why: LeaseLoss): void {
    this.#options.log.info("lease is lost", { key: lease.key, why });
    this.#forget(lease);
    lease.lost(why);
  }

  /** Nothing is written any more, and what the store has of it stays. */
  #forget(lease: Held): void {
    lease.isReleased = true;
    lease.unsubscribe?.();
    this.#held.delete(lease);
  }

  #release(lease: Held): void {
    if (lease.isReleased) return;
    this.#forget(lease);
    // One that the store may never have taken is dropped as well: its answer can have been lost.
    if (this.keeping === "beats" && lease.revision === 0) return;
    const dropped = lease.turn
      .then(() => this.#store.drop(lease.key))
      // Then it is gone when its time is over.
      .catch(() => undefined)
      .finally(() => this.#releases.delete(dropped));
    this.#releases.add(dropped);
  }

  /** Whatever is still held is released. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    for (const lease of this.#held) this.#release(lease);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, closeMs);
    });
    await Promise.race([Promise.all(this.#releases), late]);
    clearTimeout(timer);
  }
}
