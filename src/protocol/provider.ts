/**
 * Owns what the kernel may ask code of the host that serves files: the questions of a mounted provider,
 * and the shape of its answers. Content travels beside, as bytes.
 *
 * Paths are absolute in the mount: "/" is its root. Untrusted: every answer, and every path in a question.
 */

/** What a provider may be able to do. */
export const providerOperations = Object.freeze([
  "stat",
  "list",
  "readLink",
  "read",
  "readRange",
  "write",
  "makeDirectory",
  "unlink",
  "removeDirectory",
  "rename",
  "symlink",
  "link",
  "setMode",
  "setTimes",
] as const);
export type ProviderOperation = (typeof providerOperations)[number];

export type ProviderQuestion =
  | { op: "stat" | "list" | "readLink" | "read" | "unlink" | "removeDirectory"; path: string }
  | { op: "readRange"; path: string; offset: number; length: number }
  | { op: "write" | "makeDirectory" | "setMode"; path: string; mode: number }
  | { op: "rename" | "link"; path: string; to: string }
  | { op: "symlink"; path: string; target: string }
  | { op: "setTimes"; path: string; atimeMs: number; mtimeMs: number };

export type ProvidedType = "file" | "directory" | "symlink" | "other";

/** Answers `stat`; what is left out is 0, or as the mount has it. */
export interface ProvidedAttributes {
  type: ProvidedType;
  size?: number;
  /** Permission bits. */
  mode?: number;
  atimeMs?: number;
  mtimeMs?: number;
  ctimeMs?: number;
  birthtimeMs?: number;
}

/** JSON of an answer: what the operation answers beside bytes, or the name of an errno. */
export interface ProviderAnswer {
  errno?: string;
  attributes?: ProvidedAttributes;
  entries?: [name: string, type: ProvidedType | ""][];
  target?: string;
}

/** What a mount may ask for. */
export const providerLimits = Object.freeze({
  maxFileBytes: 1024 * 1024 * 1024,
});

/** A provider as a mount names it. */
export interface ProviderMountOptions {
  /** The SDK's number of it. */
  id: number;
  operations: ProviderOperation[];
  /** How long one question may take. */
  timeoutMs: number;
  /** How long attributes, lists and links may be answered again; 0: never. */
  cacheMs: number;
  /** The largest file that is read or written as a whole. */
  maxFileBytes: number;
}
