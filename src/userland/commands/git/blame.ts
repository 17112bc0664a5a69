/** Owns `git blame`: which commit each line of a file comes from. */
import type { CommandContext } from "../../command.js";
import { errorCode } from "../../support/errors.js";
import { parseOptions } from "../../support/options.js";
import { byteString } from "../../support/text.js";
import { changes } from "../diff/compare.js";
import { clockOf, zoneText, type Commit as CommitRecord } from "./commit-text.js";
import { childrenFirst, commitsFrom } from "./commit-walk.js";
import { keys, lines } from "./patch-text.js";
import { fatal } from "./failures.js";
import type { Repository } from "./repository.js";

type Commit = CommitRecord["commit"];

/** A line that a commit may have brought: its number there, and in the file that is asked about. */
interface Suspect {
  at: number;
  final: number;
}

interface Owner {
  oid: string;
  commit: Commit;
}

async function textAt(
  repository: Repository,
  oid: string,
  path: string,
): Promise<string | undefined> {
  // Not by way of all files of a commit: this is asked for every commit of the history.
  try {
    const { blob } = await repository.git.readBlob({ ...repository.base, oid, filepath: path });
    return byteString(blob);
  } catch (error) {
    if (errorCode(error) === "NotFoundError") return undefined;
    throw error;
  }
}

/** The commit of each line. Lines that a parent has go to it; what no parent has is the commit's own. */
async function ownersOf(repository: Repository, oid: string, path: string): Promise<Owner[]> {
  const first = await textAt(repository, oid, path);
  if (first === undefined) throw fatal(`no such path '${path}' in HEAD`);
  const owners: Owner[] = [];
  const suspects = new Map<string, Suspect[]>([
    [oid, lines(first).list.map((_, at) => ({ at, final: at }))],
  ]);
  // What comes to a commit has come when its turn is there.
  for (const { oid: at, commit } of childrenFirst(await commitsFrom(repository, [oid]))) {
    let own = suspects.get(at) ?? [];
    if (own.length === 0) continue;
    const now = keys(lines((await textAt(repository, at, path))!));
    for (const parent of commit.parent) {
      const text = await textAt(repository, parent, path);
      if (text === undefined) continue;
      const { passed, kept } = divide(own, keys(lines(text)), now);
      suspects.set(parent, [...(suspects.get(parent) ?? []), ...passed]);
      own = kept;
    }
    for (const { final } of own) owners[final] = { oid: at, commit };
  }
  return owners;
}

/** Which lines a parent has as well, with their numbers there. */
function divide(
  suspects: readonly Suspect[],
  before: readonly string[],
  now: readonly string[],
): { passed: Suspect[]; kept: Suspect[] } {
  const hunks = changes(before, now);
  const [passed, kept]: [Suspect[], Suspect[]] = [[], []];
  for (const suspect of suspects) {
    let shift = 0;
    let own = false;
    for (const { aEnd, bStart, bEnd } of hunks) {
      if (bStart > suspect.at) break;
      if (suspect.at < bEnd) own = true;
      shift = aEnd - bEnd;
    }
    if (own) kept.push(suspect);
    else passed.push({ at: suspect.at + shift, final: suspect.final });
  }
  return { passed, kept };
}

function dateOf(author: Commit["author"]): string {
  const text = clockOf(author).toISOString();
  return `${text.slice(0, 10)} ${text.slice(11, 19)} ${zoneText(author.timezoneOffset)}`;
}

/** `-L from,to` and `-L from,+count`, counted from 1. */
function rangeOf(text: string | undefined, count: number): [number, number] {
  if (text === undefined) return [1, count];
  const [, from = "1", plus, to] = /^(\d+)(?:,(\+?)(\d+))?$/.exec(text) ?? [];
  if (/^\d+(,\+?\d+)?$/.test(text) === false)
    throw fatal(`-L takes two numbers here, not '${text}'`);
  const first = Number(from);
  if (first > count) throw fatal(`file has only ${count} lines`);
  const last = to === undefined ? count : plus === "+" ? first + Number(to) - 1 : Number(to);
  return [first, Math.min(last, count)];
}

/** Digits of an object's name; a root's begins with `^` in place of the last. */
const nameLength = 8;

export async function blame(repository: Repository, context: CommandContext): Promise<number> {
  const end = context.argv.indexOf("--");
  const argv = context.argv.filter((_, at) => at !== end);
  const options = parseOptions(
    { ...context, argv },
    "L:sel",
    { "show-email": "e" },
    { status: 129 },
  );
  const [first, second] = options.operands;
  if (first === undefined) throw fatal("blame takes a file");
  const [revision, file] = second === undefined ? ["HEAD", first] : [first, second];
  const path = repository.pathOf(file);
  const oid = await repository.need(revision);
  const owners = await ownersOf(repository, oid, path);
  const text = lines((await textAt(repository, oid, path))!).list;
  const [from, to] = rangeOf(options.get("L"), text.length);
  const shown = owners.slice(from - 1, to);
  const who = ({ commit: { author } }: Owner): string =>
    options.has("e") ? `<${author.email}>` : author.name;
  const width = Math.max(0, ...shown.map((owner) => who(owner).length));
  const digits = String(to).length;
  const length = options.has("l") ? 40 : nameLength;
  shown.forEach((owner, index) => {
    const root = owner.commit.parent.length === 0;
    const name = root ? `^${owner.oid.slice(0, length - 1)}` : owner.oid.slice(0, length);
    const number = String(from + index).padStart(digits);
    const meta = options.has("s")
      ? `${number}) `
      : `(${who(owner).padEnd(width)} ${dateOf(owner.commit.author)} ${number}) `;
    context.writeBytes(
      `${name} ${Buffer.from(meta).toString("latin1")}${text[from - 1 + index]!}\n`,
    );
  });
  return 0;
}
