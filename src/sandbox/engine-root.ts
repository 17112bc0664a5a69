/**
 * Owns what an engine that is executed under the lock-down can see of files: its own and the libraries
 * it is linked with, read-only, in a root that holds nothing else. Where there can be no such root,
 * landlock leaves it the same files under the host's names, and nothing else.
 *
 * Invariant: no name in the root says where a file lies on the host.
 */
import {
  mkdirSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname } from "node:path";
import * as libc from "./libc.js";

export interface EngineFiles {
  /** The file of this process's program. */
  readonly engine: string;
  /** What else is mapped from files here: the dynamic linker and the libraries. */
  readonly libraries: readonly string[];
}

/** How the root calls the engine. */
const engineName = "/bin/node";
/** Where every dynamic linker looks, and where programs name it. */
const libraryFolder = "/lib";
const libraryAliases = ["/lib64", "/usr/lib", "/usr/lib64"];

const SYS_EXECVEAT = process.arch === "x64" ? 322 : 281;
/** include/uapi/linux/fcntl.h */
const AT_EMPTY_PATH = 0x1000;

/** Of this process, which is the engine itself. Throws without /proc. */
export function engineFiles(): EngineFiles {
  const engine = readlinkSync("/proc/self/exe");
  const mapped = new Set<string>();
  for (const line of readFileSync("/proc/self/maps", "latin1").split("\n")) {
    const path = /^\S+ \S+ \S+ \S+ \d+ +(\/.*)$/.exec(line)?.[1];
    if (path !== undefined && path !== engine && /\.so\b/.test(path)) mapped.add(path);
  }
  return { engine, libraries: [...mapped] };
}

/** The names that a library goes by in its folder: its own, and links to it. */
function namesOf(path: string): string[] {
  const own = basename(path);
  const folder = dirname(path);
  const links = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isSymbolicLink() && entry.name.includes(".so"))
    .map(({ name }) => name)
    .filter((name) => {
      const target = readlinkSync(`${folder}/${name}`);
      return target === own || target === path;
    });
  return [own, ...links];
}

/**
 * Fills the directory that this process is in, a file system of its own, with what an engine needs.
 * `bind` mounts a file onto another, and answers 0 or -errno. Answers what failed, or undefined.
 */
export function fillEngineRoot(
  files: EngineFiles,
  bind: (from: string, to: string) => number,
): string | undefined {
  try {
    for (const folder of ["bin", "usr", libraryFolder.slice(1)]) mkdirSync(folder);
    for (const alias of libraryAliases) symlinkSync(libraryFolder, alias.slice(1));
    const show = (from: string, to: string): void => {
      writeFileSync(to, "");
      const result = bind(from, to);
      if (result < 0) throw new Error(`bind: errno ${-result}`);
    };
    show(files.engine, engineName.slice(1));
    for (const library of files.libraries) {
      const [name, ...links] = namesOf(library);
      show(library, `${libraryFolder.slice(1)}/${name}`);
      for (const link of links) symlinkSync(name!, `${libraryFolder.slice(1)}/${link}`);
    }
  } catch (error) {
    return (error as Error).message;
  }
  return undefined;
}

/** The same files by the names that they have in the root. */
export function filesInRoot(files: EngineFiles): EngineFiles {
  const libraries = files.libraries.map((path) => `${libraryFolder}/${basename(path)}`);
  return { engine: engineName, libraries };
}

/** `char *argv[]`, and what keeps its strings alive. */
function stringList(texts: readonly string[]): { list: BigUint64Array; kept: Buffer[] } {
  const kept = texts.map(libc.cString);
  return { list: BigUint64Array.from([...kept.map(libc.addressOf), 0n]), kept };
}

/** Becomes the program of an open file, with an empty environment. Returns only if that failed: -errno. */
export function execute(fd: number, argv: readonly string[]): number {
  const empty = libc.cString("");
  const { list, kept } = stringList(argv);
  const none = new BigUint64Array(1);
  const result = libc.syscall(
    SYS_EXECVEAT,
    fd,
    libc.addressOf(empty),
    libc.addressOf(list),
    libc.addressOf(none),
    AT_EMPTY_PATH,
  );
  // Read by the call, and so alive until here.
  return kept.length === argv.length ? result : 0;
}
