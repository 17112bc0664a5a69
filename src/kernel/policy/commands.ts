/**
 * Owns what a command is to a policy: the names under which an execution is
 * judged, and how a pattern of the childProcess scope matches one of them.
 *
 * Invariants: every file that would be executed has to be allowed, the interpreters
 * of scripts included, and under the name the guest wrote as well as its own; a
 * rule that allows by name believes only the names of the machine's own directories.
 * Untrusted: the name written, every link and every script.
 */
import { basename, dirname } from "node:path/posix";
import { parseNameGlob, parsePathGlob } from "../../protocol/permission-patterns.js";
import type { Mode, Requests } from "../../protocol/permissions.js";
import { shellNames } from "../../protocol/programs.js";
import { matchesName, matchesPath } from "./glob.js";

/** Where commands come from that a guest has not made itself. */
const commandDirectories: ReadonlySet<string> = new Set([
  "/bin",
  "/sbin",
  "/usr/bin",
  "/usr/sbin",
  "/usr/local/bin",
  "/usr/local/sbin",
]);

/** Whether a file without links lies where only the machine's own commands do. */
export function isMachineCommand(path: string): boolean {
  return commandDirectories.has(dirname(path));
}

export type ExecutedName = Pick<Requests["childProcess"], "command" | "path" | "program">;

/**
 * The names to be judged for the execution of `command`: as it was written, under the file's own
 * name where a link, PATH or a directory of the guest's stands in between, and each interpreter.
 */
export function executedNames(
  command: string,
  files: readonly { path: string; program: string }[],
): ExecutedName[] {
  const names: ExecutedName[] = [];
  for (const [at, { path, program }] of files.entries()) {
    const more = { path, ...(program !== "" && { program }) };
    if (at === 0) names.push({ command, ...more });
    const itself =
      at === 0 &&
      (command === path || (basename(command) === basename(path) && isMachineCommand(path)));
    if (!itself) names.push({ command: path, ...more });
  }
  return names;
}

/**
 * With a slash: the file that is run. Without: the command's name, for which an allowing rule
 * also wants one of the directories above, or a guest could name its own file like it. A denying
 * rule by name also stops a copy of the program under another name.
 */
export function commandMatcher(
  pattern: string,
): (request: Requests["childProcess"], mode: Mode) => boolean {
  if (pattern.includes("/")) {
    const glob = parsePathGlob(pattern);
    return ({ command, path }) => matchesPath(glob, path ?? command);
  }
  const glob = parseNameGlob(pattern);
  return ({ command, path, program }, mode) => {
    const file = path ?? command;
    if (mode === "deny") {
      const names = [basename(command), basename(file)];
      if (program !== undefined) names.push(program);
      if (program === "sh") names.push(...shellNames);
      return names.some((name) => matchesName(glob, name));
    }
    if (!matchesName(glob, basename(command))) return false;
    return !file.includes("/") || isMachineCommand(file);
  };
}
