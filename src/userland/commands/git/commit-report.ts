/** Owns what is said of a commit that was made. */
import type { CommandContext } from "../../command.js";
import { changesOf } from "./diff.js";
import { shortstat, summary } from "./diffstat.js";
import { dateText, short } from "./commit-text.js";
import { counted } from "./patch-text.js";
import type { Repository } from "./repository.js";

/** `[branch oid] subject`, whose it is where that is not the committer, and what changed. */
export async function reportCommit(
  repository: Repository,
  context: CommandContext,
  oid: string,
  { dated = false } = {},
): Promise<void> {
  const { commit } = await repository.git.readCommit({ ...repository.base, oid });
  const { author, committer, parent, message } = commit;
  const where = `${(await repository.branch()) ?? "detached HEAD"}${parent.length === 0 ? " (root-commit)" : ""}`;
  let text = `[${where} ${short(oid)}] ${message.split("\n", 1)[0]!}\n`;
  if (author.name !== committer.name || author.email !== committer.email)
    text += ` Author: ${author.name} <${author.email}>\n`;
  if (dated) text += ` Date: ${dateText(author)}\n`;
  context.write(text);
  // A merge says nothing of what it brought.
  if (parent.length > 1) return;
  const list = await Promise.all((await changesOf(repository, oid)).map(counted));
  if (list.length > 0) context.write(shortstat(list));
  context.writeBytes(summary(list));
}
