/** Owns which files `rg` looks into: ignore files, globs, types, hidden names. */
import { CommandFailure, type CommandContext } from "../../command.js";
import { errorText } from "../../support/errors.js";
import { joinPath, sortedNames, statOrNothing } from "../../support/files.js";
import type { Options } from "../../support/options.js";
import { IgnoreList, ignoreRule, readIgnore } from "./ignore.js";
import { fileTypes } from "./types.js";

/** Who is told of what is found. */
export interface Found {
  file(path: string): void;
  complain(path: string, reason: string): void;
  /** Whether nothing more has to be looked into. */
  enough(): boolean;
}

export class Walk {
  readonly #globs: { rule: NonNullable<ReturnType<typeof ignoreRule>> }[];
  readonly #types: RegExp[];
  readonly #notTypes: RegExp[];
  readonly #found: Found;
  #repository = false;

  constructor(
    private readonly context: CommandContext,
    private readonly options: Options,
    /** What was named on the command line. */
    private readonly paths: readonly string[],
    found: Found,
  ) {
    this.#found = found;
    this.#globs = options.list
      .filter(({ key }) => key === "g" || key === "iglob")
      .map(({ key, value }) => ({ rule: ignoreRule(value, key === "iglob")! }))
      .filter(({ rule }) => rule !== undefined);
    this.#types = this.#typesOf("t");
    this.#notTypes = this.#typesOf("T");
  }

  /** All below `folder`, whose paths are shown from `shown` on. */
  run(folder: string, shown: string): void {
    this.#folder(folder, shown, this.#rootIgnores(folder), 0);
  }

  #typesOf(key: string): RegExp[] {
    return this.options.all(key).flatMap((name) => {
      if (name === "all") return Object.values(fileTypes).flat().map(globOf);
      const globs = Object.hasOwn(fileTypes, name) ? fileTypes[name] : undefined;
      if (globs === undefined) throw new CommandFailure(`unrecognized file type: ${name}`, 2);
      return globs.map(globOf);
    });
  }

  #usesIgnores(): boolean {
    return !this.options.has("noIgnore", "u");
  }

  /** What the folders above say counts as well, when this is in a repository. */
  #rootIgnores(root: string): IgnoreList {
    let list = new IgnoreList();
    if (!this.#usesIgnores()) return list;
    const { fs } = this.context;
    let folder: string;
    try {
      folder = fs.realpathSync(root);
    } catch {
      return list;
    }
    const above: string[] = [];
    for (let at = folder; at !== "/" && at !== ""; at = at.slice(0, at.lastIndexOf("/"))) {
      above.unshift(at);
      if (fs.existsSync(`${at}/.git`)) {
        list = list.with("", readIgnore(this.context, `${at}/.git/info/exclude`));
        break;
      }
      if (at.lastIndexOf("/") <= 0) return list;
    }
    // Rules from above are turned into ones that begin at the root, as far as they can reach it.
    for (const each of above.slice(0, -1)) {
      const rest = folder.slice(each.length + 1);
      const lines = readIgnore(this.context, `${each}/.gitignore`)
        .split("\n")
        .map((line) =>
          line.replace(/^!/, "").startsWith(`/${rest}/`) ? line.replace(`/${rest}/`, "/") : line,
        )
        .filter(
          (line) => !line.replace(/^!/, "").slice(0, -1).includes("/") || line.startsWith("/"),
        );
      list = list.with("", lines.join("\n"));
    }
    return list;
  }

  #folder(folder: string, shown: string, ignores: IgnoreList, depth: number): void {
    const { context, options } = this;
    const most = options.get("d");
    if (most !== undefined && depth >= Number(most)) return;
    let names: string[];
    try {
      names = sortedNames(context, folder);
    } catch (error) {
      return this.#found.complain(folder, errorText(error));
    }
    let list = ignores;
    const base = this.#relative(shown);
    if (this.#usesIgnores()) {
      const inRepository = depth > 0 || options.has("noGit") || this.#inRepository(folder);
      for (const name of [".gitignore", ".ignore", ".rgignore"]) {
        if (!names.includes(name) || (name === ".gitignore" && !inRepository && !this.#repository))
          continue;
        list = list.with(base, readIgnore(context, joinPath(folder, name)));
      }
    }
    const hidden = options.has(".") || options.count("u") > 1;
    for (const name of names) {
      if (!hidden && name.startsWith(".")) continue;
      const path = shown === "" ? name : joinPath(shown, name);
      const real = joinPath(folder, name);
      let stats = statOrNothing(context, real, false);
      if (stats?.isSymbolicLink()) {
        if (!options.has("L")) continue;
        stats = statOrNothing(context, real, true);
      }
      if (stats === undefined) continue;
      const directory = stats.isDirectory();
      const relative = this.#relative(path);
      if (list.ignores(relative, directory)) continue;
      if (!this.#wanted(relative, directory)) continue;
      if (directory) this.#folder(real, path, list, depth + 1);
      else if (stats.isFile()) this.#found.file(path);
      if (this.#found.enough()) return;
    }
  }

  #inRepository(folder: string): boolean {
    const { fs } = this.context;
    try {
      for (let at = fs.realpathSync(folder); at !== ""; at = at.slice(0, at.lastIndexOf("/"))) {
        if (fs.existsSync(`${at}/.git`)) {
          this.#repository = true;
          return true;
        }
      }
    } catch {
      // A folder that cannot be looked up is in no repository.
    }
    return false;
  }

  /** Rules know paths from where the walk began. */
  #relative(path: string): string {
    const root = this.paths.find(
      (each) => path === each || path.startsWith(`${each.replace(/\/+$/, "")}/`),
    );
    return root === undefined ? path : path.slice(root.replace(/\/+$/, "").length + 1);
  }

  #wanted(path: string, directory: boolean): boolean {
    const includes = this.#globs.filter(({ rule }) => !rule.kept);
    for (let at = this.#globs.length - 1; at >= 0; at--) {
      const { rule } = this.#globs[at]!;
      if (rule.matches(path, directory)) return !rule.kept;
    }
    if (directory) return true;
    if (includes.length > 0) return false;
    const name = path.slice(path.lastIndexOf("/") + 1);
    if (this.#notTypes.some((rule) => rule.test(name))) return false;
    return this.#types.length === 0 || this.#types.some((rule) => rule.test(name));
  }
}

function globOf(glob: string): RegExp {
  const source = glob
    .replace(/[\\^$.+()|]/g, "\\$&")
    .replace(/\*/g, ".*")
    .replace(/\?/g, ".")
    .replace(/\{([^}]*)\}/g, (_, list: string) => `(?:${list.split(",").join("|")})`);
  return new RegExp(`^${source}$`);
}
