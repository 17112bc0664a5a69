/**
 * Owns the bucket of leases in the broker's store: JetStream's key-value layout, in the six requests that leases need.
 *
 * Invariants: every request is bounded in time; a key is taken only where the store has nothing of that name, not even
 * that it was revoked; keys of sessions are digests of their fences, so whoever reads the store can speak in no session.
 * Untrusted: what the store answers, and values, which anybody with the right to write there has written.
 */
import { createHash } from "node:crypto";
import type { LeaseText } from "../../protocol/fleet.js";
import type { Broker } from "./broker.js";

const bucket = "secure-exec";
const stream = `KV_${bucket}`;
/** Keys are subjects below it: nats-architecture-and-design, ADR-8. */
const base = `$KV.${bucket}.`;

export const storeLimits = Object.freeze({
  /** A store that has not answered by then does not hold leases. */
  answerMs: 1000,
  /** What is not renewed is gone after so long; where somebody has made the bucket, that one's time holds. */
  lifeMs: 60_000,
  /** A bucket whose keys live shorter would cost each machine many writes; one whose keys live for ever would keep those of the dead. */
  leastLifeMs: 3000,
  /** JSON of a `LeaseText`, whatever a name is made of. */
  valueBytes: 2048,
  /** Of all keys; the store refuses more, and who gets none has heartbeats. */
  bucketBytes: 64 * 1024 ** 2,
  /** Keys that are listed. */
  listed: 20_000,
  /** Requests of one list, or of one round of renewing, that are on their way. */
  inFlight: 32,
});

/** Codes of nats-server, server/errors.json. */
const ErrorCode = Object.freeze({
  streamNotFound: 10_059,
  messageNotFound: 10_037,
  wrongLastSequence: 10_071,
  wrongLastSequenceConstant: 10_164,
});

/** What the store cannot do now; the message says why. */
export class StoreError extends Error {
  readonly errorCode: number;

  constructor(message: string, errorCode = 0) {
    super(message);
    this.errorCode = errorCode;
  }
}

export interface StoredLease {
  readonly revision: number;
  /** An operator's order: the key was deleted by somebody, which the store remembers for the life of a key. */
  readonly isRevoked: boolean;
  readonly value: Uint8Array;
  /** When it was written, by the store's clock. */
  readonly time: string;
}

export const keyOfSession = (prefix: string, fence: string): string =>
  `${prefix}.vm.${createHash("sha256").update(fence).digest("hex").slice(0, 32)}`;

export const keyOfWorker = (prefix: string, worker: string): string => `${prefix}.worker.${worker}`;

type Bag = Readonly<Record<string, unknown>>;
const bagOf = (value: unknown): Bag =>
  typeof value === "object" && value !== null ? (value as Bag) : {};
const isRevision = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) > 0;
const bytesOf = (value: unknown): Buffer =>
  Buffer.from(typeof value === "string" ? value : "", "base64");

export class LeaseStore {
  readonly #broker: Broker;

  constructor(broker: Broker) {
    this.#broker = broker;
  }

  /** Where writes to a key are to be heard of. */
  static subjectOf(key: string): string {
    return base + key;
  }

  /** Looks for the bucket, and makes it where there is none. Answers how long its keys live. Rejects with `StoreError`. */
  async open(): Promise<number> {
    const found = await this.look();
    if (found !== undefined) return found;
    return lifeOf(await this.#api("STREAM.CREATE", configOf()).catch(() => this.#info()));
  }

  /** How long keys of the bucket live; undefined where there is none yet. Rejects with `StoreError`. */
  async look(): Promise<number | undefined> {
    try {
      return lifeOf(await this.#info());
    } catch (error) {
      if ((error as StoreError).errorCode === ErrorCode.streamNotFound) return undefined;
      throw error;
    }
  }

  #info(request: object = {}): Promise<Bag> {
    return this.#api("STREAM.INFO", request);
  }

  /** Writes where the key's revision is still `revision`, 0 for none: the new one, or undefined. Rejects with `StoreError`. */
  async put(key: string, text: LeaseText, revision: number): Promise<number | undefined> {
    const headers = { "Nats-Expected-Last-Subject-Sequence": String(revision) };
    try {
      return await this.#write(key, Buffer.from(JSON.stringify(text)), headers);
    } catch (error) {
      const { errorCode } = error as StoreError;
      const { wrongLastSequence, wrongLastSequenceConstant } = ErrorCode;
      if (errorCode === wrongLastSequence || errorCode === wrongLastSequenceConstant)
        return undefined;
      throw error;
    }
  }

  /** Deletes the key so that whoever holds it hears of that. Rejects with `StoreError`. */
  async revoke(key: string): Promise<void> {
    await this.#write(key, new Uint8Array(0), { "KV-Operation": "DEL" });
  }

  async #write(key: string, data: Uint8Array, headers: Record<string, string>): Promise<number> {
    const { stream: by, seq } = await this.#request(base + key, data, headers);
    if (by !== stream || !isRevision(seq))
      throw new StoreError("the store acknowledges something else");
    return seq;
  }

  /** The key as whoever decides about it has it. Rejects with `StoreError`. */
  async get(key: string): Promise<StoredLease | undefined> {
    try {
      const answer = await this.#api("STREAM.MSG.GET", { last_by_subj: base + key });
      const { seq, hdrs, data, time } = bagOf(answer.message);
      if (!isRevision(seq)) throw new StoreError("the store's answer is malformed");
      return {
        revision: seq,
        isRevoked: /^KV-Operation: *(?:DEL|PURGE)\r?$/m.test(bytesOf(hdrs).toString("latin1")),
        value: bytesOf(data),
        time: typeof time === "string" ? time.slice(0, 40) : "",
      };
    } catch (error) {
      if ((error as StoreError).errorCode === ErrorCode.messageNotFound) return undefined;
      throw error;
    }
  }

  /** Leaves nothing of the key, not even that it was there. Rejects with `StoreError`. */
  async drop(key: string): Promise<void> {
    await this.#api("STREAM.PURGE", { filter: base + key });
  }

  /** The keys that begin so. Rejects with `StoreError`. */
  async keys(prefix: string): Promise<string[]> {
    const { state } = await this.#info({ subjects_filter: `${base}${prefix}>` });
    const subjects = Object.keys(bagOf(bagOf(state).subjects));
    return subjects.slice(0, storeLimits.listed).map((subject) => subject.slice(base.length));
  }

  #api(what: string, request: object): Promise<Bag> {
    return this.#request(`$JS.API.${what}.${stream}`, Buffer.from(JSON.stringify(request)));
  }

  async #request(
    subject: string,
    data: Uint8Array,
    headers: Record<string, string> = {},
  ): Promise<Bag> {
    let answer: Bag;
    try {
      const bytes = await this.#broker.request(subject, data, {
        timeoutMs: storeLimits.answerMs,
        headers,
      });
      answer = bagOf(JSON.parse(Buffer.from(bytes).toString("utf8")));
    } catch (cause) {
      throw new StoreError(`no answer of JetStream: ${(cause as Error).message}`);
    }
    if (answer.error === undefined) return answer;
    const { description, err_code: code } = bagOf(answer.error);
    throw new StoreError(`JetStream refuses: ${String(description).slice(0, 200)}`, Number(code));
  }
}

function lifeOf(found: Bag): number {
  const lifeMs = Number(bagOf(found.config).max_age) / 1e6;
  if (!(lifeMs >= storeLimits.leastLifeMs))
    throw new StoreError(`keys of the bucket ${bucket} do not live for a bounded time`);
  return lifeMs;
}

/** As clients of NATS make buckets, so that `nats kv` reads it. In memory: leases outlive neither their holders nor need to. */
function configOf(): object {
  const nanoseconds = storeLimits.lifeMs * 1e6;
  return {
    name: stream,
    subjects: [`${base}>`],
    retention: "limits",
    storage: "memory",
    discard: "new",
    max_msgs_per_subject: 1,
    max_msgs: -1,
    max_consumers: -1,
    max_age: nanoseconds,
    duplicate_window: nanoseconds,
    max_msg_size: storeLimits.valueBytes + 256,
    max_bytes: storeLimits.bucketBytes,
    num_replicas: 1,
    allow_rollup_hdrs: true,
    allow_direct: true,
    deny_delete: true,
    deny_purge: false,
  };
}

/** Does so for all of them, a few at a time. Rejects with the first error, and begins nothing more. */
export async function forEach<T>(
  list: Iterable<T>,
  work: (one: T) => Promise<void>,
): Promise<void> {
  const rest = [...list].reverse();
  const lane = async (): Promise<void> => {
    for (let next = rest.pop(); next !== undefined; next = rest.pop()) {
      try {
        await work(next);
      } catch (error) {
        rest.length = 0;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: storeLimits.inFlight }, lane));
}
