/**
 * Owns what is under way between two commands: a merge, a pick or a revert with conflicts, a rebase; the files of
 * gitrepository-layout(5) that say so.
 *
 * Untrusted: their content, which programs may write.
 */
import type { CommandContext } from "../../command.js";
import type { Repository } from "./repository.js";

const files = ["MERGE_HEAD", "MERGE_MSG", "MERGE_MODE", "CHERRY_PICK_HEAD", "REVERT_HEAD"] as const;
export type StateFile = (typeof files)[number];

/** Of a sequence: commits that are left, and for a rebase the branch and where it was. */
const sequenceFile = "sequencer/todo";

type At = Pick<Repository, "context" | "dir">;

function readOr({ context, dir }: At, name: string): string | undefined {
  const path = `${dir}/.git/${name}`;
  return context.fs.existsSync(path) ? context.fs.readFileSync(path, "utf8") : undefined;
}

export function stateOf(at: At, name: StateFile): string | undefined {
  return readOr(at, name)?.trim();
}

export function setState({ context, dir }: At, name: StateFile, text: string): void {
  context.fs.writeFileSync(`${dir}/.git/${name}`, text);
}

/** The message that a commit without one gets, its comments left out. */
export function messageUnderWay(at: At): string | undefined {
  const text = readOr(at, "MERGE_MSG");
  if (text === undefined) return undefined;
  return text
    .split("\n")
    .filter((line) => !line.startsWith("#"))
    .join("\n");
}

export function writeMessage(at: At, message: string, conflicts: readonly string[]): void {
  const listed = conflicts.map((path) => `#\t${path}\n`).join("");
  setState(at, "MERGE_MSG", `${message.trimEnd()}\n\n# Conflicts:\n${listed}`);
}

/** The files that such a message lists. */
export function conflictsUnderWay(at: At): string[] {
  const listed = /^# Conflicts:\n((?:#\t.*\n)*)/m.exec(readOr(at, "MERGE_MSG") ?? "")?.[1] ?? "";
  return listed.split("\n").flatMap((line) => (line === "" ? [] : [line.slice(2)]));
}

/** What is under way is over; a sequence of commits goes on. */
export function endState({ context, dir }: At): void {
  for (const name of files) context.fs.rmSync(`${dir}/.git/${name}`, { force: true });
}

export interface Sequence {
  command: "cherry-pick" | "revert" | "rebase";
  /** Where HEAD was. */
  from: string;
  /** Of a rebase: the branch that is moved in the end. */
  branch?: string;
  left: string[];
}

export function sequenceOf(at: At): Sequence | undefined {
  const text = readOr(at, sequenceFile);
  if (text === undefined) return undefined;
  const [head = "", ...left] = text.split("\n").filter((line) => line !== "");
  const [command, from = "", branch] = head.split(" ");
  if (command !== "cherry-pick" && command !== "revert" && command !== "rebase") return undefined;
  return { command, from, ...(branch !== undefined && { branch }), left };
}

export function setSequence({ context, dir }: At, sequence: Sequence): void {
  const { command, from, branch, left } = sequence;
  const head = [command, from, ...(branch === undefined ? [] : [branch])].join(" ");
  context.fs.mkdirSync(`${dir}/.git/sequencer`, { recursive: true });
  context.fs.writeFileSync(`${dir}/.git/${sequenceFile}`, `${[head, ...left].join("\n")}\n`);
}

export function endSequence({ context, dir }: { context: CommandContext; dir: string }): void {
  context.fs.rmSync(`${dir}/.git/sequencer`, { recursive: true, force: true });
}
