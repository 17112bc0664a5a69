/**
 * The part of Node 26's `node:ffi` that `libc.ts` uses. `@types/node` is pinned
 * to the oldest host version, which does not have the module.
 */
declare module "node:ffi" {
  type ScalarType =
    | "void"
    | "bool"
    | "i8"
    | "u8"
    | "i16"
    | "u16"
    | "i32"
    | "u32"
    | "i64"
    | "u64"
    | "pointer"
    | "buffer";

  interface Signature {
    readonly arguments: readonly ScalarType[];
    readonly return: ScalarType;
  }

  class DynamicLibrary {
    /** `null` is the running program itself. */
    constructor(path: string | null);
    getFunction(name: string, signature: Signature): (...args: never[]) => unknown;
    getSymbol(name: string): bigint;
    /** The address of a native function that calls `run`, on the thread that made it and no other. */
    registerCallback(signature: Signature, run: (...args: never[]) => number | bigint): bigint;
    unregisterCallback(pointer: bigint): void;
    close(): void;
  }

  function getRawPointer(data: ArrayBufferView | ArrayBuffer): bigint;
  function getCurrentEventLoop(): bigint;
  function getInt32(pointer: bigint, offset?: number): number;
  /** The C string there. */
  function toString(pointer: bigint): string;
  function toBuffer(pointer: bigint, length: number, copy: boolean): Buffer;
  /** Copies all of `source` to the memory of `length` bytes there. */
  function exportBuffer(source: Buffer, pointer: bigint, length: number): void;
  function setInt64(pointer: bigint, offset: number, value: bigint): void;
  function setUint64(pointer: bigint, offset: number, value: bigint): void;
  function setInt32(pointer: bigint, offset: number, value: number): void;
  /** With `copy` false the result is a view of foreign memory. */
  function toArrayBuffer(pointer: bigint, length: number, copy?: boolean): ArrayBuffer;
}
