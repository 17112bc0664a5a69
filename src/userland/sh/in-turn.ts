/**
 * Owns pipelines whose members run in turn: each in the shell's own process, on what the one before has printed. No
 * pipe, no process, and nothing that runs beside anything.
 *
 * Invariants: only members that end by themselves and change nothing, and that have printed no more than a pipe would
 * have held, so that none could have met a reader that has gone; a member that turns out to be another is started with
 * the rest of the pipeline as ever, on the same input.
 */
import type { Command, Redirection, SimpleCommand, Word } from "./ast.js";
import { builtinOf } from "./builtins/builtin.js";
import { Exit } from "./control.js";
import { Capture, TextSource } from "./descriptors.js";
import type { Environment } from "./environment.js";
import { isAlone } from "./here.js";
import type { Interpreter } from "./interpreter.js";

/** What a pipe of Linux holds. */
const pipeBytes = 64 * 1024;
const builtinSources = new Set(["echo", "printf"]);
const sources = new Set("basename dirname ls readlink realpath seq stat".split(" "));
const filters = new Set("cat cut egrep fgrep grep head sed sort tail tr uniq wc".split(" "));
/** In place, and into files. */
const changes = /^-[^-]*i|^--in-place|^w|[^A-Za-z]w/;

/** One member's, until it asks for a process. */
export class Turn {
  isOver = false;

  constructor(readonly mostBytes: number) {}

  /** Nothing of it has been done. */
  end(): never {
    this.isOver = true;
    throw new Exit(0, false);
  }
}

export interface InTurn {
  /** Of the members that have run. */
  readonly statuses: readonly number[];
  /** What the last of them has printed, where there are more. */
  readonly input: TextSource | undefined;
}

export async function runInTurn(
  shell: Interpreter,
  env: Environment,
  commands: readonly Command[],
  tested: boolean,
): Promise<InTurn> {
  const statuses: number[] = [];
  if (!mayRun(shell, env) || !commands.every((one, at) => isMember(env, one, at === 0)))
    return { statuses, input: undefined };
  let printed: Uint8Array | undefined;
  // From the beginning for whoever reads it in another's place.
  const input = () => printed && new TextSource(shell.system, printed);
  for (const [at, command] of commands.entries()) {
    const isLast = at === commands.length - 1;
    const member = env.clone();
    const turn = new Turn(isLast ? Infinity : pipeBytes);
    member.turn = turn;
    const source = input();
    if (source !== undefined) member.descriptors.set(0, source);
    const capture = isLast ? undefined : new Capture(shell.system);
    if (capture !== undefined) member.descriptors.set(1, capture);
    const status = await shell.runSubshell(member, () => shell.execute(member, command, tested));
    if (turn.isOver) break;
    statuses.push(status);
    printed = await capture?.output();
  }
  return { statuses, input: input() };
}

function mayRun(shell: Interpreter, env: Environment): boolean {
  if (shell.system.runHere === undefined || !isAlone(shell, env)) return false;
  if (env.options.has("xtrace") || env.shellOptions.has("lastpipe")) return false;
  return [...env.traps.keys()].every((trap) => trap === "EXIT");
}

function isMember(env: Environment, command: Command, isFirst: boolean): boolean {
  if (command.kind !== "simple" || command.assignments.length > 0) return false;
  const [first, ...words] = command.words;
  const name = first === undefined ? undefined : textOf(first);
  if (name === undefined || env.functions.has(name)) return false;
  const isBuiltin = builtinOf(env, name) !== undefined;
  const isKnown = filters.has(name) || (isFirst && sources.has(name));
  if (isBuiltin ? !(isFirst && builtinSources.has(name)) : !isKnown) return false;
  if (name === "sed" && command.words.some((word) => changes.test(textOf(word) ?? "")))
    return false;
  return (
    words.every((word) => word.assignment === undefined && isQuick(word)) &&
    (command as SimpleCommand).redirections.every(isOfErrors)
  );
}

function textOf({ parts }: Word): string | undefined {
  let text = "";
  for (const part of parts) {
    if (part.kind !== "text") return undefined;
    text += part.text;
  }
  return text;
}

/** Expanding it runs nothing and changes nothing, and may be done again. */
export function isQuick(word: Word): boolean {
  return word.parts.every(
    (part) =>
      part.kind === "text" ||
      part.kind === "tilde" ||
      (part.kind === "parameter" && part.operation === undefined && part.index === undefined),
  );
}

/** `2>/dev/null` and `2>&1`. */
function isOfErrors({ fd, operator, target }: Redirection): boolean {
  const text = textOf(target);
  return (
    fd === 2 && ((operator === ">" && text === "/dev/null") || (operator === ">&" && text === "1"))
  );
}
