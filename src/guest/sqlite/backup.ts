/**
 * Owns `backup` of node:sqlite: a consistent image of the source, written page by page into
 * the destination under its exclusive lock, `rate` pages in each turn of the event loop.
 * Page 1 comes last: until then the destination is no database.
 */
import type { EngineTools } from "../environment.js";
import type { SqliteFile, SqliteFiles } from "../../sandbox/sqlite-vfs.js";
import type { EngineModule } from "../engine-types.js";

/** Of the database header; sqlite.org/fileformat2.html §1.3. */
const header = { pageSize: 16, changeCounter: 24, versionValidFor: 92, bytes: 100 };
/** SQLITE_OPEN_READWRITE | CREATE | MAIN_DB and the levels of a writer. */
const openFlags = 0x106;
const writerLevels = [1, 2, 4];
const unlocked = 0;
/** Result codes, and what sqlite3_errstr says of them. */
const messages: Readonly<Record<number, string>> = {
  1: "SQL logic error",
  5: "database is locked",
  8: "attempt to write a readonly database",
  13: "database or disk is full",
  14: "unable to open database file",
};
const pagesPerStep = 100;

interface Request {
  path: string;
  source: string;
  rate: number;
  progress: ((state: { totalPages: number; remainingPages: number }) => unknown) | undefined;
}

function wrong(name: string, what: string): Error {
  return Object.assign(new TypeError(`The "${name}" argument must be ${what}.`), {
    code: "ERR_INVALID_ARG_TYPE",
  });
}

function failed(code: number): Error {
  const message = messages[code] ?? "disk I/O error";
  return Object.assign(new Error(message), {
    code: "ERR_SQLITE_ERROR",
    errcode: code,
    errstr: message,
  });
}

function pathOf(env: EngineTools, path: unknown): string {
  if (path instanceof URL) {
    if (path.protocol !== "file:")
      throw Object.assign(new TypeError("The URL must be of scheme file:"), {
        code: "ERR_INVALID_URL_SCHEME",
      });
    return env.requireBuiltin("url").fileURLToPath(path) as string;
  }
  const text = path instanceof Uint8Array ? Buffer.from(path).toString() : path;
  if (typeof text !== "string" || text.includes("\0"))
    throw wrong("path", "a string, Uint8Array, or URL without null bytes");
  return text;
}

/** The checks of src/node_sqlite.cc, Backup, in its words. */
function read(env: EngineTools, Database: EngineModule, args: unknown[]): Request {
  const [database, path, options] = args;
  if (typeof database !== "object" || database === null) throw wrong("sourceDb", "an object");
  if (!(database instanceof Database)) throw new TypeError("Illegal invocation");
  if ((database as { isOpen: boolean }).isOpen !== true)
    throw Object.assign(new Error("database is not open"), { code: "ERR_INVALID_STATE" });
  const request: Request = {
    path: pathOf(env, path),
    source: "main",
    rate: pagesPerStep,
    progress: undefined,
  };
  if (options === undefined) return request;
  if (typeof options !== "object" || options === null) throw wrong("options", "an object");
  const { rate, source, target, progress } = options as Record<string, unknown>;
  if (rate !== undefined) {
    if (!Number.isInteger(rate)) throw wrong("options.rate", "an integer");
    request.rate = rate as number;
  }
  if (source !== undefined) {
    if (typeof source !== "string") throw wrong("options.source", "a string");
    request.source = source;
  }
  if (target !== undefined && typeof target !== "string") throw wrong("options.target", "a string");
  if (progress !== undefined) {
    if (typeof progress !== "function") throw wrong("options.progress", "a function");
    request.progress = progress as Request["progress"];
  }
  return request;
}

async function copyPages(
  image: Buffer,
  file: SqliteFile,
  request: Request,
  turn: () => Promise<void>,
): Promise<number> {
  const size = image.readUInt16BE(header.pageSize);
  // The field has no room for 65536.
  const pageBytes = size === 1 ? 65_536 : size;
  const totalPages = Math.ceil(image.length / pageBytes);
  const before = Buffer.alloc(header.bytes);
  const known =
    file.read(before, 0) === header.bytes ? before.readUInt32BE(header.changeCounter) : 0;
  // Others that have pages of the destination in memory are to notice.
  const counter = (Math.max(known, image.readUInt32BE(header.changeCounter)) + 1) >>> 0;
  image.writeUInt32BE(counter, header.changeCounter);
  image.writeUInt32BE(counter, header.versionValidFor);
  const check = (code: number): void => {
    if (code !== 0) throw failed(code);
  };
  check(file.truncate(image.length));
  check(file.write(Buffer.alloc(header.bytes), 0));
  const step = request.rate > 0 ? request.rate : totalPages;
  for (let done = 0; done < totalPages;) {
    const end = Math.min(totalPages, done + step);
    check(
      file.write(
        image.subarray(Math.max(1, done) * pageBytes, end * pageBytes),
        Math.max(1, done) * pageBytes,
      ),
    );
    done = end;
    if (done === totalPages) break;
    request.progress?.({ totalPages, remainingPages: totalPages - done });
    await turn();
  }
  check(file.write(image.subarray(0, pageBytes), 0));
  check(file.sync());
  return totalPages;
}

interface Source {
  serialize(name: string): Uint8Array;
  prepare(sql: string): { all(): { name: string }[] };
}

function imageOf(database: Source, name: string): Buffer {
  const attached = database.prepare("SELECT name FROM pragma_database_list").all();
  if (!attached.some((row) => row.name === name))
    throw Object.assign(failed(1), { message: `unknown database ${name}` });
  return Buffer.from(database.serialize(name));
}

/** Argument errors are thrown, all others reject. */
export function copyDatabase(
  env: EngineTools,
  files: SqliteFiles,
  Database: EngineModule,
  args: unknown[],
): Promise<number> {
  const request = read(env, Database, args);
  const { setImmediate } = env.requireBuiltin("timers");
  const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
  const copy = async (): Promise<number> => {
    await turn();
    const image = imageOf(args[0] as Source, request.source);
    const path = files.fullPath(request.path);
    const opened = path === undefined ? 14 : files.open(path, openFlags);
    if (typeof opened === "number") throw failed(opened);
    const { file, flags } = opened;
    try {
      if (flags !== openFlags) throw failed(8);
      for (const level of writerLevels) {
        const code = file.lock(level);
        if (code !== 0) throw failed(code);
      }
      return image.length === 0 ? 0 : await copyPages(image, file, request, turn);
    } finally {
      file.unlock(unlocked);
      file.close();
    }
  };
  return copy();
}
