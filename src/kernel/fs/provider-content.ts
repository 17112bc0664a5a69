/**
 * Owns the content of open files of a provider: read as a whole when one is opened, changed here, and
 * written as a whole when it is closed or synced. A large one that is only read is read in ranges.
 *
 * Invariants: all who have a file open see the same bytes, and so does whoever looks at its name, until
 * they are stored; two stores of one file are never under way; what is held here is on the VM's account.
 * Untrusted: positions and lengths; sizes, which the provider tells.
 */
import { Errno, type Failure } from "../../abi/errno.js";
import { ask } from "../io/attempt.js";
import { Deferred } from "../io/deferred.js";
import type { Account } from "../machine/account.js";
import type { Quota } from "./quota.js";
import type { Inode } from "./inode.js";
import type { OpenContent } from "./external-file.js";
import type { FileStat } from "./file-stat.js";
import { failureOf } from "./provider-answers.js";
import type { Provided } from "./provider-answers.js";
import { ReadOnlyContent } from "./read-only-content.js";

/** What content needs of the mount that it is of. */
export interface ContentStore {
  readonly account: Account;
  readonly quota: Quota;
  readonly maxFileBytes: number;
  now(): number;
  /** Has the provider store `data`, now or when it was asked before. */
  store(path: string, mode: number, data: Uint8Array): Deferred<0>;
  readRange(path: string, offset: number, length: number): Deferred<Provided>;
  /** Nobody has it open any more, and it is stored. */
  forget(content: SharedContent): void;
}

const nothing = Buffer.alloc(0);
const leastRoom = 4096;

/** The bytes of one file, for all who have it open. */
export class SharedContent {
  /** Changes when it is renamed. */
  path: string;
  /** Its name is gone, or another file's: nothing is stored any more. */
  removed = false;
  readonly mode: number;
  mtimeMs: number;
  readonly #store: ContentStore;
  #data: Buffer = nothing;
  size = 0;
  #users = 0;
  /** Whether something of it is not stored. */
  #dirty = false;
  #storing: Deferred<0>[] | undefined;

  private constructor(store: ContentStore, path: string, mode: number, mtimeMs: number) {
    this.#store = store;
    this.path = path;
    this.mode = mode;
    this.mtimeMs = mtimeMs;
  }

  /** With what the provider has of it, or empty and to be stored. */
  static open(
    store: ContentStore,
    path: string,
    { mode, mtimeMs, data }: { mode: number; mtimeMs: number; data?: Buffer },
  ): SharedContent | Failure {
    if (!store.account.take("provided")) return -Errno.ENFILE;
    const content = new SharedContent(store, path, mode, mtimeMs);
    content.#dirty = data === undefined;
    const bytes = data?.length ?? 0;
    if (!store.quota.takeOpenBytes(bytes)) {
      store.account.give("provided");
      return -Errno.ENOSPC;
    }
    content.#data = data ?? nothing;
    content.size = bytes;
    return content;
  }

  get dirty(): boolean {
    return this.#dirty;
  }

  use(): void {
    this.#users++;
  }

  read(target: Uint8Array, position: number): number {
    if (position >= this.size) return 0;
    const end = Math.min(this.size, position + target.byteLength);
    return this.#data.copy(target, 0, position, end);
  }

  write(source: Uint8Array, position: number): number | Failure {
    const end = position + source.byteLength;
    const failed = end > this.size ? this.#resize(end) : 0;
    if (failed !== 0) return failed;
    this.#data.set(source, position);
    this.#changed();
    return source.byteLength;
  }

  truncate(length: number): 0 | Failure {
    const failed = this.#resize(length);
    if (failed === 0) this.#changed();
    return failed;
  }

  #changed(): void {
    this.#dirty = true;
    this.mtimeMs = this.#store.now();
  }

  #resize(size: number): 0 | Failure {
    const { quota, maxFileBytes } = this.#store;
    if (size > maxFileBytes) return -Errno.EFBIG;
    if (size > this.#data.length) {
      const room = Math.min(maxFileBytes, Math.max(leastRoom, size, this.#data.length * 2));
      if (!quota.takeOpenBytes(room - this.#data.length)) return -Errno.ENOSPC;
      const data = Buffer.alloc(room);
      this.#data.copy(data, 0, 0, this.size);
      this.#data = data;
    } else if (size < this.size) this.#data.fill(0, size, this.size);
    this.size = size;
    return 0;
  }

  /** Stores what is not stored. Whoever waits for it no longer does not end it. */
  flush(): 0 | Deferred<0> {
    if (this.removed || (!this.#dirty && this.#storing === undefined)) return 0;
    const mine = new Deferred<0>();
    if (this.#storing !== undefined && !this.#dirty) this.#storing.push(mine);
    else if (this.#storing !== undefined)
      // What is under way is older; the same call stores the rest after it.
      this.#storing.push(this.#after(mine));
    else this.#begin([mine]);
    return mine;
  }

  #after(mine: Deferred<0>): Deferred<0> {
    const before = new Deferred<0>();
    before.whenSettled(() => mine.follow(this.flush()));
    return before;
  }

  #begin(waiting: Deferred<0>[]): void {
    this.#dirty = false;
    this.#storing = waiting;
    const stored = this.#store.store(this.path, this.mode, this.#data.subarray(0, this.size));
    stored.whenSettled((result) => {
      this.#storing = undefined;
      // As long as it is open, whoever closes it has to hear of that.
      if (result !== 0 && this.#users > 0) this.#dirty = true;
      for (const one of waiting) one.settle(result);
      this.#letGo();
    });
  }

  /** One of those who have it open closes it; the last one stores it, whether somebody waits or not. */
  leave(): void {
    this.#users--;
    if (this.#users === 0) this.flush();
    this.#letGo();
  }

  #letGo(): void {
    if (this.#users > 0 || this.#storing !== undefined) return;
    this.#store.quota.giveOpenBytes(this.#data.length);
    this.#store.account.give("provided");
    this.#data = nothing;
    this.#store.forget(this);
  }
}

/** The content of one open file description. */
export class ProvidedContent implements OpenContent {
  readonly #inode: Inode;
  readonly #shared: SharedContent;
  readonly #changes: boolean;
  #open = true;

  /** `changes`: whether it was opened to change something, and so has to hear whether that is stored. */
  constructor(inode: Inode, shared: SharedContent, changes: boolean) {
    this.#inode = inode;
    this.#shared = shared;
    this.#changes = changes;
    shared.use();
  }

  read(target: Uint8Array, position: number): number {
    return this.#shared.read(target, position);
  }

  write(source: Uint8Array, position: number): number | Failure {
    return this.#shared.write(source, position < 0 ? this.#shared.size : position);
  }

  truncate(length: number): 0 | Failure {
    return this.#shared.truncate(length);
  }

  sync(): 0 | Deferred<0> {
    return this.#shared.flush();
  }

  flush(): 0 | Deferred<0> {
    return this.#changes ? this.#shared.flush() : 0;
  }

  stat(): FileStat {
    const { size, mtimeMs } = this.#shared;
    return { ...this.#inode.stat(), size, blocks: Math.ceil(size / 512), mtimeMs };
  }

  close(): void {
    if (this.#open) this.#shared.leave();
    this.#open = false;
  }
}

/** What one range brings, so that small reads do not ask each time. */
const windowBytes = 1024 * 1024;

/** A file that is only read, piece by piece. */
export class RangedContent extends ReadOnlyContent {
  readonly #inode: Inode;
  readonly #store: ContentStore;
  readonly #path: string;
  #window: { at: number; data: Buffer } = { at: 0, data: nothing };
  #open = true;

  private constructor(inode: Inode, store: ContentStore, path: string) {
    super();
    this.#inode = inode;
    this.#store = store;
    this.#path = path;
  }

  static open(inode: Inode, store: ContentStore, path: string): RangedContent | Failure {
    if (!store.account.take("provided", windowBytes)) return -Errno.ENFILE;
    return new RangedContent(inode, store, path);
  }

  read(target: Uint8Array, position: number): number | Failure {
    const { at, data } = this.#window;
    if (position < at || position >= at + data.length) {
      const failed = this.#load(position);
      if (failed !== 0) return failed;
    }
    return this.#window.data.copy(target, 0, position - this.#window.at);
  }

  #load(position: number): 0 | Failure {
    const length = Math.min(windowBytes, this.#inode.size - position);
    if (length <= 0) {
      this.#window = { at: position, data: nothing };
      return 0;
    }
    const found = ask<Provided>(`readRange ${position} ${this.#path}`, false, () =>
      this.#store.readRange(this.#path, position, length),
    );
    const failed = typeof found === "number" ? found : failureOf(found.json);
    if (typeof found === "number" || failed !== 0) return failed;
    // More than was asked for is no answer to it.
    if (found.data.length > length) return -Errno.EIO;
    this.#window = { at: position, data: found.data };
    return 0;
  }

  stat(): FileStat {
    return this.#inode.stat();
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#window = { at: 0, data: nothing };
    this.#store.account.give("provided", windowBytes);
  }
}
