/**
 * Owns the check of what a provider of files answers: what comes out of here has the types, sizes and
 * names that a file system can have, or is an errno.
 *
 * Untrusted: every answer; it comes from code of the host that may be wrong in any way.
 */
import { Errno, type ErrnoName, type Failure } from "../../abi/errno.js";
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK } from "../../abi/fcntl.js";
import type { ProvidedAttributes, ProvidedType, ProviderAnswer } from "../../protocol/provider.js";
import { limits } from "../limits.js";
import type { DirectoryEntry } from "./file-stat.js";

/** An answer as it came. */
export interface Provided {
  readonly json: ProviderAnswer;
  readonly data: Buffer;
}

const formats: Readonly<Record<ProvidedType, number>> = Object.freeze({
  file: S_IFREG,
  directory: S_IFDIR,
  symlink: S_IFLNK,
  // Shown, and never opened.
  other: S_IFSOCK,
});
const nameBytes = 255;
const targetBytes = 4096;
/** Largest distance of a time from the epoch that a JavaScript date can show. */
const maxTimeMs = 8.64e15;

/** `-errno` of an answer that says so, or 0. */
export function failureOf({ errno }: ProviderAnswer): Failure | 0 {
  if (errno === undefined) return 0;
  const known = Object.hasOwn(Errno, errno) ? Errno[errno as ErrnoName] : undefined;
  return known === undefined ? -Errno.EIO : -known;
}

/** Parses what came over the wire; EIO for what is no answer. */
export function providerAnswerOf(text: string): ProviderAnswer {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  } catch {
    // Said below.
  }
  return { errno: "EIO" };
}

export interface Attributes {
  format: number;
  size: number;
  permissions: number | undefined;
  atimeMs: number;
  mtimeMs: number;
  ctimeMs: number;
  birthtimeMs: number;
}

function timeOf(value: unknown, otherwise: number): number {
  if (value === undefined || value === null) return otherwise;
  return typeof value === "number" && Math.abs(value) <= maxTimeMs ? value : NaN;
}

export function attributesOf({ attributes }: ProviderAnswer): Attributes | Failure {
  const given: Partial<Record<keyof ProvidedAttributes, unknown>> | undefined = attributes;
  if (typeof given !== "object" || given === null) return -Errno.EIO;
  const { type, size = 0, mode } = given;
  if (typeof type !== "string" || !Object.hasOwn(formats, type)) return -Errno.EIO;
  if (!Number.isSafeInteger(size) || (size as number) < 0) return -Errno.EIO;
  if (mode !== undefined && !Number.isSafeInteger(mode)) return -Errno.EIO;
  const mtimeMs = timeOf(given.mtimeMs, 0);
  const times = {
    mtimeMs,
    atimeMs: timeOf(given.atimeMs, mtimeMs),
    ctimeMs: timeOf(given.ctimeMs, mtimeMs),
    birthtimeMs: timeOf(given.birthtimeMs, mtimeMs),
  };
  if (Object.values(times).some(Number.isNaN)) return -Errno.EIO;
  return {
    format: formats[type as ProvidedType],
    size: size as number,
    // Set-id bits would be the guest's own user's; nothing is gained by showing them.
    permissions: mode === undefined ? undefined : (mode as number) & 0o1777,
    ...times,
  };
}

function isName(name: unknown): name is string {
  if (typeof name !== "string" || name === "" || name === "." || name === "..") return false;
  return !/[/\0]|\p{Surrogate}/u.test(name) && Buffer.byteLength(name) <= nameBytes;
}

export function entriesOf({ entries }: ProviderAnswer): DirectoryEntry[] | Failure {
  if (!Array.isArray(entries) || entries.length > limits.providerEntries) return -Errno.EIO;
  const found = new Map<string, number>();
  for (const entry of entries as unknown[]) {
    const [name, type] = Array.isArray(entry) ? (entry as unknown[]) : [];
    if (!isName(name)) return -Errno.EIO;
    const format = typeof type === "string" && Object.hasOwn(formats, type);
    found.set(name, format ? (formats[type as ProvidedType] & S_IFMT) >>> 12 : 0);
  }
  return Array.from(found, ([name, type]) => ({ name, type }));
}

export function targetOf({ target }: ProviderAnswer): string | Failure {
  if (typeof target !== "string" || target === "" || target.includes("\0")) return -Errno.EIO;
  return Buffer.byteLength(target) < targetBytes ? target : -Errno.EIO;
}
