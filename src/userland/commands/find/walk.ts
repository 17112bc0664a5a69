/** Owns find's walk over the trees, with a list of its own instead of the stack. */
import type { Stats } from "node:fs";
import type { CommandContext } from "../../command.js";
import { errorText } from "../../support/errors.js";
import { joinPath } from "../../support/files.js";
import { quoted } from "../../support/text.js";
import type { Settings, Test } from "./expression.js";

export interface Found {
  path: string;
  start: string;
  depth: number;
  stats: Stats;
  /** -prune: do not go into this directory. */
  pruned: boolean;
}

interface Level {
  found: Found;
  names: string[];
  at: number;
}

export function walk(context: CommandContext, start: string, settings: Settings, test: Test): void {
  const complain = (path: string, error: unknown) => {
    context.writeError(`find: ${quoted(path)}: ${errorText(error)}\n`);
    settings.failed = true;
  };
  const levels: Level[] = [];
  const visit = (path: string, depth: number): void => {
    let found: Found;
    try {
      const follow = settings.follow === "always" || (settings.follow === "named" && depth === 0);
      let stats = context.fs.lstatSync(path);
      if (follow && stats.isSymbolicLink()) {
        stats = context.fs.statSync(path, { throwIfNoEntry: false }) ?? stats;
      }
      found = { path, start, depth, stats, pruned: false };
    } catch (error) {
      return complain(path, error);
    }
    const chosen = depth >= settings.minDepth;
    if (chosen && !settings.depthFirst) test(found);
    const enters =
      found.stats.isDirectory() &&
      depth < settings.maxDepth &&
      !(found.pruned && !settings.depthFirst) &&
      !settings.quit &&
      !isLoop(found);
    if (!enters) {
      if (chosen && settings.depthFirst) test(found);
      return;
    }
    let names: string[] = [];
    try {
      names = context.fs.readdirSync(path);
    } catch (error) {
      complain(path, error);
    }
    levels.push({ found, names, at: 0 });
  };
  const isLoop = (found: Found): boolean => {
    if (
      settings.oneFileSystem &&
      levels.length > 0 &&
      levels[0]!.found.stats.dev !== found.stats.dev
    ) {
      return true;
    }
    if (settings.follow !== "always") return false;
    const above = levels.find(
      ({ found: { stats } }) => stats.ino === found.stats.ino && stats.dev === found.stats.dev,
    );
    if (above === undefined) return false;
    context.writeError(
      `find: File system loop detected; ${quoted(found.path)} is part of the same file system loop as ${quoted(above.found.path)}.\n`,
    );
    settings.failed = true;
    return true;
  };
  visit(start, 0);
  while (levels.length > 0 && !settings.quit) {
    const top = levels.at(-1)!;
    const name = top.names[top.at++];
    if (name !== undefined) visit(joinPath(top.found.path, name), top.found.depth + 1);
    else {
      levels.pop();
      if (settings.depthFirst && top.found.depth >= settings.minDepth) test(top.found);
    }
  }
}
