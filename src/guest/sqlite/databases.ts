/**
 * Owns the databases of a thread: registers the machine's files with SQLite before the first
 * one, and keeps every open database, and every iterator that has not come to its end, from
 * being collected. Collecting one would close files from inside V8's garbage collector,
 * where no JavaScript may run; so a database that nobody closes stays open, as its file does.
 */
import { databaseClasses, threadLedger } from "../bindings/sqlite.js";
import type { GuestEnvironment } from "../environment.js";
import { registerSqliteFiles } from "../../sandbox/sqlite-vfs.js";
import { copyDatabase } from "./backup.js";
import { sqliteFiles } from "./files.js";
import { ThreadLedger } from "./thread-ledger.js";

const { apply, construct: constructWith, defineProperty } = Reflect;

const open = new Set<object>();
const iterators = new Set<object>();
/** Set once the files are registered; the name that a worker's databases ask for. */
let fileSystem: string | undefined;
let failure: Error | undefined;

export function construct(env: GuestEnvironment, args: unknown[], newTarget: Function): object {
  prepare(env);
  const given = [...args];
  if (env.internalBinding("worker").isMainThread !== true) given[0] = located(given[0]);
  const database = constructWith(databaseClasses.Database, given, newTarget);
  if (database.isOpen === true) open.add(database);
  return database;
}

export function prepare(env: GuestEnvironment): void {
  if (fileSystem !== undefined) return;
  if (failure !== undefined) throw failure;
  const { isMainThread, threadId } = env.internalBinding("worker");
  const entry = env.kernel.call("sqliteEntry", {});
  if (typeof entry === "number") {
    failure = Object.assign(
      new Error("node:sqlite is not available: this engine's binary does not name SQLite's code"),
      { code: "ERR_FEATURE_UNAVAILABLE_ON_PLATFORM" },
    );
    throw failure;
  }
  const main = isMainThread === true;
  const name = main ? "secure-exec" : `secure-exec-${threadId as number}`;
  // Native callbacks belong to the thread that made them, and the default is everybody's.
  const files = sqliteFiles(env.kernel);
  const ledger = threadLedger === undefined ? undefined : new ThreadLedger(threadLedger);
  const registered = registerSqliteFiles(name, main, entry.distance, files, ledger);
  ledger?.registered(registered);
  fileSystem = name;
  keepOpenDatabases();
  keepIterators();
  if (!main) process.on("exit", closeAll);
}

/** A worker's database asks for the files of its thread; SQLite takes the name from a URI. */
function located(path: unknown): unknown {
  const text = path instanceof Uint8Array ? Buffer.from(path).toString() : path;
  const query = `vfs=${fileSystem!}`;
  if (text instanceof URL || (typeof text === "string" && text.startsWith("file:"))) {
    const [before = "", ...hash] = String(text).split("#");
    return `${before}${before.includes("?") ? "&" : "?"}${query}${hash.map((part) => `#${part}`).join("")}`;
  }
  if (typeof text !== "string" || text.includes("\0")) return path;
  const escaped = text.replaceAll("%", "%25").replaceAll("?", "%3f").replaceAll("#", "%23");
  return `file:${escaped}?${query}`;
}

function replace(target: object, name: PropertyKey, make: (native: Function) => Function): void {
  const descriptor = Object.getOwnPropertyDescriptor(target, name);
  if (typeof descriptor?.value !== "function") return;
  const native = descriptor.value as Function;
  const value = make(native);
  for (const property of ["name", "length"])
    defineProperty(value, property, Object.getOwnPropertyDescriptor(native, property)!);
  defineProperty(target, name, { ...descriptor, value });
}

function keepOpenDatabases(): void {
  const { prototype } = databaseClasses.Database;
  replace(
    prototype,
    "open",
    (native) =>
      function (this: object, ...args: unknown[]): unknown {
        const result = apply(native, this, args);
        open.add(this);
        return result;
      },
  );
  for (const name of ["close", Symbol.dispose])
    replace(
      prototype,
      name,
      (native) =>
        function (this: object, ...args: unknown[]): unknown {
          const result = apply(native, this, args);
          open.delete(this);
          // Their statements are gone.
          if (open.size === 0) iterators.clear();
          return result;
        },
    );
}

function keepIterators(): void {
  let known: object | undefined;
  replace(
    databaseClasses.Statement.prototype,
    "iterate",
    (native) =>
      function (this: object, ...args: unknown[]): unknown {
        const iterator = apply(native, this, args) as object;
        const prototype = Object.getPrototypeOf(iterator) as object;
        if (prototype !== known) {
          known = prototype;
          for (const name of ["next", "return"]) watchEnd(prototype, name);
        }
        iterators.add(iterator);
        return iterator;
      },
  );
}

function watchEnd(prototype: object, name: string): void {
  replace(
    prototype,
    name,
    (native) =>
      function (this: object, ...args: unknown[]): unknown {
        let done = true;
        try {
          const result = apply(native, this, args) as { done?: boolean };
          done = name === "return" || result.done === true;
          return result;
        } finally {
          if (done) iterators.delete(this);
        }
      },
  );
}

function closeAll(): void {
  for (const database of open) {
    try {
      (database as { close(): void }).close();
    } catch {
      // It is closed by now, or the thread ends without it.
    }
  }
}

/** `backup` of node:sqlite, whose native form works in another thread, where these files are not. */
export function backup(env: GuestEnvironment, args: unknown[]): Promise<number> {
  prepare(env);
  return copyDatabase(env, sqliteFiles(env.kernel), databaseClasses.Database, args);
}
