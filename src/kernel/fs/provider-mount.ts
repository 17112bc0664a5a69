/**
 * A file system that code of the host serves, shown at a place of the guest's tree.
 *
 * Owns: the questions to the provider, what it lets be kept of its answers, and the files of it that are open.
 * Invariants: nothing but open files and, for `cacheMs`, answers is kept from one call to the next; what an
 * operation needs that the provider does not have is EROFS where it can change nothing at all, or ENOSYS;
 * everything belongs to the guest's user. After `close` every question is EIO.
 * Untrusted: guests choose names, link targets, modes and times; the provider's answers may be anything.
 */
import { isPlain } from "../../abi/byte-text.js";
import { Errno, type Failure } from "../../abi/errno.js";
import { S_IFDIR } from "../../abi/fcntl.js";
import { providerOperations } from "../../protocol/provider.js";
import type {
  ProviderMountOptions,
  ProviderOperation,
  ProviderQuestion,
} from "../../protocol/provider.js";
import { ask } from "../io/attempt.js";
import type { Deferred } from "../io/deferred.js";
import { limits } from "../limits.js";
import type { FileSystemStat } from "./file-stat.js";
import { failureOf } from "./provider-answers.js";
import type { Provided } from "./provider-answers.js";
import { type ContentStore, SharedContent } from "./provider-content.js";
import type { Quota } from "./quota.js";
import type { SuperBlock } from "./superblock.js";
import { ProviderDirectory } from "./provider-inodes.js";

/** Asks the provider; the answer is a failure or one that was not checked. */
export type AskProvider = (
  options: ProviderMountOptions,
  room: Quota,
  question: ProviderQuestion,
  data?: Uint8Array,
) => Deferred<Provided>;

export interface ProviderPlace {
  readonly provider: ProviderMountOptions;
  readonly readOnly: boolean;
  /** Device number, of its own. */
  readonly device: number;
  /** Whom everything in it belongs to. */
  readonly uid: number;
  readonly gid: number;
  readonly superblock: Pick<SuperBlock, "account" | "now" | "quota">;
  readonly ask: AskProvider;
}

/** include/uapi/linux/magic.h: what Linux shows for a file system that a program serves. */
const FUSE_SUPER_MAGIC = 0x6573_5546;
const looking: readonly ProviderOperation[] = ["stat", "list", "readLink", "read", "readRange"];
const changing: ReadonlySet<ProviderOperation> = new Set(
  providerOperations.filter((operation) => !looking.includes(operation)),
);
const keepable: ReadonlySet<ProviderOperation> = new Set(["stat", "list", "readLink"]);

/**
 * Whether the provider could tell its names from all others: it has them as strings, and most that it would hand those to take
 * what is no character for U+FFFD, which is another name.
 */
function isNamed(question: ProviderQuestion): boolean {
  return ["path", "to", "target"].every((name) => {
    const text = (question as Partial<Record<string, unknown>>)[name];
    return typeof text !== "string" || isPlain(text);
  });
}

export class ProviderMount implements ContentStore {
  readonly place: ProviderPlace;
  readonly root: ProviderDirectory;
  readonly #operations: ReadonlySet<ProviderOperation>;
  /** Files that are open, or not stored yet, by their paths. */
  readonly #contents = new Map<string, SharedContent>();
  readonly #kept = new Map<string, { answer: Provided | number; untilMs: number }>();
  /** Changes with everything that was changed. */
  #generation = 0;
  #closed = false;

  constructor(place: ProviderPlace) {
    this.place = place;
    this.#operations = new Set(place.provider.operations);
    const nowMs = this.now();
    this.root = new ProviderDirectory(this, undefined, "", {
      format: S_IFDIR,
      size: 0,
      permissions: undefined,
      atimeMs: nowMs,
      mtimeMs: nowMs,
      ctimeMs: nowMs,
      birthtimeMs: nowMs,
    });
    this.root.mountRoot = true;
  }

  /** Nothing is known of the room that there is. */
  statfs(): FileSystemStat | Failure {
    const nothing = { blocks: 0, bfree: 0, bavail: 0, files: 0, ffree: 0 };
    return { type: FUSE_SUPER_MAGIC, bsize: 4096, ...nothing };
  }

  get account(): SuperBlock["account"] {
    return this.place.superblock.account;
  }

  get quota(): Quota {
    return this.place.superblock.quota;
  }

  get maxFileBytes(): number {
    return this.place.provider.maxFileBytes;
  }

  get readOnly(): boolean {
    return this.place.readOnly;
  }

  now(): number {
    return this.place.superblock.now();
  }

  /** Files that are open stay open, and are still stored. */
  close(): void {
    this.#closed = true;
    this.#kept.clear();
  }

  /** 0, or why the provider cannot do it. */
  lacks(operation: ProviderOperation): 0 | Failure {
    if (this.#operations.has(operation)) return 0;
    const changes = [...changing].some((one) => this.#operations.has(one));
    return changing.has(operation) && !changes ? -Errno.EROFS : -Errno.ENOSYS;
  }

  /** What the provider says, or its errno. */
  ask(question: ProviderQuestion): Provided | Failure {
    const { op } = question;
    if (this.#closed) return -Errno.EIO;
    const lacking = this.lacks(op);
    if (lacking !== 0) return lacking;
    if (!isNamed(question)) return changing.has(op) ? -Errno.EILSEQ : -Errno.ENOENT;
    const key = JSON.stringify(question);
    const answer = ask<Provided>(key, changing.has(op), () => this.#begin(key, question));
    if (typeof answer === "number") return answer;
    if (changing.has(op)) this.#changed();
    const failed = failureOf(answer.json);
    return failed === 0 ? answer : failed;
  }

  #begin(key: string, question: ProviderQuestion): Provided | number | Deferred<Provided> {
    const kept = this.#kept.get(key);
    if (kept !== undefined && kept.untilMs > this.now()) return kept.answer;
    const { ask: asked, provider } = this.place;
    const { cacheMs } = provider;
    const generation = this.#generation;
    const answer = asked(provider, this.quota, question);
    if (cacheMs === 0 || !keepable.has(question.op)) return answer;
    return answer.map((provided) => {
      if (generation !== this.#generation || this.#closed) return provided;
      if (this.#kept.size >= limits.providerAnswers) this.#kept.clear();
      this.#kept.set(key, { answer: provided, untilMs: this.now() + cacheMs });
      return provided;
    });
  }

  #changed(): void {
    this.#generation++;
    this.#kept.clear();
  }

  store(path: string, mode: number, data: Uint8Array): Deferred<0> {
    const { ask: asked, provider } = this.place;
    this.#changed();
    return asked(provider, this.quota, { op: "write", path, mode }, data).map(({ json }) => {
      this.#changed();
      return failureOf(json) as 0;
    });
  }

  readRange(path: string, offset: number, length: number): Deferred<Provided> {
    const { ask: asked, provider } = this.place;
    return asked(provider, this.quota, { op: "readRange", path, offset, length });
  }

  // Files that are open.

  contentAt(path: string): SharedContent | undefined {
    return this.#contents.get(path);
  }

  /** Names of files in a directory that the provider may not know of yet. */
  *unstoredIn(directory: string): Iterable<string> {
    const prefix = directory === "/" ? "/" : `${directory}/`;
    for (const path of this.#contents.keys())
      if (path.startsWith(prefix) && !path.includes("/", prefix.length))
        yield path.slice(prefix.length);
  }

  newContent(
    path: string,
    given: { mode: number; mtimeMs: number; data?: Buffer },
  ): SharedContent | Failure {
    if (!isPlain(path)) return -Errno.EILSEQ;
    const content = SharedContent.open(this, path, given);
    if (content instanceof SharedContent) this.#contents.set(path, content);
    return content;
  }

  forget(content: SharedContent): void {
    if (this.#contents.get(content.path) === content) this.#contents.delete(content.path);
  }

  /** The name is another file's, or nobody's. */
  removed(path: string): void {
    const content = this.#contents.get(path);
    if (content === undefined) return;
    content.removed = true;
    this.#contents.delete(path);
  }

  /** Has what is not stored of `path` and below it stored. */
  storeBelow(path: string): 0 | Failure {
    for (const content of this.#contents.values()) {
      if (content.path !== path && !content.path.startsWith(`${path}/`)) continue;
      if (!content.dirty) continue;
      // Once it is stored, it is not asked for again: no change that must not be made twice.
      const stored = ask<0>(`store ${content.path}`, false, () => content.flush());
      if (stored !== 0) return stored;
    }
    return 0;
  }

  moved(from: string, to: string): void {
    this.removed(to);
    for (const content of Array.from(this.#contents.values())) {
      if (content.path !== from && !content.path.startsWith(`${from}/`)) continue;
      this.#contents.delete(content.path);
      content.path = to + content.path.slice(from.length);
      this.#contents.set(content.path, content);
    }
  }
}
