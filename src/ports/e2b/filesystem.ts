/**
 * Owns e2b's Filesystem service and its /files for one sandbox: files of the machine with the facts that
 * clients are told, metadata beside them, and watchers.
 *
 * Invariants: metadata belongs to the file that it was written with, wherever that is moved to; a watcher keeps a
 * bounded number of events. Untrusted: names and content; paths are the client's, who may do everything here.
 */
import { randomUUID } from "node:crypto";
import { posix } from "node:path";
import type { NodeRuntimeFileStat } from "../../index.js";
import type { Session, WalkEntry } from "../core/session.js";
import { watchDirectory } from "../core/watch.js";
import type { Watch, WatchEvent } from "../core/watch.js";
import { ConnectError } from "./connect.js";
import type { EventStream, Message } from "./connect.js";
import type { CallTiming } from "./processes.js";

export type Metadata = Readonly<Record<string, string>>;

const mostWatchers = 64;
const mostEvents = 10_000;
const mostEntries = 50_000;
const homes: Readonly<Record<string, string>> = { root: "/root" };
const typeNames: Readonly<Record<string, string>> = {
  file: "FILE_TYPE_FILE",
  directory: "FILE_TYPE_DIRECTORY",
  symlink: "FILE_TYPE_SYMLINK",
};

interface Watcher {
  watch: Watch;
  events: object[];
}

function permissionsOf(type: string, mode: number): string {
  const first = type === "directory" ? "d" : type === "symlink" ? "l" : "-";
  const bits = [...(mode & 0o777).toString(2).padStart(9, "0")];
  return first + bits.map((bit, at) => (bit === "1" ? "rwx"[at % 3] : "-")).join("");
}

const owner = (id: number): string => (id === 0 ? "root" : "user");

export class FilesystemService {
  readonly #session: Session;
  /** By inode. */
  readonly #metadata = new Map<number, Metadata>();
  readonly #watchers = new Map<string, Watcher>();

  constructor(session: Session) {
    this.#session = session;
  }

  /** The absolute path that a client means; `user` says where a relative one starts. */
  resolve(path: unknown, user = ""): string {
    if (typeof path !== "string") throw new ConnectError("invalid_argument", "path is missing");
    const home = homes[user] ?? this.#session.cwd;
    return posix.resolve(home, path.replace(/^~(?=\/|$)/, home));
  }

  async #entry(path: string, known?: NodeRuntimeFileStat): Promise<object> {
    const stat = known ?? (await this.#session.stat(path, { follow: false }));
    if (stat === undefined) throw new ConnectError("not_found", `path not found: ${path}`);
    const metadata = this.#metadata.get(stat.ino);
    const link = stat.type === "symlink" ? await this.#target(path) : undefined;
    return {
      name: posix.basename(path),
      type: typeNames[link?.type ?? stat.type] ?? "FILE_TYPE_UNSPECIFIED",
      path,
      size: String(Math.max(stat.size, stat.type === "directory" ? 4096 : 0)),
      mode: stat.mode & 0o7777,
      permissions: permissionsOf(stat.type, stat.mode),
      owner: owner(stat.uid),
      group: owner(stat.gid),
      modifiedTime: new Date(stat.mtimeMs).toISOString(),
      ...(link !== undefined && { symlinkTarget: link.path }),
      ...(metadata !== undefined && { metadata }),
    };
  }

  /** Where a link leads; its own type where that is nowhere. */
  async #target(path: string): Promise<{ path: string; type: string }> {
    const link = String(await this.#session.runtime.fs.readlink(path));
    const target = posix.resolve(posix.dirname(path), link);
    return { path: target, type: (await this.#session.stat(target))?.type ?? "symlink" };
  }

  async stat({ path }: Message, user?: string): Promise<object> {
    return { entry: await this.#entry(this.resolve(path, user)) };
  }

  async makeDir({ path }: Message, user?: string): Promise<object> {
    const full = this.resolve(path, user);
    const known = await this.#session.stat(full);
    if (known?.type === "directory")
      throw new ConnectError("already_exists", `directory already exists: ${full}`);
    if (known !== undefined)
      throw new ConnectError(
        "invalid_argument",
        `path already exists but it is not a directory: ${full}`,
      );
    await this.#session.mkdir(full, { recursive: true });
    return { entry: await this.#entry(full) };
  }

  async move({ source, destination }: Message, user?: string): Promise<object> {
    const [from, to] = [this.resolve(source, user), this.resolve(destination, user)];
    if ((await this.#session.stat(from, { follow: false })) === undefined)
      throw new ConnectError("not_found", `source not found: ${from}`);
    await this.#session.mkdir(posix.dirname(to), { recursive: true });
    await this.#session.rename(from, to);
    return { entry: await this.#entry(to) };
  }

  async listDir({ path, depth = 1 }: Message, user?: string): Promise<object> {
    const full = this.resolve(path, user);
    const stat = await this.#session.stat(full);
    if (stat === undefined) throw new ConnectError("not_found", `path not found: ${full}`);
    if (stat.type !== "directory")
      throw new ConnectError("invalid_argument", `path is not a directory: ${full}`);
    if (typeof depth !== "number" || depth < 0)
      throw new ConnectError("invalid_argument", "depth must be a number from 1 on");
    const found: WalkEntry[] = [];
    const bounds = { limit: mostEntries, depth: Math.max(1, depth) };
    for await (const entry of this.#session.walk(full, bounds)) found.push(entry);
    // A directory's content follows it.
    const keyOf = (entry: WalkEntry): string => entry.path.replaceAll("/", "\0");
    found.sort((one, other) => (keyOf(one) < keyOf(other) ? -1 : 1));
    const entries: object[] = [];
    for (const entry of found) entries.push(await this.#entry(entry.path, entry.stat));
    return { entries };
  }

  /** Of one that is not there, too. */
  async remove({ path }: Message, user?: string): Promise<object> {
    const full = this.resolve(path, user);
    const stat = await this.#session.stat(full, { follow: false });
    if (stat !== undefined) this.#metadata.delete(stat.ino);
    await this.#session.remove(full);
    return {};
  }

  /** Content, for GET /files. */
  async read(path: string): Promise<Uint8Array> {
    const stat = await this.#session.stat(path);
    if (stat === undefined) throw new ConnectError("not_found", `path '${path}' does not exist`);
    if (stat.type === "directory")
      throw new ConnectError("invalid_argument", `path '${path}' is a directory`);
    return (await this.#session.readFile(path)) ?? new Uint8Array();
  }

  /** For POST /files. What was written is described. */
  async write(path: string, content: Uint8Array, metadata: Metadata): Promise<object> {
    if ((await this.#session.stat(path))?.type === "directory")
      throw new ConnectError("invalid_argument", `path '${path}' is a directory`);
    await this.#session.writeFile(path, content);
    const stat = await this.#session.stat(path);
    const has = Object.keys(metadata).length > 0;
    if (stat !== undefined && has) this.#metadata.set(stat.ino, metadata);
    else if (stat !== undefined) this.#metadata.delete(stat.ino);
    return { name: posix.basename(path), path, type: "file", ...(has && { metadata }) };
  }

  async #event({ type, name }: WatchEvent, directory: string, withEntry: boolean): Promise<object> {
    const event = { name, type: `EVENT_TYPE_${type.toUpperCase()}` };
    if (!withEntry || type === "remove") return event;
    const entry = await this.#entry(posix.join(directory, name)).catch(() => undefined);
    return { ...event, ...(entry !== undefined && { entry }) };
  }

  async #watch(
    message: Message,
    user: string | undefined,
    tell: (event: object) => unknown,
  ): Promise<Watch> {
    const { path, recursive, includeEntry } = message;
    const directory = this.resolve(path, user);
    const stat = await this.#session.stat(directory);
    if (stat === undefined) throw new ConnectError("not_found", `path not found: ${directory}`);
    if (stat.type !== "directory")
      throw new ConnectError("invalid_argument", `path is not a directory: ${directory}`);
    // Facts are looked up one event after the other, so that events keep their order.
    let last = Promise.resolve();
    return watchDirectory(this.#session, directory, { recursive: recursive === true }, (event) => {
      last = last
        .then(() => this.#event(event, directory, includeEntry === true))
        .then((told) => void tell(told));
    });
  }

  /** Tells what happens until the client leaves or its time is over. */
  async watchDir(
    message: Message,
    stream: EventStream,
    { timeoutMs, keepaliveMs }: CallTiming,
    user?: string,
  ): Promise<void> {
    const watch = await this.#watch(message, user, (filesystem) => stream.send({ filesystem }));
    void stream.send({ start: {} });
    const late = new ConnectError("deadline_exceeded", "the watch was over its time");
    const timer = timeoutMs > 0 ? setTimeout(() => stream.end(late), timeoutMs) : undefined;
    const alive =
      keepaliveMs > 0
        ? setInterval(() => void stream.send({ keepalive: {} }), keepaliveMs)
        : undefined;
    const over = (): void => {
      clearTimeout(timer);
      clearInterval(alive);
      watch.stop().catch(() => {});
    };
    if (!stream.open) return over();
    stream.whenLeft(over);
    watch.ended.then(
      () => stream.end(),
      () => {},
    );
  }

  async createWatcher(message: Message, user?: string): Promise<object> {
    if (this.#watchers.size >= mostWatchers)
      throw new ConnectError("resource_exhausted", `${mostWatchers} watchers are there already`);
    const events: object[] = [];
    const watch = await this.#watch(message, user, (event) => {
      if (events.length < mostEvents) events.push(event);
    });
    const watcherId = randomUUID();
    this.#watchers.set(watcherId, { watch, events });
    return { watcherId };
  }

  #watcher({ watcherId }: Message): Watcher {
    const watcher = this.#watchers.get(String(watcherId));
    if (watcher === undefined) throw new ConnectError("not_found", "there is no such watcher");
    return watcher;
  }

  /** Since the last call. */
  getWatcherEvents(message: Message): object {
    const { events } = this.#watcher(message);
    return { events: events.splice(0) };
  }

  async removeWatcher(message: Message): Promise<object> {
    const { watch } = this.#watcher(message);
    this.#watchers.delete(String(message.watcherId));
    await watch.stop();
    return {};
  }
}
