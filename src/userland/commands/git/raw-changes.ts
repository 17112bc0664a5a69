/** Owns the raw form of a difference: a line of modes, objects and a letter for each file. */
import type { CommandContext } from "../../command.js";
import type { Options } from "../../support/options.js";
import type { Change } from "./diffstat.js";
import { short } from "./commit-text.js";
import type { Files } from "./trees.js";

const none = "0".repeat(40);
const noMode = "000000";

/** What is in the work tree alone has no object yet. */
export function writeRaw(
  context: CommandContext,
  list: readonly Change[],
  options: Options,
  staged: Files | undefined,
  { abbreviated = false } = {},
): void {
  const shown = abbreviated ? short : (oid: string): string => oid;
  const nul = options.has("z");
  for (const { path, from, old, new: now } of list) {
    const isWritten = staged === undefined || staged.get(path)?.oid === now?.oid;
    const letter =
      from !== undefined ? "R100" : old === undefined ? "A" : now === undefined ? "D" : "M";
    const objects = `${shown(old?.oid ?? none)} ${shown(now === undefined || !isWritten ? none : now.oid)}`;
    const names = [...(from === undefined ? [] : [from]), path].join(nul ? "\0" : "\t");
    context.write(
      `:${old?.mode ?? noMode} ${now?.mode ?? noMode} ${objects} ${letter}${nul ? "\0" : "\t"}${names}${nul ? "\0" : "\n"}`,
    );
  }
}
