/** Owns pathname expansion. */
import { S_IFDIR, S_IFLNK, S_IFMT } from "../../abi/fcntl.js";
import { ShellError } from "./control.js";
import type { Environment } from "./environment.js";
import { limits } from "./limits.js";
import { isByteLocale } from "./locale.js";
import type { Pattern } from "./pattern.js";
import { compilePattern, hasPatternCharacters, unquotePattern } from "./pattern.js";

class Walk {
  readonly matches: string[] = [];
  readonly #hidden: boolean;
  readonly #skipDots: boolean;
  readonly #globstar: boolean;
  readonly #extended: boolean;
  #looked = 0;

  constructor(readonly env: Environment) {
    const { shellOptions, shell } = env;
    const ignores = shell.bash && (env.variables.value("GLOBIGNORE") ?? "") !== "";
    this.#hidden = shellOptions.has("dotglob") || ignores;
    this.#skipDots = shell.bash && shellOptions.has("globskipdots");
    this.#globstar = shellOptions.has("globstar");
    this.#extended = shell.bash && shellOptions.has("extglob");
  }

  /** `found` is a path that exists and ends in a slash, or is empty. */
  walk(found: string, components: readonly string[]): void {
    const [component, ...rest] = components;
    if (component === undefined) return this.#found(found);
    const last = rest.length === 0;
    if (component === "") {
      if (found === "" || this.#isDirectory(found)) this.walk(last ? found : `${found}/`, rest);
      return;
    }
    if (component === "**" && this.#globstar) return this.#anyDepth(found, rest);
    if (!hasPatternCharacters(component, this.#extended)) {
      const path = found + unquotePattern(component);
      if (last) {
        if (typeof this.env.shell.system.lstat(this.#absolute(path)) !== "number")
          this.#found(path);
      } else if (this.#isDirectory(path)) this.walk(`${path}/`, rest);
      return;
    }
    for (const name of this.#names(found, component)) {
      const path = found + name;
      if (last) this.#found(path);
      else if (this.#isDirectory(path)) this.walk(`${path}/`, rest);
    }
  }

  /** `**`: this directory, and all below it that are reached without links. */
  #anyDepth(found: string, rest: readonly string[]): void {
    // Several in a row are one.
    while (rest[0] === "**") rest = rest.slice(1);
    const last = rest.length === 0;
    if (last && found !== "") this.#found(found);
    else if (!last && !(rest.length === 1 && rest[0] === "" && found === ""))
      this.walk(found, rest);
    for (const name of this.#names(found, "*")) {
      const path = found + name;
      const status = this.env.shell.system.lstat(this.#absolute(path));
      if (typeof status === "number") continue;
      const type = status.mode & S_IFMT;
      if (type === S_IFDIR) {
        if (last) this.#found(path);
        this.#below(`${path}/`, rest);
      } else if (last) this.#found(path);
      else if (type === S_IFLNK && rest.length === 1 && rest[0] === "" && this.#isDirectory(path)) {
        this.#found(`${path}/`);
      }
    }
  }

  #below(found: string, rest: readonly string[]): void {
    if (rest.length > 0) return this.#anyDepth(found, rest);
    const before = this.matches.length;
    this.#anyDepth(found, rest);
    // The directory itself is there already, without the slash.
    if (this.matches[before] === found) this.matches.splice(before, 1);
  }

  #found(path: string): void {
    if (path === "") return;
    this.matches.push(path);
    if (this.matches.length > limits.expansionCount) {
      throw new ShellError("too many matching files");
    }
  }

  /** The names in a directory that the component matches. */
  #names(found: string, component: string): string[] {
    const names = this.env.shell.system.readdir(this.#absolute(found === "" ? "." : found));
    if (typeof names === "number") return [];
    this.#looked += names.length;
    if (this.#looked > limits.globEntries) throw new ShellError("too many files to match");
    const matcher = this.#compile(component);
    const dotted = component.startsWith(".") || component.startsWith("\\.");
    const dots = dotted && !this.#skipDots ? [".", ".."] : [];
    const visible = names.filter((name) => dotted || this.#hidden || !name.startsWith("."));
    return [...dots, ...visible].filter((name) => matcher.matches(name));
  }

  #compile(component: string): Pattern {
    return compilePattern(component, {
      extended: this.#extended,
      ignoreCase: this.env.shellOptions.has("nocaseglob"),
      bytes: isByteLocale(this.env),
    });
  }

  #absolute(path: string): string {
    return path.startsWith("/") ? path : `${this.env.cwd}/${path}`;
  }

  #isDirectory(path: string): boolean {
    const status = this.env.shell.system.stat(this.#absolute(path));
    return typeof status !== "number" && (status.mode & S_IFMT) === S_IFDIR;
  }
}

/** The paths that a pattern matches, sorted; empty without a match. Relative ones start at the working directory. */
export function expandPathnames(env: Environment, pattern: string): string[] {
  const components = pattern.split("/");
  // Longer than any path can be.
  if (components.length > 2048) return [];
  const walk = new Walk(env);
  walk.walk("", components);
  return notIgnored(env, walk.matches).sort();
}

/** Without what GLOBIGNORE names. */
function notIgnored(env: Environment, paths: string[]): string[] {
  const ignore = env.shell.bash ? env.variables.value("GLOBIGNORE") : undefined;
  if (ignore === undefined || ignore === "") return paths;
  const patterns = ignore.split(":").map((one) => compilePattern(one));
  return paths.filter((path) => !patterns.some((pattern) => pattern.matches(path)));
}
