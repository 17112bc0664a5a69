/**
 * The shape every call table has. A table is data: name → number, argument
 * schema, result schema. Stubs, dispatch, codec and docs derive from it.
 */
import type { Message, Schema } from "./codec.js";

export interface CallSpec {
  readonly nr: number;
  readonly args: Schema;
  readonly result: Schema;
}

export interface EventSpec {
  readonly nr: number;
  readonly args: Schema;
}

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
