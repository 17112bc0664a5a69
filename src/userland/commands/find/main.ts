/** Owns `find`'s command line. */
import type { Command } from "../../command.js";
import { beginsExpression, ExpressionParser, type Settings } from "./expression.js";
import { walk } from "./walk.js";

export const main: Command = (context) => {
  const words = context.argv.slice(1);
  const settings: Settings = {
    maxDepth: Infinity,
    minDepth: 0,
    depthFirst: false,
    oneFileSystem: false,
    follow: "never",
    atEnd: [],
    failed: false,
    quit: false,
    nowMs: Date.now(),
  };
  let at = 0;
  for (; /^-([HLP]|O\d|D.*)$/.test(words[at] ?? ""); at++) {
    settings.follow =
      ({ "-L": "always", "-H": "named", "-P": "never" }[words[at]!] as Settings["follow"]) ??
      settings.follow;
  }
  if (words[at] === "--") at++;
  const paths: string[] = [];
  while (at < words.length && !beginsExpression(words[at]!)) paths.push(words[at++]!);
  if (words[at] === "--help" || words[at] === "--version") {
    context.write(
      words[at] === "--help"
        ? "Usage: find [-H] [-L] [-P] [path...] [expression]\n"
        : "find (secure-exec) 1.0\n",
    );
    return 0;
  }
  const test = new ExpressionParser(context, words.slice(at), settings).parse();
  for (const path of paths.length === 0 ? ["."] : paths) {
    walk(context, path, settings, test);
    if (settings.quit) break;
  }
  for (const finish of settings.atEnd) finish();
  return settings.failed ? 1 : 0;
};
