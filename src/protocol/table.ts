/**
 * The shape every call table has. A table is data: name → number, argument
 * schema, result schema. Stubs, dispatch, codec and docs derive from it.
 */
import { wireLimits } from "./codec.js";
import type { FieldType, Message, Schema } from "./codec.js";

export interface CallSpec {
  readonly nr: number;
  readonly args: Schema;
  readonly result: Schema;
  /** Its frame may be as long as the wire's longest; see `rowBytes`. */
  readonly large?: true;
}

export interface EventSpec {
  readonly nr: number;
  readonly args: Schema;
  readonly large?: true;
}

/** Frames of numbers and names; PATH_MAX is far below. */
const plainRowBytes = 64 * 1024;
/** Frames with content, which is sent in parts. */
const contentRowBytes = 1024 * 1024;

/** The longest frame that a row's arguments may come in. */
export function rowBytes({ args, large }: EventSpec): number {
  if (large === true) return wireLimits.frameBytes;
  const types = Object.values(args);
  const plain = types.every((type) => !listTypes.has(type));
  return plain ? plainRowBytes : contentRowBytes;
}

const listTypes: ReadonlySet<FieldType> = new Set(["bytes", "strings", "texts", "numbers"]);

export type CallTable = Readonly<Record<string, CallSpec>>;
export type EventTable = Readonly<Record<string, EventSpec>>;

export type CallArgs<T extends CallTable, K extends keyof T> = Message<T[K]["args"]>;
export type CallResult<T extends CallTable, K extends keyof T> = Message<T[K]["result"]>;

/** Looks entries up by their wire number; throws at load time when two entries share one. */
export function byNumber<S extends { readonly nr: number }>(
  table: Readonly<Record<string, S>>,
): ReadonlyMap<number, { name: string; spec: S }> {
  const map = new Map<number, { name: string; spec: S }>();
  for (const [name, spec] of Object.entries(table)) {
    const taken = map.get(spec.nr);
    if (taken) throw new Error(`${name} and ${taken.name} share number ${spec.nr}`);
    map.set(spec.nr, { name, spec });
  }
  return map;
}
