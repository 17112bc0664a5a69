/**
 * Owns where a name under a directory descriptor leads.
 *
 * Three kinds of directories: confined ones, as the user of `node:wasi` expects
 * of preopens (the kernel has the last word on every path either way); plain
 * ones; and the ambiguous one. wasi-libc strips the leading slash of absolute
 * paths before it looks for a preopened directory, so a module given "." as well
 * as "/" asks for `etc/hosts` when it means /etc/hosts. What it means is taken
 * from what exists.
 *
 * Untrusted: every name.
 */
import { WasiErrno, WasiError } from "./abi.js";
import type { OpenFile } from "./descriptors.js";
import { wasiLimits } from "./limits.js";
import type { WasiSystem } from "./system.js";

export class Paths {
  readonly #fs: WasiSystem["fs"];

  constructor(system: WasiSystem) {
    this.#fs = system.fs;
  }

  /**
   * The absolute path for `name` under `directory`. Links inside of it are followed
   * by the kernel, or here where they are confined; `follow` is for the last part.
   * `creates`: the name is about to be made.
   */
  resolve(directory: OpenFile, name: string, follow: boolean, creates = false): string {
    const { root, path } = directory;
    if (root === undefined) throw new WasiError(WasiErrno.ENOTDIR);
    if (name === "") throw new WasiError(WasiErrno.ENOENT);
    if (root.confinedTo !== undefined)
      return this.#confined(root.confinedTo, root.name, path, name, follow);
    if (name.startsWith("/")) return name;
    if (root.ambiguous && this.#meansRoot(path, name, creates)) return `/${name}`;
    return join(path, name);
  }

  #meansRoot(cwd: string, name: string, creates: boolean): boolean {
    const slash = name.indexOf("/");
    const first = slash < 0 ? name : name.slice(0, slash);
    if (first === "." || first === ".." || cwd === "/") return false;
    // Nothing is made in the root directory itself.
    if (slash < 0 && creates) return false;
    if (!this.exists(`/${first}`)) return false;
    if (!this.exists(join(cwd, first))) return true;
    if (slash < 0) return false;
    // Both have such a name: the one that has more of the path.
    const parent = name.slice(0, name.lastIndexOf("/"));
    return !this.exists(join(cwd, parent)) && this.exists(`/${parent}`);
  }

  exists(path: string): boolean {
    try {
      return this.#fs.lstatSync(path, { throwIfNoEntry: false }) !== undefined;
    } catch {
      return false;
    }
  }

  #confined(
    top: string,
    topName: string,
    start: string,
    name: string,
    followLast: boolean,
  ): string {
    const escape = (): never => {
      throw new WasiError(WasiErrno.ENOTCAPABLE);
    };
    const within = (path: string): string[] | undefined => {
      for (const prefix of [topName, top]) {
        if (path === prefix) return [];
        const base = prefix.endsWith("/") ? prefix : `${prefix}/`;
        if (prefix.startsWith("/") && path.startsWith(base)) return parts(path.slice(base.length));
      }
      return undefined;
    };
    /** Below `top`. */
    let at = parts(start.slice(top.length));
    let rest: string[];
    if (name.startsWith("/")) {
      at = [];
      rest = within(name) ?? escape();
    } else rest = parts(name);
    const wantsDirectory = name.endsWith("/");
    let links = 0;
    while (rest.length > 0) {
      const part = rest.shift()!;
      if (part === ".") continue;
      if (part === "..") {
        if (at.length === 0) escape();
        at.pop();
        continue;
      }
      const last = rest.length === 0;
      const path = join(top, [...at, part].join("/"));
      const target = last && !followLast && !wantsDirectory ? undefined : this.#target(path);
      if (target === undefined) {
        at.push(part);
        continue;
      }
      links += 1;
      if (links > wasiLimits.links) throw new WasiError(WasiErrno.ELOOP);
      if (target.startsWith("/")) {
        at = [];
        rest = [...(within(target) ?? escape()), ...rest];
      } else rest = [...parts(target), ...rest];
    }
    return join(top, at.join("/")) + (wantsDirectory && at.length > 0 ? "/" : "");
  }

  #target(path: string): string | undefined {
    const stats = this.#fs.lstatSync(path, { throwIfNoEntry: false });
    return stats?.isSymbolicLink() === true ? this.#fs.readlinkSync(path) : undefined;
  }
}

function parts(path: string): string[] {
  return path.split("/").filter((part) => part !== "");
}

export function join(directory: string, name: string): string {
  if (name === "" || name === ".") return directory;
  return directory.endsWith("/") ? directory + name : `${directory}/${name}`;
}
