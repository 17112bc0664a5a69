/**
 * Owns the two ends of a framed table: the one that calls and hears answers, and the one that
 * serves. All four ends of the product's two sockets are one of them (guest and kernel, SDK and
 * kernel), so frames are encoded and decoded by name here and nowhere else.
 *
 * Invariants: a message is decoded against the schema that this side's own table has for its
 * number; a call is answered at most once; the values that handlers get have the types of the table.
 * Untrusted: every frame given to `take`. What does not fit the table throws `MalformedMessage`.
 */
import { Decoder, MalformedMessage } from "./codec.js";
import type { Message, Schema } from "./codec.js";
import { FrameKind, encodeFrame, encodeParts, frameHeaderBytes } from "./frames.js";
import type { Frame, FrameParts, RowLimit } from "./frames.js";
import type { NodeBuffer } from "./node-types.js";
import { byNumber, rowBytes } from "./table.js";
import type { CallArgs, CallResult, CallSpec, CallTable, EventSpec, EventTable } from "./table.js";

/** What is said on one socket. */
export interface Tables {
  readonly calls: CallTable;
  /** One-way messages of the end that calls. */
  readonly callerEvents: EventTable;
  /** One-way messages of the end that serves. */
  readonly serverEvents: EventTable;
  /** Payload of a call's failure. */
  readonly failure: Schema;
}

interface Entry<S> {
  readonly name: string;
  readonly spec: S;
}

/** A call, as far as its header tells. */
export interface CallHead<C extends CallTable> {
  readonly name: keyof C & string;
  readonly id: number;
}

/** Tables with their rows by number; made once per process, by `wireOf`. */
export interface Wire<T extends Tables> {
  readonly tables: T;
  readonly calls: ReadonlyMap<number, Entry<CallSpec>>;
  readonly callerEvents: ReadonlyMap<number, Entry<EventSpec>>;
  readonly serverEvents: ReadonlyMap<number, Entry<EventSpec>>;
}

export function wireOf<T extends Tables>(tables: T): Wire<T> {
  return {
    tables,
    calls: byNumber(tables.calls),
    callerEvents: byNumber(tables.callerEvents),
    serverEvents: byNumber(tables.serverEvents),
  };
}

/** For the `FrameReader` of the end that serves; a call over it goes to `refuse` of `take`. */
export function rowLimitOf(wire: Wire<Tables>): RowLimit {
  // Asked for every frame: worked out once.
  const bytesOf = (rows: ReadonlyMap<number, Entry<EventSpec>>): ReadonlyMap<number, number> =>
    new Map(Array.from(rows, ([number, { spec }]) => [number, rowBytes(spec)]));
  const events = bytesOf(wire.callerEvents);
  const calls = bytesOf(wire.calls);
  return (kind, number) =>
    // Nothing is kept for what does not exist.
    (kind === FrameKind.event ? events : calls).get(number) ?? frameHeaderBytes;
}

export type EventArgs<E extends EventTable, K extends keyof E> = Message<E[K]["args"]>;

/** An event as it arrived; `name` tells the type of `args`. */
export type EventOf<E extends EventTable> = {
  [K in keyof E & string]: { readonly name: K; readonly args: EventArgs<E, K> };
}[keyof E & string];

/** A call as it arrived; `name` tells the type of `args`, whose bytes are views of the frame or of copies. */
export type CallOf<C extends CallTable> = {
  [K in keyof C & string]: {
    readonly name: K;
    readonly args: CallArgs<C, K>;
    readonly id: number;
    /** Bytes of its arguments on the wire. */
    readonly argumentBytes: number;
  };
}[keyof C & string];

/** A call of one name, for whoever answers it. */
export interface Answerable<K> {
  readonly name: K;
  readonly id: number;
}

function event<E extends EventTable, K extends keyof E>(
  table: E,
  name: K,
  args: EventArgs<E, K>,
): NodeBuffer {
  const { nr, args: schema } = table[name]!;
  return encodeFrame(FrameKind.event, 0, nr, schema, args);
}

function heard<E extends EventTable>(
  entries: ReadonlyMap<number, Entry<EventSpec>>,
  frame: Frame,
): EventOf<E> | undefined {
  const entry = entries.get(frame.number);
  if (entry === undefined) return undefined;
  const args = new Decoder(frame.payload).message(entry.spec.args);
  // The entry is a row of E, so name and arguments belong together.
  return { name: entry.name, args } as EventOf<E>;
}

/** A call may wait with its arguments for longer than its frame is there. */
function ownBytes(args: Record<string, unknown>, schema: Schema): void {
  for (const name in schema) {
    if (schema[name] === "bytes") args[name] = Uint8Array.prototype.slice.call(args[name]);
  }
}

/** The end that serves calls. */
export class ServingPort<T extends Tables> {
  readonly #wire: Wire<T>;

  constructor(wire: Wire<T>) {
    this.#wire = wire;
  }

  /** Hands a frame to the one of two handlers that it is for. */
  take(
    frame: Frame,
    call: (call: CallOf<T["calls"]>) => void,
    happened: (event: EventOf<T["callerEvents"]>) => void,
    refuse?: (call: CallHead<T["calls"]>) => void,
  ): void {
    if (frame.kind === FrameKind.event) {
      if (frame.tooLong === true) throw new MalformedMessage(`event ${frame.number} is too long`);
      const known = heard<T["callerEvents"]>(this.#wire.callerEvents, frame);
      if (known === undefined) throw new MalformedMessage(`event ${frame.number} does not exist`);
      return happened(known);
    }
    if (frame.kind !== FrameKind.call) throw new MalformedMessage(`frame kind ${frame.kind}`);
    const entry = this.#wire.calls.get(frame.number);
    if (entry === undefined) throw new MalformedMessage(`call ${frame.number} does not exist`);
    if (frame.tooLong === true) return refuse?.({ name: entry.name, id: frame.id });
    const args: Record<string, unknown> = new Decoder(frame.payload).message(entry.spec.args);
    call({
      name: entry.name,
      args,
      id: frame.id,
      argumentBytes: frame.payload.length,
    } as CallOf<T["calls"]>);
  }

  /** Copies the bytes of a call that came as views of a passing frame. */
  own({ name, args }: CallOf<T["calls"]>): void {
    ownBytes(args, this.#wire.tables.calls[name as string]!.args);
  }

  /** The frame of an answer. Throws RangeError when it fits none. */
  reply<K extends keyof T["calls"]>(
    { name, id }: Answerable<K>,
    result: CallResult<T["calls"], K>,
  ): NodeBuffer {
    const spec = this.#wire.tables.calls[name as string]!;
    return encodeFrame(FrameKind.reply, id, spec.nr, spec.result, result);
  }

  /** The same in parts. */
  replyParts<K extends keyof T["calls"]>(
    { name, id }: Answerable<K>,
    result: CallResult<T["calls"], K>,
  ): FrameParts {
    const spec = this.#wire.tables.calls[name as string]!;
    return encodeParts(FrameKind.reply, id, spec.nr, spec.result, result);
  }

  failure({ name, id }: Answerable<keyof T["calls"]>, why: Message<T["failure"]>): NodeBuffer {
    const { calls, failure } = this.#wire.tables;
    return encodeFrame(FrameKind.failure, id, calls[name as string]!.nr, failure, why);
  }

  event<K extends keyof T["serverEvents"]>(
    name: K,
    args: EventArgs<T["serverEvents"], K>,
  ): NodeBuffer {
    return event<T["serverEvents"], K>(this.#wire.tables.serverEvents, name, args);
  }
}

/** Without a spread: a guest's program may have taken the iterators of arrays away. */
const encodeWhole: typeof encodeParts = (kind, id, nr, schema, values) => [
  encodeFrame(kind, id, nr, schema, values),
];

/** Puts bytes of a result where its caller wants them. */
export type Own = (view: Uint8Array) => Uint8Array;

interface Pending {
  readonly name: string;
  readonly result: Schema;
  readonly own: Own;
  readonly done: (result: unknown, failure: unknown) => void;
}

export interface CallingHandlers<T extends Tables> {
  write(frame: NodeBuffer): void;
  /** Writes what calls carry from where it lies; without it, all is copied into one frame. */
  writeParts?(parts: FrameParts): void;
  event(event: EventOf<T["serverEvents"]>): void;
  /** Bytes of a result as the caller may keep them; they come as views of the frame. */
  own: Own;
  /** Something came that nobody asked for. */
  unknown(what: string): void;
}

/** Exactly one of the two is there. */
export type Done<T extends Tables, K extends keyof T["calls"]> = (
  result: CallResult<T["calls"], K> | undefined,
  failure: Message<T["failure"]> | undefined,
) => void;

/** The end that calls. */
export class CallingPort<T extends Tables> {
  readonly #wire: Wire<T>;
  readonly #handlers: CallingHandlers<T>;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;

  constructor(wire: Wire<T>, handlers: CallingHandlers<T>) {
    this.#wire = wire;
    this.#handlers = handlers;
  }

  /** Calls without an answer yet. */
  get pending(): number {
    return this.#pending.size;
  }

  get pendingNames(): string[] {
    return Array.from(this.#pending.values(), ({ name }) => name);
  }

  /**
   * Sends a call; `done` hears its answer, whose bytes `own` has kept. Throws RangeError when the arguments
   * fit no frame.
   */
  call<K extends keyof T["calls"]>(
    name: K,
    args: CallArgs<T["calls"], K>,
    done: Done<T, K>,
    own: Own = this.#handlers.own,
  ): void {
    const spec = this.#wire.tables.calls[name as string]!;
    do this.#lastId = (this.#lastId + 1) >>> 0;
    while (this.#lastId === 0 || this.#pending.has(this.#lastId));
    const { writeParts } = this.#handlers;
    const encode = writeParts === undefined ? encodeWhole : encodeParts;
    const parts = encode(FrameKind.call, this.#lastId, spec.nr, spec.args, args);
    this.#pending.set(this.#lastId, {
      name: name as string,
      result: spec.result,
      done: done as Pending["done"],
      own,
    });
    if (writeParts === undefined) this.#handlers.write(parts[0]);
    else writeParts(parts);
  }

  /** Sends a one-way message. Throws RangeError when it fits no frame. */
  send<K extends keyof T["callerEvents"]>(name: K, args: EventArgs<T["callerEvents"], K>): void {
    const table: T["callerEvents"] = this.#wire.tables.callerEvents;
    const { nr, args: schema } = table[name]!;
    const { writeParts } = this.#handlers;
    if (writeParts === undefined)
      this.#handlers.write(encodeFrame(FrameKind.event, 0, nr, schema, args));
    else writeParts(encodeParts(FrameKind.event, 0, nr, schema, args));
  }

  take(frame: Frame): void {
    if (frame.kind === FrameKind.event) {
      const known = heard<T["serverEvents"]>(this.#wire.serverEvents, frame);
      if (known === undefined) return this.#handlers.unknown(`event ${frame.number}`);
      return this.#handlers.event(known);
    }
    const pending = this.#pending.get(frame.id);
    if (pending === undefined) return this.#handlers.unknown(`answer to call ${frame.id}`);
    const decoder = new Decoder(frame.payload);
    if (frame.kind === FrameKind.failure) {
      pending.done(undefined, decoder.message(this.#wire.tables.failure));
      this.#pending.delete(frame.id);
      return;
    }
    if (frame.kind !== FrameKind.reply)
      return this.#handlers.unknown(`frame of kind ${frame.kind}`);
    const result: Record<string, unknown> = decoder.message(pending.result);
    for (const name in pending.result) {
      if (pending.result[name] === "bytes") result[name] = pending.own(result[name] as Uint8Array);
    }
    // In this order: who is broken into between the two is told again, and not never.
    pending.done(result, undefined);
    this.#pending.delete(frame.id);
  }

  /** Forgets every pending call; whoever made them learns of it in another way. */
  abandon(): void {
    this.#pending.clear();
  }
}
