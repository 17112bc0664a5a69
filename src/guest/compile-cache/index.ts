/**
 * Owns the compile cache of one thread: `module.enableCompileCache`, the variables
 * NODE_COMPILE_CACHE…, and what was compiled since, until it is in its files. Loaded when
 * something asks for it. Words on stderr (NODE_DEBUG_NATIVE) are those of src/compile_cache.cc.
 */
import { atLeaving } from "../diagnostics/leaving-work.js";
import { placeEngineVariables } from "../engine-variables.js";
import type { EngineTools } from "../environment.js";
import { compileWith } from "./compilers.js";
import type { Cache } from "./compilers.js";
import { CacheFiles, cachedCode } from "./files.js";
import type { CachedCode, Entry, Say } from "./files.js";

const statusNames = ["FAILED", "ENABLED", "ALREADY_ENABLED", "DISABLED"] as const;
export type EnableResult = [status: number, message?: string | undefined, directory?: string];

const directoryMode = 0o777;
const status = (name: (typeof statusNames)[number]): number => statusNames.indexOf(name);

/** EnabledDebugList of src/debug_utils.cc: a part of a category's name is enough. */
function debugging(): boolean {
  const wanted = (process.env["NODE_DEBUG_NATIVE"] ?? "").toLowerCase().split(",");
  return wanted.some((name) => name !== "" && "compile_cache".includes(name));
}

interface Settings {
  directory: string;
  portable: boolean;
  readOnly: boolean;
}

export class CompileCache implements Cache {
  readonly #env: EngineTools;
  readonly #files: CacheFiles;
  readonly #say: Say;
  readonly #entries = new Map<string, Entry>();
  #settings: Settings | undefined;

  /** `write` puts a text on the process's stderr, past its streams. */
  constructor(env: EngineTools, write: Say) {
    const debug = debugging();
    this.#env = env;
    this.#say = debug ? write : () => {};
    this.#files = new CacheFiles(env, this.#say);
  }

  get directory(): string | undefined {
    return this.#settings?.directory;
  }

  /** Environment::EnableCompileCache. */
  enable(directory: string, portable: boolean, readOnly: boolean): EnableResult {
    if (process.env["NODE_DISABLE_COMPILE_CACHE"] !== undefined) {
      const message = "Disabled by NODE_DISABLE_COMPILE_CACHE";
      this.#say(`[compile cache] ${message}.\n`);
      return [status("DISABLED"), message];
    }
    if (this.#settings !== undefined)
      return [status("ALREADY_ENABLED"), undefined, this.#settings.directory];
    if (portable) this.#say("[compile cache] using relative path\n");
    const { resolve } = this.#env.requireBuiltin("path");
    const base = resolve(directory) as string;
    const tag = this.#tag(portable);
    const tagged = `${base}/${tag}`;
    this.#say(`[compile cache] resolved path ${directory} + ${tag} -> ${tagged}\n`);
    const problem = readOnly ? this.#find(tagged) : this.#make(tagged);
    if (problem !== undefined) {
      this.#say(`[compile cache] ${problem}\n`);
      return [status("FAILED"), problem];
    }
    placeEngineVariables(this.#env);
    compileWith(this.#env, this);
    this.#settings = { directory: tagged, portable, readOnly };
    const { isMainThread } = this.#env.requireBuiltin("worker_threads");
    if (isMainThread) atLeaving("compile cache", () => this.flush());
    else process.on("exit", () => this.flush());
    return [status("ENABLED"), undefined, base];
  }

  /** What has to be the same for V8 to take it; caches of several users do not meet, but for portable ones. */
  #tag(portable: boolean): string {
    const version = this.#env.requireBuiltin("v8").cachedDataVersionTag() as number;
    const tag = `${process.version}-${process.arch}-${version.toString(16).padStart(8, "0")}`;
    return portable ? tag : `${tag}-${process.getuid!()}`;
  }

  #find(directory: string): string | undefined {
    const found = this.#env.internalBinding("fs").internalModuleStat(directory) === 1;
    this.#say(
      `[compile cache] read-only cache directory ${directory}...${found ? "found" : "not found"}\n`,
    );
    return found ? undefined : `Cache directory does not exist (read-only): ${directory}`;
  }

  #make(directory: string): string | undefined {
    let words: string | undefined;
    try {
      this.#env.internalBinding("fs").mkdir(directory, directoryMode, true);
    } catch (error) {
      words = this.#files.words(error);
    }
    this.#say(`[compile cache] creating cache directory ${directory}...${words ?? "success"}\n`);
    return words === undefined ? undefined : `Cannot create cache directory: ${words}`;
  }

  lookUp(source: string, file: string, type: CachedCode): Entry | undefined {
    if (this.#settings === undefined) return undefined;
    const { directory } = this.#settings;
    const key = this.#files.key(this.#nameOf(file, this.#settings), type);
    const entry = this.#files.entry(type, file, `${directory}/${key}`, source);
    const known = this.#entries.get(key);
    if (known?.codeHash === entry.codeHash) return known;
    this.#entries.set(key, entry);
    this.#files.read(entry);
    return entry;
  }

  /** In a portable cache: where a module is, as seen from the directory. */
  #nameOf(file: string, { directory, portable }: Settings): string {
    const isUrl = file.startsWith("file://");
    if (!portable || !(isUrl || file.startsWith("/"))) return file;
    const { fileURLToPath } = this.#env.requireBuiltin("url");
    const { relative } = this.#env.requireBuiltin("path");
    const name = relative(directory, isUrl ? fileURLToPath(file) : file) as string;
    this.#say(`[compile cache] using relative path ${name} from ${directory}\n`);
    return name;
  }

  judge(entry: Entry, rejected: boolean, produce: () => Uint8Array | undefined): void {
    const { typeName, sourceFile, content } = entry;
    const none = content === undefined;
    const verdict = rejected ? "rejected" : none ? "not initialized" : "accepted";
    const accepted = !none && !rejected;
    const then = accepted ? "keeping" : none ? "initializing" : "refreshing";
    this.#say(
      `[compile cache] V8 code cache for ${typeName} ${sourceFile} was ${verdict}, ${then} the in-memory entry\n`,
    );
    if (accepted) return;
    entry.content = produce();
    entry.refreshed = true;
  }

  /** `getCompileCacheEntry` of the `modules` binding: a source without its types, if it is known. */
  entryOf(source: string, file: string, type: CachedCode): object | undefined {
    const entry = this.lookUp(source, file, type);
    if (entry === undefined) return undefined;
    const { content, typeName } = entry;
    if (content === undefined || type !== cachedCode.strippedTypeScript) {
      this.#say(`[compile cache] no transpile cache for ${typeName} ${file}\n`);
      return { external: entry };
    }
    this.#say(`[compile cache] retrieving transpile cache for ${typeName} ${file}...success\n`);
    return { external: entry, transpiled: Buffer.from(content).toString("utf8") };
  }

  save(entry: Entry, transpiled: string): void {
    this.#say(
      `[compile cache] saving transpilation cache for ${entry.typeName} ${entry.sourceFile}\n`,
    );
    entry.content = Buffer.from(transpiled, "utf8");
    entry.refreshed = true;
  }

  /** `module.flushCompileCache()`. */
  flushNow(): void {
    this.#say("[compile cache] module.flushCompileCache() requested.\n");
    this.flush();
    this.#say("[compile cache] module.flushCompileCache() finished.\n");
  }

  /** CompileCacheHandler::Persist. */
  flush(): void {
    if (this.#settings === undefined) return;
    if (this.#settings.readOnly)
      return this.#say("[compile cache] read-only, skipping persistence\n");
    for (const entry of this.#entries.values()) {
      const reason = this.#skipped(entry);
      if (reason === undefined) this.#files.write(entry);
      else
        this.#say(
          `[compile cache] skip persisting ${entry.typeName} ${entry.sourceFile} because ${reason}\n`,
        );
    }
    this.#say("[compile cache] Clear deserialized cache.\n");
    this.#entries.clear();
  }

  #skipped(entry: Entry): string | undefined {
    if (entry.content === undefined) return "the cache was not initialized";
    if (!entry.refreshed) return "cache was the same";
    if (entry.persisted) return "cache was already persisted";
    return undefined;
  }
}
