/**
 * Files and directories whose content is made when it is asked for.
 *
 * Owns: the inodes of such file systems; what is in them comes from callbacks.
 * Invariants: a file shows, while it is open, what it showed when it was opened;
 * nothing here can be changed or written.
 * Untrusted: names that are looked up.
 */
import { bufferOf } from "../../abi/byte-text.js";
import { Errno, type Failure } from "../../abi/errno.js";
import { S_IFREG } from "../../abi/fcntl.js";
import type { Account } from "../machine/account.js";
import type { Credentials } from "./credentials.js";
import { type Inode } from "./inode.js";
import { SymbolicLink } from "./special-files.js";
import { ExternalDirectory, ExternalFile, type OpenContent } from "./external-file.js";
import type { DirectoryEntry, FileStat } from "./file-stat.js";
import type { SuperBlock } from "./superblock.js";

/** Where an inode belongs and how it looks. */
export interface SyntheticAttributes {
  device: number;
  ino: number;
  permissions: number;
  uid: number;
  gid: number;
  now: number;
  /** Counts what open files show, and is told which processes are looked at. */
  superblock: Pick<SuperBlock, "account" | "admit" | "inspected">;
}

export class SyntheticFile extends ExternalFile {
  readonly #device: number;
  readonly #superblock: SyntheticAttributes["superblock"];
  readonly #render: (who: Credentials) => string;

  constructor(attributes: SyntheticAttributes, render: (who: Credentials) => string) {
    super(S_IFREG, attributes);
    this.#device = attributes.device;
    this.#superblock = attributes.superblock;
    this.#render = render;
    this.nlink = 1;
  }

  /** Not known before it is read, as in procfs. */
  get size(): number {
    return 0;
  }

  override get device(): number {
    return this.#device;
  }

  open(_flags: number, who: Credentials): OpenContent | Failure {
    const bytes = bufferOf(this.#render(who));
    if (!this.#superblock.admit(who, "rendered", bytes.length)) return -Errno.ENOMEM;
    return new RenderedContent(this, bytes, this.#superblock.account);
  }
}

class RenderedContent implements OpenContent {
  readonly #inode: Inode;
  readonly #bytes: Buffer;
  readonly #account: Account;

  constructor(inode: Inode, bytes: Buffer, account: Account) {
    this.#inode = inode;
    this.#bytes = bytes;
    this.#account = account;
  }

  read(target: Uint8Array, position: number): number {
    const part = this.#bytes.subarray(position, position + target.length);
    target.set(part);
    return part.length;
  }

  write(): Failure {
    return -Errno.EIO;
  }

  truncate(): Failure {
    return -Errno.EINVAL;
  }

  sync(): Failure {
    return -Errno.EINVAL;
  }

  stat(): FileStat {
    return this.#inode.stat();
  }

  close(): void {
    this.#account.give("rendered", this.#bytes.length);
  }
}

export class SyntheticLink extends SymbolicLink {
  readonly #device: number;

  constructor(attributes: SyntheticAttributes, target: string) {
    super(attributes, target);
    this.#device = attributes.device;
    this.nlink = 1;
  }

  override get size(): number {
    return 0;
  }

  override get device(): number {
    return this.#device;
  }
}

export interface SyntheticEntries {
  /** The entry of that name, made anew by each call. */
  find(name: string, who: Credentials, parent: SyntheticDirectory): Inode | undefined;
  list(): DirectoryEntry[];
}

export class SyntheticDirectory extends ExternalDirectory {
  readonly #device: number;
  readonly #entries: SyntheticEntries;

  constructor(
    attributes: SyntheticAttributes,
    parent: SyntheticDirectory | undefined,
    name: string,
    entries: SyntheticEntries,
  ) {
    super(attributes);
    this.#device = attributes.device;
    this.#entries = entries;
    this.name = name;
    if (parent !== undefined) this.parent = parent;
  }

  override get size(): number {
    return 0;
  }

  override get device(): number {
    return this.#device;
  }

  lookup(name: string, who: Credentials): Inode | undefined {
    return this.#entries.find(name, who, this);
  }

  list(): DirectoryEntry[] {
    return this.#entries.list();
  }
}
