/**
 * Owns how values pass between Node's `fs` JavaScript and the kernel: paths and names as text,
 * positions, bytes of a view, what `stat` answers.
 */

import { statSlots } from "../../protocol/fs-calls.js";
import { bytesToKernel, toKernel } from "../names.js";
import { codedError } from "./fs-runner.js";

export type PathArgument = string | Uint8Array;

const { from } = Buffer;
const { toString: decode } = Buffer.prototype;
const { apply } = Reflect;
const NativeNumber = Number;
const { isSafeInteger } = Number;
const NativeBigInt = BigInt;

export function text(bytes: Uint8Array, encoding?: string): string {
  const buffer = from(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength);
  return apply(decode, buffer, [encoding ?? "utf8"]);
}

export function toPath(path: PathArgument): string {
  return typeof path === "string" ? toKernel(path) : bytesToKernel(path);
}

export function toPosition(position: unknown): number {
  // As C++ reads it: what is no position means the current one.
  const at = typeof position === "bigint" ? NativeNumber(position) : position;
  return typeof at === "number" && at >= 0 && (typeof position === "bigint" || isSafeInteger(at))
    ? at
    : -1;
}

/** The bytes of a view, `offset` and `length` cut to it. */
export function bytesOf(
  view: ArrayBufferView,
  offset = 0,
  length = view.byteLength - offset,
): Uint8Array {
  if (
    !(offset >= 0) ||
    offset > view.byteLength ||
    !(length >= 0) ||
    length > view.byteLength - offset
  ) {
    throw codedError("ERR_OUT_OF_RANGE", "The buffer does not hold the requested range");
  }
  return new Uint8Array(view.buffer as ArrayBuffer, view.byteOffset + offset, length);
}

export type StatArray = Float64Array | BigInt64Array;

/** Writes kernel stat values into `target`, or a fresh array of the right kind. */
export function toStats(values: ArrayLike<number>, bigint: boolean, target?: StatArray): StatArray {
  const stats = target ?? (bigint ? new BigInt64Array(statSlots) : new Float64Array(statSlots));
  for (let at = 0; at < statSlots; at++) {
    const value = values[at] ?? 0;
    (stats as { [at: number]: number | bigint })[at] = bigint ? NativeBigInt(value) : value;
  }
  return stats;
}
