/** Owns `git shortlog`: commits by who wrote them. */
import type { CommandContext } from "../../command.js";
import { parseOptions } from "../../support/options.js";
import { commitsFrom } from "./commit-walk.js";
import { fatal } from "./failures.js";
import type { Repository } from "./repository.js";

export async function shortlog(repository: Repository, context: CommandContext): Promise<number> {
  const options = parseOptions(
    context,
    "sne",
    { summary: "s", numbered: "n", email: "e", all: "all", "no-merges": "nomerges" },
    { status: 129 },
  );
  const [name = "HEAD", extra] = options.operands;
  if (extra !== undefined || name.includes("..")) throw fatal("shortlog takes one revision here");
  const starts = [await repository.need(name)];
  if (options.has("all"))
    for (const branch of await repository.git.listBranches({ ...repository.base }))
      starts.push(await repository.need(`refs/heads/${branch}`));
  const subjects = new Map<string, string[]>();
  for (const { commit } of await commitsFrom(repository, starts)) {
    if (options.has("nomerges") && commit.parent.length > 1) continue;
    const { author, message } = commit;
    const who = options.has("e") ? `${author.name} <${author.email}>` : author.name;
    const list = subjects.get(who) ?? [];
    subjects.set(who, [message.split("\n", 1)[0]!, ...list]);
  }
  const people = [...subjects].sort(([a, one], [b, other]) =>
    options.has("n") && one.length !== other.length ? other.length - one.length : a < b ? -1 : 1,
  );
  for (const [who, list] of people) {
    if (options.has("s")) context.write(`${String(list.length).padStart(6)}\t${who}\n`);
    else
      context.write(
        `${who} (${list.length}):\n${list.map((subject) => `      ${subject}\n`).join("")}\n`,
      );
  }
  return 0;
}
