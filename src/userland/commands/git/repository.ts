/** Owns one repository as the subcommands of `git` see it: where it is, names of revisions, trees and the index. */
import { posix } from "node:path";
import type { CommandContext } from "../../command.js";
import { statOrNothing } from "../../support/files.js";
import { byteString, compareBytes } from "../../support/text.js";
import { fatal } from "./failures.js";
import { leftBefore, pastOf } from "./reflog.js";
import { library, type Git } from "./library.js";
import { peeled, upstreamOf } from "./refs.js";
import { tracked } from "./trees.js";

/** A path's state: what HEAD, the work tree and the index hold, as numbers of isomorphic-git's status matrix. */
export interface Row {
  path: string;
  /** 0 absent, 1 there. */
  head: number;
  /** 0 absent, 1 as in HEAD, 2 different. */
  work: number;
  /** 0 absent, 1 as in HEAD, 2 as in the work tree, 3 different from both. */
  stage: number;
}

/** Whether a tracked file, or what is staged of it, is another than HEAD's. */
export function isChanged({ head, work, stage }: Row): boolean {
  return stage !== head || (stage !== 0 && work !== stage);
}

export class Repository {
  readonly git: Git = library();
  readonly cache = {};

  constructor(
    readonly context: CommandContext,
    readonly dir: string,
    /** Options of `-c name=value`. */
    readonly overrides: ReadonlyMap<string, string>,
  ) {}

  static find(
    context: CommandContext,
    from: string,
    overrides: ReadonlyMap<string, string>,
  ): Repository {
    for (let at = from; ; at = at.slice(0, at.lastIndexOf("/")) || "/") {
      if (statOrNothing(context, `${at === "/" ? "" : at}/.git`, true) !== undefined)
        return new Repository(context, at, overrides);
      if (at === "/") throw fatal("not a git repository (or any of the parent directories): .git");
    }
  }

  /** What every call of the library takes. */
  get base() {
    return { fs: this.context.fs, dir: this.dir, cache: this.cache };
  }

  async config(name: string): Promise<string | undefined> {
    const own = this.overrides.get(name);
    if (own !== undefined) return own;
    const value: unknown = await this.git.getConfig({ ...this.base, path: name });
    return value === undefined || value === null
      ? globalConfig(this.context).get(name)
      : String(value);
  }

  /** A path of the command line, as the repository names it; "." is all of it. */
  pathOf(word: string, from = this.context.cwd()): string {
    const { dir } = this;
    const path = posix.resolve(from, word);
    if (path === dir) return ".";
    const prefix = dir === "/" ? "/" : `${dir}/`;
    if (!path.startsWith(prefix))
      throw fatal(`${word}: '${word}' is outside repository at '${dir}'`);
    return path.slice(prefix.length);
  }

  async branch(): Promise<string | undefined> {
    return (await this.git.currentBranch({ ...this.base })) ?? undefined;
  }

  /** What a name without steps stands for: a ref, an object, `branch@{upstream}`, `stash@{1}`. */
  async #named(name: string): Promise<string | undefined> {
    const { git, base } = this;
    const upstream = /^(.*)@\{(?:u|upstream)\}$/s.exec(name);
    if (upstream !== null) {
      const branch = upstream[1] === "" ? await this.branch() : upstream[1]!;
      const ref = branch === undefined ? undefined : await upstreamOf(this, branch);
      return ref === undefined ? undefined : this.#named(ref);
    }
    const past = /^(.*)@\{(-?)(\d+)\}$/s.exec(name);
    if (past !== null) {
      const [, ref = "", back, steps] = past;
      if (back === "") return pastOf(this, ref, Number(steps));
      const left = leftBefore(this, Number(steps));
      return left === undefined ? undefined : this.#named(left);
    }
    try {
      return await git.resolveRef({ ...base, ref: name === "@" || name === "" ? "HEAD" : name });
    } catch {
      return /^[0-9a-f]{4,40}$/.test(name)
        ? git.expandOid({ ...base, oid: name }).catch(() => undefined)
        : undefined;
    }
  }

  /** `revision:path`, or `:path` for the index. */
  async #within(revision: string, path: string): Promise<string | undefined> {
    if (revision === "")
      return (await tracked(this, "index")).get(this.pathOf(path, this.dir))?.oid;
    const oid = await this.resolve(revision);
    if (oid === undefined) return undefined;
    const { git, base } = this;
    const below = path.startsWith("./") ? this.pathOf(path) : path.replace(/\/+$/, "");
    if (below === "") return this.resolve(`${revision}^{tree}`);
    return git
      .readObject({ ...base, oid: await peeled(this, oid), filepath: below, format: "content" })
      .then(
        (found) => found.oid,
        () => undefined,
      );
  }

  /** The object itself, or what it leads to of the wanted type. */
  async #as(oid: string, type: string): Promise<string | undefined> {
    const { git, base } = this;
    const target = await peeled(this, oid);
    if (type === "") return target;
    const found = await git.readObject({ ...base, oid: target, format: "content" });
    if (type === "tree" && found.type === "commit")
      return (await git.readCommit({ ...base, oid: target })).commit.tree;
    return found.type === type || type === "object" ? target : undefined;
  }

  /** The commit or other object that a name stands for, with `~n`, `^n`, `^{type}` and `:path`. */
  async resolve(name: string): Promise<string | undefined> {
    const { git, base } = this;
    const inside = /^([^:]*):(?![(/!^])(.*)$/s.exec(name);
    if (inside !== null) return this.#within(inside[1]!, inside[2]!);
    const [, first = "", steps = ""] = /^(.*?)((?:[~^]\d*|\^\{\w*\})*)$/s.exec(name)!;
    let oid = await this.#named(first);
    for (const [, kind, type, digits = ""] of steps.matchAll(/([~^])(?:\{(\w*)\}|(\d*))/g)) {
      if (oid === undefined) return undefined;
      if (type !== undefined) {
        oid = await this.#as(oid, type);
        continue;
      }
      const count = digits === "" ? 1 : Number(digits);
      const parents = async (of: string) =>
        (await git.readCommit({ ...base, oid: of })).commit.parent;
      if (kind === "^") oid = count === 0 ? oid : (await parents(oid))[count - 1];
      else
        for (let step = 0; step < count && oid !== undefined; step++) oid = (await parents(oid))[0];
    }
    return oid;
  }

  async need(name: string): Promise<string> {
    const oid = await this.resolve(name);
    if (oid !== undefined) return oid;
    throw fatal(
      `ambiguous argument '${name}': unknown revision or path not in the working tree.\n` +
        `Use '--' to separate paths from revisions, like this:\n'git <command> [<revision>...] -- [<file>...]'`,
    );
  }

  /** Rows whose paths are named, or lie below what is named; in byte order. */
  async rows(paths: readonly string[] = ["."]): Promise<Row[]> {
    const filepaths = paths.map((path) => path);
    const matrix = await this.git.statusMatrix({ ...this.base, filepaths });
    return matrix
      .map(([path, head, work, stage]) => ({ path, head, work, stage }))
      .sort((a, b) => compareBytes(a.path, b.path));
  }

  /** Who writes a commit, from the environment and the configuration, as git reads them. */
  async person(kind: "AUTHOR" | "COMMITTER") {
    const { env } = this.context;
    const name = env[`GIT_${kind}_NAME`] ?? (await this.config("user.name"));
    const email = env[`GIT_${kind}_EMAIL`] ?? (await this.config("user.email"));
    if (name === undefined || email === undefined) {
      const { context } = this;
      context.writeError(
        `${kind === "AUTHOR" ? "Author" : "Committer"} identity unknown\n\n*** Please tell me who you are.\n\nRun\n\n` +
          `  git config --global user.email "you@example.com"\n  git config --global user.name "Your Name"\n\n` +
          `to set your account's default identity.\nOmit --global to set the identity only in this repository.\n\n`,
      );
      throw fatal("unable to auto-detect email address");
    }
    return { name, email, ...dateOf(env[`GIT_${kind}_DATE`]) };
  }

  /** A file at an object, as a byte string; "" when there is none. */
  async blob(oid: string | undefined): Promise<string> {
    if (oid === undefined) return "";
    return byteString((await this.git.readBlob({ ...this.base, oid })).blob);
  }
}

/** `seconds +hhmm`, or what Date reads. */
export function dateOf(text: string | undefined): { timestamp: number; timezoneOffset: number } {
  const raw = text === undefined ? null : /^@?(\d+)(?:\s+([+-])(\d\d)(\d\d))?$/.exec(text.trim());
  if (raw !== null) {
    const minutes = Number(raw[3] ?? 0) * 60 + Number(raw[4] ?? 0);
    return { timestamp: Number(raw[1]), timezoneOffset: raw[2] === "-" ? minutes : 0 - minutes };
  }
  const date = text === undefined ? new Date() : new Date(text);
  if (Number.isNaN(date.getTime())) throw fatal(`invalid date format: ${text}`);
  const zone = text === undefined ? null : /([+-])(\d\d):?(\d\d)$/.exec(text);
  const minutes = zone === null ? 0 : Number(zone[2]) * 60 + Number(zone[3]);
  return {
    timestamp: Math.floor(date.getTime() / 1000),
    timezoneOffset:
      zone === null
        ? text?.endsWith("Z")
          ? 0
          : date.getTimezoneOffset()
        : zone[1] === "-"
          ? minutes
          : 0 - minutes,
  };
}

export function globalConfigPath(context: CommandContext): string {
  return context.env["GIT_CONFIG_GLOBAL"] ?? `${context.env["HOME"] ?? "/root"}/.gitconfig`;
}

/** `section.name` → value of the user's own file; the last one counts. */
export function globalConfig(context: CommandContext): Map<string, string> {
  const values = new Map<string, string>();
  let text = "";
  try {
    text = context.fs.readFileSync(globalConfigPath(context), "utf8");
  } catch {
    return values;
  }
  let section = "";
  for (const line of text.split("\n")) {
    const head = /^\s*\[\s*([\w.-]+)(?:\s+"(.*)")?\s*\]/.exec(line);
    if (head !== null) {
      section = head[1]!.toLowerCase() + (head[2] === undefined ? "" : `.${head[2]}`);
      continue;
    }
    const pair = /^\s*([A-Za-z][\w-]*)\s*(?:=\s*(.*?))?\s*$/.exec(line);
    if (pair !== null)
      values.set(
        `${section}.${pair[1]!.toLowerCase()}`,
        (pair[2] ?? "true").replace(/^"(.*)"$/, "$1"),
      );
  }
  return values;
}
