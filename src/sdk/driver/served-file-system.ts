/**
 * Owns a driver's `filesystem` where it is an object of the caller's own: which parts of it programs see, and where.
 *
 * The older generation's object was every file there was. A machine has files of its own (commands, libraries, /etc,
 * /proc, /tmp), so the directories at the object's root are mounted at their own paths, each served by the object.
 * Invariants: nothing of the machine's own is hidden; a clone is not shown anything twice.
 * Untrusted: nothing here; what programs ask of the object is provider.ts's.
 */
import { posix } from "node:path";
import { failure, invalidOption } from "../errors.js";
import { KernelRefusal } from "../kernel-connection.js";
import type { Machine } from "../machine.js";
import { servedMount } from "../mounts.js";
import { FileProvider } from "../provider.js";
import type { ProvidedType } from "../../protocol/provider.js";

/** Directories at the root that are the machine's. What an object has under these names, programs do not see. */
const ownDirectories: ReadonlySet<string> = new Set(
  "bin dev etc lib lib64 proc run sbin sys tmp usr var".split(" "),
);
const directoryMode = 0o755;
const none = new Uint8Array(0);

const topOf = (path: string): string => path.split("/")[1] ?? "";

/** Throws INVALID_OPTION for what cannot serve files. */
export function checkFileSystem(value: unknown): object {
  if (typeof value !== "object" || value === null)
    throw invalidOption("filesystem", "must be an object of functions");
  const { operations } = new FileProvider(value);
  if (!operations.includes("stat") || !operations.includes("list"))
    throw invalidOption(
      "filesystem",
      "must have the methods of a VirtualFileSystem or of node:fs/promises: stat or lstat, and readDir or readdir",
    );
  return value;
}

export class ServedFileSystem {
  readonly #object: object;
  readonly #provider: FileProvider;
  readonly #cwd: string;

  constructor(object: object, cwd: string) {
    this.#object = object;
    this.#provider = new FileProvider(object);
    this.#cwd = cwd;
  }

  /** Mounts what there is at the object's root, and the directory in which programs start. */
  async show(machine: Machine): Promise<void> {
    const places: string[] = [];
    for (const [name, type] of await this.#root()) {
      if (ownDirectories.has(name)) continue;
      const path = posix.join("/", name);
      if (type === "directory") places.push(path);
      else if (type === "file") await machine.files.write(path, await this.#read(path), false);
    }
    const isOwn = this.#cwd === "/" || ownDirectories.has(topOf(this.#cwd));
    const isShown = places.includes(`/${topOf(this.#cwd)}`);
    if (!isOwn && (await this.#makeDirectory(this.#cwd)) && !isShown) places.push(this.#cwd);
    for (const path of places) await this.#mount(machine, path);
  }

  async #mount({ connection, vm, host }: Machine, path: string): Promise<void> {
    const { mount, provider } = servedMount("filesystem", path, this.#object);
    host.providers.add([[mount.provider!.id, provider!]]);
    try {
      await connection.call("mount", { vm, mount: JSON.stringify(mount) });
    } catch (error) {
      throw error instanceof KernelRefusal ? error.toPublic() : error;
    }
  }

  async #typeOf(path: string): Promise<ProvidedType | undefined> {
    const { answer } = await this.#provider.answer({ op: "stat", path }, none);
    return answer.attributes?.type;
  }

  /** Names and types at the root; an object that has not even that is empty. */
  async #root(): Promise<[name: string, type: ProvidedType | undefined][]> {
    const { answer } = await this.#provider.answer({ op: "list", path: "/" }, none);
    const { errno, entries = [] } = answer;
    if (errno !== undefined && errno !== "ENOENT")
      throw failure("FILE", { operation: "list the filesystem", path: "/", why: errno });
    return Promise.all(
      entries.map(async ([name, type]): Promise<[string, ProvidedType | undefined]> => {
        return [name, type === "" ? await this.#typeOf(posix.join("/", name)) : type];
      }),
    );
  }

  async #read(path: string): Promise<Uint8Array> {
    const { answer, data } = await this.#provider.answer({ op: "read", path }, none);
    if (answer.errno === undefined) return data;
    throw failure("FILE", { operation: "read the filesystem", path, why: answer.errno });
  }

  /** Whether the object has the directory, or could be made to. */
  async #makeDirectory(path: string): Promise<boolean> {
    const type = await this.#typeOf(path);
    if (type !== undefined) return type === "directory";
    if (path !== "/" && !(await this.#makeDirectory(posix.dirname(path)))) return false;
    const question = { op: "makeDirectory", path, mode: directoryMode } as const;
    const { answer } = await this.#provider.answer(question, none);
    return answer.errno === undefined || (await this.#typeOf(path)) === "directory";
  }
}
