/** Owns pathname expansion. */
import { S_IFDIR, S_IFMT } from "../../abi/fcntl.js";
import { ShellError } from "./control.js";
import { limits } from "./limits.js";
import { compilePattern, hasPatternCharacters, unquotePattern } from "./pattern.js";
import type { ShellSystem } from "./system.js";

/** The paths that a pattern matches, sorted; empty without a match. Relative ones start at `cwd`. */
export function expandPathnames(system: ShellSystem, cwd: string, pattern: string): string[] {
  const matches: string[] = [];
  let looked = 0;
  const absolute = (path: string): string => (path.startsWith("/") ? path : `${cwd}/${path}`);
  const isDirectory = (path: string): boolean => {
    const status = system.stat(absolute(path));
    return typeof status !== "number" && (status.mode & S_IFMT) === S_IFDIR;
  };

  /** `found` is a path that exists and ends in a slash, or is empty. */
  const walk = (found: string, components: readonly string[]): void => {
    const [component, ...rest] = components;
    if (component === undefined) {
      matches.push(found);
      if (matches.length > limits.expansionCount) throw new ShellError("too many matching files");
      return;
    }
    const last = rest.length === 0;
    if (component === "") {
      if (found === "" || isDirectory(found)) walk(last ? found : `${found}/`, rest);
      return;
    }
    if (!hasPatternCharacters(component)) {
      const path = found + unquotePattern(component);
      if (last) {
        if (typeof system.lstat(absolute(path)) !== "number") walk(path, rest);
      } else if (isDirectory(path)) walk(`${path}/`, rest);
      return;
    }
    const names = system.readdir(absolute(found === "" ? "." : found));
    if (typeof names === "number") return;
    looked += names.length;
    if (looked > limits.globEntries) throw new ShellError("too many files to match");
    const matcher = compilePattern(component);
    const hidden = component.startsWith(".") || component.startsWith("\\.");
    const candidates = hidden ? [".", "..", ...names] : names;
    for (const name of candidates) {
      if ((name.startsWith(".") && !hidden) || !matcher.matches(name)) continue;
      const path = found + name;
      if (last) walk(path, rest);
      else if (isDirectory(path)) walk(`${path}/`, rest);
    }
  };

  const components = pattern.split("/");
  // Longer than any path can be.
  if (components.length > 2048) return [];
  walk("", components);
  return matches.sort();
}
