/**
 * Owns a process's descriptors: small numbers that name open file descriptions.
 *
 * Invariants: a new descriptor is the lowest free number (POSIX open(2)); every
 * slot holds one reference, given back exactly once; at most `limit` are open.
 * Untrusted: every number.
 */
import { Errno } from "../../abi/errno.js";
import { OpenFile } from "../fs/index.js";
import { Stream } from "../io/stream.js";

export type Description = OpenFile | Stream;

export class DescriptorTable {
  readonly #slots = new Map<number, Description>();
  /** With whose end a descriptor is closed before the process's own. */
  readonly #owners = new Map<number, object>();
  /** RLIMIT_NOFILE. */
  get limit(): number {
    return this.#limit;
  }
  readonly #limit: number;
  #lowest = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#slots.size;
  }

  get isFull(): boolean {
    return this.#slots.size >= this.#limit;
  }

  get(fd: number): Description | undefined {
    return this.#slots.get(fd);
  }

  /** The file behind `fd`, when it is one. */
  file(fd: number): OpenFile | undefined {
    const description = this.#slots.get(fd);
    return description instanceof OpenFile ? description : undefined;
  }

  stream(fd: number): Stream | undefined {
    const description = this.#slots.get(fd);
    return description instanceof Stream ? description : undefined;
  }

  /** Takes over one reference; answers the descriptor, or -EMFILE (and gives the reference back). */
  add(description: Description): number {
    if (this.isFull) {
      description.unref();
      return -Errno.EMFILE;
    }
    let fd = this.#lowest;
    while (this.#slots.has(fd)) fd++;
    this.#slots.set(fd, description);
    this.#lowest = fd + 1;
    return fd;
  }

  /** dup2(2): takes over one reference and closes what was there. */
  put(fd: number, description: Description): number {
    if (!Number.isInteger(fd) || fd < 0 || fd >= this.#limit) {
      description.unref();
      return -Errno.EBADF;
    }
    const previous = this.#slots.get(fd);
    this.#slots.set(fd, description);
    this.#owners.delete(fd);
    previous?.unref();
    return fd;
  }

  /** Has `owner` own `fd`, if it is open, or nobody. */
  own(fd: number, owner: object | undefined): void {
    if (owner === undefined) this.#owners.delete(fd);
    else if (this.#slots.has(fd)) this.#owners.set(fd, owner);
  }

  closeOf(owner: object): void {
    for (const [fd, its] of this.#owners) if (its === owner) this.close(fd);
  }

  close(fd: number): number {
    const description = this.#slots.get(fd);
    if (description === undefined) return -Errno.EBADF;
    this.#slots.delete(fd);
    this.#owners.delete(fd);
    if (fd < this.#lowest) this.#lowest = fd;
    description.unref();
    return 0;
  }

  closeAll(): void {
    const all = [...this.#slots.values()];
    this.#slots.clear();
    this.#owners.clear();
    this.#lowest = 0;
    for (const description of all) description.unref();
  }

  entries(): IterableIterator<[number, Description]> {
    return this.#slots.entries();
  }
}
