/**
 * Owns what this process's memory is, as /proc tells it: what the savings beside it go by.
 *
 * Untrusted: nothing. What is measured is a rehearsed life, never a guest's.
 */
import { close, openReadOnly } from "../libc.js";
import { nPread } from "./calls.js";
import { PageMap } from "./page-map.js";

/** A line of /proc/self/maps. */
export interface Mapping {
  readonly from: bigint;
  readonly to: bigint;
  readonly access: string;
  readonly name: string;
}

/** The whole of a file of /proc that is open, or "". */
function readAll(fd: number): string {
  const parts: string[] = [];
  const buffer = Buffer.alloc(64 * 1024);
  for (let at = 0; ;) {
    const got = Number(nPread(fd, buffer, BigInt(buffer.length), BigInt(at)));
    if (got <= 0) return parts.join("");
    parts.push(buffer.toString("latin1", 0, got));
    at += got;
  }
}

/**
 * This process's memory as /proc shows it. Its files are opened once, while that is still
 * allowed, and are among what a child closes first.
 */
export class AddressSpace {
  readonly #maps: number;
  readonly #smaps: number;
  readonly pageMap: PageMap;

  private constructor(maps: number, smaps: number, pageMap: number) {
    this.#maps = maps;
    this.#smaps = smaps;
    this.pageMap = new PageMap(pageMap);
  }

  /** Undefined where /proc cannot be read. */
  static open(): AddressSpace | undefined {
    const fds = ["maps", "smaps", "pagemap"].map((name) => openReadOnly(`/proc/self/${name}`));
    if (fds.every((fd) => fd >= 0)) return new AddressSpace(fds[0]!, fds[1]!, fds[2]!);
    for (const fd of fds) if (fd >= 0) close(fd);
    return undefined;
  }

  /** What is mapped, from the lowest address up. */
  mappings(): Mapping[] {
    return Array.from(
      readAll(this.#maps).matchAll(/^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+ *(.*)$/gm),
      ([, from, to, access, name]) => ({
        from: BigInt(`0x${from}`),
        to: BigInt(`0x${to}`),
        access: access!,
        name: name!,
      }),
    );
  }

  /** Whether the mapping at `address` begins with a huge page. */
  isHuge(address: bigint): boolean {
    const text = readAll(this.#smaps);
    const at = text.search(new RegExp(`^0*${address.toString(16)}-`, "m"));
    return at >= 0 && /^AnonHugePages: +[1-9]/m.test(text.slice(at, at + 2048));
  }
}
