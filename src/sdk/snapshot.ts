/**
 * Owns snapshots on the host's side: the archive as a stream, and where one comes from that a runtime
 * is made of.
 *
 * Invariants: an archive is read once, in order, and never held as a whole; what is not an archive of
 * ours rejects with SNAPSHOT_INVALID before a machine is made, or leaves none behind.
 * Untrusted: every byte of an archive.
 */
import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import { ArchiveParser } from "../protocol/archive-parser.js";
import type { NodeBuffer, Readable as ReadableBytes } from "../protocol/node-types.js";
import type { Policies, Scope } from "../protocol/permissions.js";
import { commandNames, shellNames } from "../protocol/programs.js";
import {
  manifestName,
  mostManifestBytes,
  parseManifest,
  snapshotFormat,
} from "../protocol/snapshot.js";
import type { SnapshotManifest } from "../protocol/snapshot.js";
import { ArchiveError } from "../protocol/tar.js";
import { failure, invalidOption } from "./errors.js";
import type { KernelConnection } from "./kernel-connection.js";
import type { CreateOptions } from "./options.js";

/** A file of the host, bytes, or a stream of them. */
export type NodeRuntimeSnapshotSource = string | Uint8Array | AsyncIterable<Uint8Array>;

/** Bytes of an archive in one message to the kernel. */
const partBytes = 1024 * 1024;
/** Of a snapshot that is restored, so many are on their way at a time. */
const partsAhead = 3;

/** What a snapshot says of the runtime beside its files. */
export function manifestOf({ env, cwd, limits, permissions }: CreateOptions): SnapshotManifest {
  return {
    format: snapshotFormat,
    env,
    cwd,
    limits,
    permissions: portablePermissions(permissions.policies),
    programs: [...shellNames, ...commandNames],
  };
}

/** As the option is written. What a function decided is denied where there is no function. */
function portablePermissions(policies: Policies): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(policies).map(([scope, policy]) => {
      if (policy === "ask") return [scope, "deny"];
      if (typeof policy === "string") return [scope, policy];
      const rules = policy.rules.map(({ patterns, ...rule }) => ({
        ...rule,
        ...(patterns !== undefined && {
          [(scope as Scope) === "fs" ? "paths" : "patterns"]: patterns,
        }),
      }));
      return [scope, { default: policy.default, rules }];
    }),
  );
}

/** The archive of a machine, as of the moment at which the first part is answered. */
export function readSnapshot(
  connection: KernelConnection,
  vm: number,
  manifest: SnapshotManifest,
  fail: (error: unknown) => unknown,
): ReadableBytes {
  const text = JSON.stringify(manifest);
  async function* parts(): AsyncGenerator<Uint8Array> {
    let snapshot = 0;
    const ask = (): ReturnType<typeof connection.call<"snapshot">> => {
      const part = connection.call("snapshot", { vm, snapshot, manifest: text });
      // Nobody may come to wait for it.
      part.catch(() => undefined);
      return part;
    };
    try {
      for (let next = ask(); ;) {
        const { data, more, snapshot: id } = await next;
        snapshot = id;
        // The kernel makes the next part while this one is taken.
        if (more) next = ask();
        yield Buffer.from(data.buffer, data.byteOffset, data.byteLength);
        if (!more) return;
      }
    } catch (error) {
      throw fail(error);
    } finally {
      // Whoever read it stopped early. The machine may be gone as well.
      if (snapshot !== 0)
        connection.call("abandonSnapshot", { vm, snapshot }).catch(() => undefined);
    }
  }
  return Readable.from(parts(), { objectMode: false });
}

export interface OpenSnapshot {
  manifest: SnapshotManifest;
  /** All of the archive. */
  pieces: AsyncIterable<NodeBuffer>;
  /** Lets go of the source, read or not. */
  close(): Promise<void>;
}

export function snapshotSourceOf(value: unknown): NodeRuntimeSnapshotSource | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "string" || value instanceof Uint8Array) return value;
  if (typeof value === "object" && value !== null && Symbol.asyncIterator in value)
    return value as AsyncIterable<Uint8Array>;
  throw invalidOption("snapshot", "must be the path of a file, bytes, or a stream of bytes");
}

async function* piecesOf(source: NodeRuntimeSnapshotSource): AsyncGenerator<Buffer> {
  if (source instanceof Uint8Array) {
    for (let at = 0; at < source.byteLength; at += partBytes)
      yield Buffer.from(
        source.buffer,
        source.byteOffset + at,
        Math.min(partBytes, source.byteLength - at),
      );
    return;
  }
  const stream = typeof source === "string" ? createReadStream(source) : source;
  for await (const piece of stream) {
    if (!(piece instanceof Uint8Array)) throw new ArchiveError("its stream is not one of bytes");
    yield Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
  }
}

/** Reads as far as the manifest. Rejects with SNAPSHOT_INVALID, or with what the source failed with. */
export async function openSnapshot(source: NodeRuntimeSnapshotSource): Promise<OpenSnapshot> {
  const pieces = piecesOf(source);
  const taken: Buffer[] = [];
  const parser = new ArchiveParser();
  const text: Buffer[] = [];
  let left = -1;
  try {
    while (left !== 0) {
      const next = await pieces.next();
      if (next.done === true) throw new ArchiveError("the archive ends too early");
      taken.push(next.value);
      for (const event of parser.push(next.value)) {
        if ("content" in event) {
          text.push(event.content);
          left -= event.content.length;
        } else {
          const { entry } = event;
          if (entry.name !== manifestName || entry.type !== "0" || entry.size === 0)
            throw new ArchiveError("it does not begin with a manifest");
          if (entry.size > mostManifestBytes) throw new ArchiveError("its manifest is too long");
          left = entry.size;
        }
        if (left === 0) break;
      }
    }
    const manifest = parseManifest(Buffer.concat(text).toString("utf8"));
    const close = async (): Promise<void> => {
      await pieces.return(undefined).catch(() => undefined);
    };
    return { manifest, pieces: resumed(taken, pieces), close };
  } catch (error) {
    await pieces.return(undefined);
    throw snapshotError(error);
  }
}

async function* resumed(taken: Buffer[], rest: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  yield* taken.splice(0);
  yield* rest;
}

/** Sends all of it; the machine has its files afterwards. */
export async function restoreSnapshot(
  connection: KernelConnection,
  vm: number,
  pieces: AsyncIterable<NodeBuffer>,
): Promise<void> {
  let held: Buffer[] = [];
  let bytes = 0;
  /** Parts that the kernel has not taken yet, in their order. */
  const sent: Promise<unknown>[] = [];
  const send = async (more: boolean): Promise<void> => {
    const data = held.length === 1 ? held[0]! : Buffer.concat(held);
    held = [];
    bytes = 0;
    const part = connection.call("restore", { vm, data, more });
    // The first that fails says why; those behind it fail, too.
    part.catch(() => undefined);
    sent.push(part);
    while (sent.length > (more ? partsAhead : 0)) await sent.shift();
  };
  try {
    for await (const piece of pieces) {
      for (let at = 0; at < piece.length; at += partBytes) {
        const part = piece.subarray(at, at + partBytes);
        if (bytes + part.length > partBytes) await send(true);
        held.push(part);
        bytes += part.length;
      }
    }
    await send(false);
  } catch (error) {
    throw snapshotError(error);
  }
}

function snapshotError(error: unknown): unknown {
  if (!(error instanceof ArchiveError)) return error;
  return failure("SNAPSHOT_INVALID", { why: error.message }, { cause: error });
}
