/**
 * What a file system may cost the host, and the running account of it.
 *
 * Owns: the limits and three counters (content bytes, inodes, names).
 * Invariant: each counter is between 0 and its limit; every successful `take`
 * is matched by exactly one `give` when the thing is released.
 * Untrusted: nothing; amounts are computed by this directory, never by a guest.
 */
export interface FileSystemLimits {
  /** Stored file content (allocated pages, not file sizes) and long link targets. */
  bytes: number;
  inodes: number;
  /** Directory entries. Hard links cost no inode, so they need a limit of their own. */
  names: number;
  /** Largest file size; the maximum of ext4 by default. Beyond it: EFBIG. */
  fileBytes: number;
  /** Hard links to one inode. Beyond it: EMLINK. */
  links: number;
  nameBytes: number;
  /** PATH_MAX, counting the terminating NUL. */
  pathBytes: number;
  symlinkDepth: number;
  /** Components that the walks of one system call look at together: more than one walk ever does. */
  walkSteps: number;
}

const defaults = {
  bytes: 512 * 1024 * 1024,
  inodes: 131_072,
  fileBytes: 2 ** 44,
  links: 65_000,
  nameBytes: 255,
  pathBytes: 4096,
  symlinkDepth: 40,
  walkSteps: 131_072,
};

/** Fills in the defaults; throws on a limit that is no whole number, as only the host sets them. */
export function completeLimits(given: Partial<FileSystemLimits> = {}): FileSystemLimits {
  const inodes = given.inodes ?? defaults.inodes;
  const limits = { ...defaults, names: inodes * 2, ...given };
  for (const [name, value] of Object.entries(limits)) {
    if (!Number.isSafeInteger(value) || value < 0)
      throw new RangeError(`file system limit ${name}: ${value}`);
  }
  return limits;
}

export class Quota {
  readonly limits: FileSystemLimits;
  #bytes = 0;
  /** Content of files elsewhere, as long as they are open: no clone has it. */
  #openBytes = 0;
  #inodes = 0;
  #names = 0;

  constructor(limits: FileSystemLimits) {
    this.limits = limits;
  }

  /** An account of its own with the same in it. */
  copy(limits: FileSystemLimits): Quota {
    const other = new Quota(limits);
    other.#bytes = this.#bytes;
    other.#inodes = this.#inodes;
    other.#names = this.#names;
    return other;
  }

  get bytes(): number {
    return this.#bytes + this.#openBytes;
  }

  get inodes(): number {
    return this.#inodes;
  }

  takeBytes(count: number): boolean {
    if (this.bytes + count > this.limits.bytes) return false;
    this.#bytes += count;
    return true;
  }

  giveBytes(count: number): void {
    this.#bytes -= count;
  }

  takeOpenBytes(count: number): boolean {
    if (this.bytes + count > this.limits.bytes) return false;
    this.#openBytes += count;
    return true;
  }

  giveOpenBytes(count: number): void {
    this.#openBytes -= count;
  }

  takeInode(): boolean {
    if (this.#inodes >= this.limits.inodes) return false;
    this.#inodes++;
    return true;
  }

  giveInode(): void {
    this.#inodes--;
  }

  takeName(): boolean {
    if (this.#names >= this.limits.names) return false;
    this.#names++;
    return true;
  }

  giveName(): void {
    this.#names--;
  }
}
