/**
 * Owns what a snapshot's archive looks like: a tar file whose first entry is the manifest, followed by
 * everything below `filesPrefix`, parents before what is in them.
 *
 * Untrusted: a manifest that is read. `parseManifest` answers only what has the right shape; whether its
 * values may be used is for the options' own checks to say.
 */
import { ArchiveError } from "./tar.js";

export const manifestName = "secure-exec.json";
export const filesPrefix = "files";
export const snapshotFormat = 1;
export const mostManifestBytes = 4 * 1024 * 1024;

/** Pax records of entries, beside those that every tar knows. */
export const recordKeys = Object.freeze({
  /** Milliseconds of last access, change of content, change, and birth, divided by spaces. */
  times: "SECUREEXEC.times",
  /** Of a file with holes: its size, and the ranges that its content is for: `size;start-end,start-end`. */
  extents: "SECUREEXEC.extents",
});

/** Beside the format, everything is what was given to the runtime that was taken. */
export interface SnapshotManifest {
  format: typeof snapshotFormat;
  env: Record<string, string>;
  cwd: string;
  limits: Record<string, number>;
  /** Those scopes that are data: functions do not travel. */
  permissions: Record<string, unknown>;
  /** Commands that the machine was made with; others are added where it is restored. */
  programs: string[];
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isRecordOf = (value: unknown, type: "string" | "number"): boolean =>
  isRecord(value) && Object.values(value).every((entry) => typeof entry === type);

/** Throws `ArchiveError`. */
export function parseManifest(text: string): SnapshotManifest {
  let manifest: unknown;
  try {
    manifest = JSON.parse(text);
  } catch {
    throw new ArchiveError("its manifest is not JSON");
  }
  if (!isRecord(manifest)) throw new ArchiveError("its manifest is no object");
  if (manifest["format"] !== snapshotFormat)
    throw new ArchiveError(`its format is not ${snapshotFormat}, the one that this version knows`);
  const { env, cwd, limits, permissions, programs } = manifest;
  const fits =
    isRecordOf(env, "string") &&
    typeof cwd === "string" &&
    isRecordOf(limits, "number") &&
    isRecord(permissions) &&
    Array.isArray(programs) &&
    programs.every((name) => typeof name === "string");
  if (!fits) throw new ArchiveError("its manifest lacks something or has it of another type");
  return manifest as unknown as SnapshotManifest;
}
