/**
 * Snapshots of machines for the host, and machines made from them.
 *
 * Owns: archives that the host is reading, part by part.
 * Invariants: an archive shows one moment, that of its first part; it ends with its last part, with the
 * first failure or with the VM; a part is bounded, so that nobody else waits for long.
 * Untrusted: the names and content of files, and every byte of an archive that is restored.
 */
import { Errno } from "../../abi/errno.js";
import type { CallHandlers } from "./door.js";
import { manifestName } from "../../protocol/snapshot.js";
import { ArchiveError, headerBlocks, padded } from "../../protocol/tar.js";
import { PathTooLong, archiveEnd } from "../fs/index.js";
import type { Vm } from "../machine/vm.js";
import { VmOptionError } from "../machine/vm.js";
import { HostError } from "./error.js";
import { fileError } from "./file-answers.js";

/** About what one part carries, and how many entries it is made of at most. */
const partBytes = 1024 * 1024;
const partPieces = 4000;

/** What a part is put together in: it is sent before the next call of anybody is looked at. */
let partMemory: Buffer | undefined;

interface Reading {
  vm: Vm;
  pieces: Generator<Uint8Array>;
  /** The first piece of the next part. */
  next?: Uint8Array | undefined;
}

type Handlers = Pick<CallHandlers, "snapshot" | "abandonSnapshot" | "restore">;

export function createHostSnapshots(vmOf: (handle: number) => Vm): {
  handlers: Handlers;
  /** Ends what is being read of a VM that is going. */
  release(vm: Vm): void;
} {
  const readings = new Map<number, Reading>();
  let last = 0;

  const begin = (vm: Vm, manifest: string): number => {
    do last = (last + 1) >>> 0;
    while (last === 0 || readings.has(last));
    readings.set(last, { vm, pieces: wholeArchive(vm, manifest) });
    return last;
  };
  const end = (id: number): void => {
    readings.get(id)?.pieces.return(undefined);
    readings.delete(id);
  };

  const handlers: Handlers = {
    snapshot({ vm: handle, snapshot, manifest }) {
      const vm = vmOf(handle);
      const id = snapshot || begin(vm, manifest);
      const reading = readings.get(id);
      if (reading?.vm !== vm)
        throw new HostError("ERR_SECURE_EXEC_INTERNAL", "the snapshot is not being read");
      try {
        const { data, more } = nextPart(reading);
        if (!more) end(id);
        return { data, more, snapshot: more ? id : 0 };
      } catch (error) {
        end(id);
        if (error instanceof PathTooLong)
          throw fileError("snapshot", error.message.slice(0, 200), -Errno.ENAMETOOLONG);
        throw error;
      }
    },
    abandonSnapshot({ vm, snapshot }) {
      if (readings.get(snapshot)?.vm === vmOf(vm)) end(snapshot);
      return {};
    },
    restore({ vm, data, more }) {
      try {
        vmOf(vm).restore(Buffer.from(data.buffer, data.byteOffset, data.byteLength), more);
      } catch (error) {
        if (error instanceof ArchiveError)
          throw new HostError(
            "ERR_SECURE_EXEC_SNAPSHOT_INVALID",
            `the snapshot cannot be restored: ${error.message}`,
          );
        if (error instanceof VmOptionError)
          throw new HostError("ERR_SECURE_EXEC_INVALID_OPTION", error.message);
        throw error;
      }
      return {};
    },
  };

  return {
    handlers,
    release(vm) {
      for (const [id, reading] of readings) if (reading.vm === vm) end(id);
    },
  };
}

function* wholeArchive(vm: Vm, manifest: string): Generator<Uint8Array> {
  const text = Buffer.from(manifest);
  // The moment that is taken is that of the first part, however long the rest takes.
  const files = vm.fs.archive();
  const first = files.next();
  try {
    yield headerBlocks({
      name: manifestName,
      mode: 0o644,
      uid: 0,
      gid: 0,
      size: text.length,
      mtimeSeconds: 0,
      type: "0",
      link: "",
      user: "",
      group: "",
    });
    yield padded(text);
    if (first.done !== true) yield first.value;
    yield* files;
    yield archiveEnd;
  } finally {
    files.return(undefined);
  }
}

function nextPart(reading: Reading): { data: Uint8Array; more: boolean } {
  partMemory ??= Buffer.allocUnsafeSlow(partBytes);
  let bytes = 0;
  for (let count = 0; count < partPieces; count++) {
    const piece = reading.next ?? reading.pieces.next().value;
    reading.next = undefined;
    if (piece === undefined) return { data: partMemory.subarray(0, bytes), more: false };
    if (bytes + piece.length > partBytes) {
      // One that is larger than a part is one.
      if (bytes === 0) return { data: piece, more: true };
      reading.next = piece;
      break;
    }
    partMemory.set(piece, bytes);
    bytes += piece.length;
  }
  return { data: partMemory.subarray(0, bytes), more: true };
}
