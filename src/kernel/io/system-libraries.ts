/**
 * Owns the libraries of the host's libc that native addons are linked with and an engine is not: those that came with
 * the libc that engines run on, by names of a fixed list. No guest's text becomes a path of the host.
 */
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { Errno } from "../../abi/errno.js";

/** Parts of glibc; since 2.34 most of each is in libc itself. */
const names = ["librt.so.1", "libresolv.so.2", "libutil.so.1", "libanl.so.1"] as const;

/** Found once: a few dozen KiB each. */
const found = new Map<string, Uint8Array | undefined>();

/** Of this process, whose engine is that of the guests. */
function libcFolder(): string | undefined {
  const maps = readFileSync("/proc/self/maps", "latin1");
  const path = /^\S+ \S+ \S+ \S+ \d+ +(\/.*\/libc(?:\.so\.6|-2\.\d+\.so))$/m.exec(maps)?.[1];
  return path === undefined ? undefined : dirname(path);
}

function find(name: string): Uint8Array | undefined {
  try {
    const folder = libcFolder();
    return folder === undefined ? undefined : readFileSync(`${folder}/${name}`);
  } catch {
    return undefined;
  }
}

/** The bytes of the library, or -ENOENT. */
export function systemLibrary(name: string): Uint8Array | number {
  const listed = names.find((one) => one === name);
  if (listed === undefined) return -Errno.ENOENT;
  if (!found.has(listed)) found.set(listed, find(listed));
  return found.get(listed) ?? -Errno.ENOENT;
}
