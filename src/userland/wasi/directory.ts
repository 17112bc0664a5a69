/**
 * Serves fd_readdir: a listing is taken when the module starts at cookie 0 and
 * kept, so that cookies stay true while names come and go.
 * Untrusted: cookies and buffer sizes.
 */
import type { Dirent } from "node:fs";
import { FileType, Right } from "./abi.js";
import type { ImportTable, WasiContext } from "./context.js";
import type { DirectoryEntry, OpenFile } from "./descriptors.js";
import { encodeText } from "./memory.js";

const headerBytes = 24;

function typeOf(entry: Dirent): number {
  if (entry.isFile()) return FileType.file;
  if (entry.isDirectory()) return FileType.directory;
  if (entry.isSymbolicLink()) return FileType.link;
  if (entry.isCharacterDevice()) return FileType.character;
  if (entry.isBlockDevice()) return FileType.block;
  return entry.isSocket() ? FileType.socketStream : FileType.unknown;
}

export function directoryImports(context: WasiContext): ImportTable {
  const { memory, descriptors, settings, system } = context;

  const list = (directory: OpenFile): DirectoryEntry[] => {
    const itself = (settings.dotEntries ? [".", ".."] : []).map((name) => ({
      name: encodeText(name),
      type: FileType.directory as number,
    }));
    const entries = system.fs.readdirSync(directory.path, { withFileTypes: true });
    return [
      ...itself,
      ...entries.map((entry) => ({ name: encodeText(entry.name), type: typeOf(entry) })),
    ];
  };

  return {
    fd_readdir(fd: number, buffer: number, size: number, cookie: bigint, result: number) {
      const directory = descriptors.directory(fd, Right.fdReaddir);
      const target = memory.bytes(buffer, size);
      memory.u32(result);
      if (cookie === 0n || directory.listing === undefined) directory.listing = list(directory);
      const { listing } = directory;
      let used = 0;
      let index = Number(BigInt.asUintN(64, cookie));
      for (; index < listing.length && used < target.byteLength; index++) {
        const { name, type } = listing[index]!;
        const record = new Uint8Array(headerBytes + name.byteLength);
        const view = new DataView(record.buffer);
        view.setBigUint64(0, BigInt(index + 1), true);
        // An inode number would cost a look-up of each name; C libraries look up those that are 0.
        view.setUint32(16, name.byteLength, true);
        view.setUint8(20, type);
        record.set(name, headerBytes);
        // The last record is cut: that the buffer is full tells the module to go on.
        const part = record.subarray(0, target.byteLength - used);
        target.set(part, used);
        used += part.byteLength;
      }
      memory.setU32(result, used);
    },
  };
}
