/**
 * Owns word expansion (POSIX XCU 2.6): the walk over a word's parts into a sink.
 * Asynchronous because of command substitution; a word without expansions never
 * waits.
 */
import type { ArrayElement, Word, WordPart } from "./ast.js";
import { evaluateArithmetic } from "./arithmetic.js";
import { expandBraces, hasBraces } from "./braces.js";
import { ShellError } from "./control.js";
import type { Environment } from "./environment.js";
import { ExpressionSink, FieldSink, PatternSink, ReplacementSink, TextSink } from "./fields.js";
import type { Sink } from "./fields.js";
import { expandPathnames } from "./glob.js";
import type { Interpreter } from "./interpreter.js";
import { ParameterExpansion } from "./parameter-expansion.js";
import type { Value } from "./parameters.js";
import { arithmeticScope, elementKey } from "./parameters.js";
import { hasPatternCharacters } from "./pattern.js";
import { substituteProcess } from "./process-substitution.js";
import { homeOf } from "./users.js";

/** The inside of `name=(…)`, expanded. What the keys mean is known when the name is. */
export interface CompoundValue {
  /** `name+=(…)` */
  readonly append: boolean;
  readonly elements: readonly {
    readonly key?: string;
    readonly value: string;
    readonly append?: boolean;
  }[];
}

/** Arrays among the words of a declaration, by the number of the word they follow. */
export type Compounds = Map<number, CompoundValue>;

/** Words to fields: everything, with splitting and files. */
export async function expandWords(
  shell: Interpreter,
  env: Environment,
  words: readonly Word[],
  compounds?: Compounds,
): Promise<string[]> {
  const fields: string[] = [];
  for (const word of words) {
    const plain = plainField(word, shell.bash);
    if (plain !== undefined) fields.push(plain);
    else if (word.assignment !== undefined) {
      const { value, append } = word.assignment;
      if (!("parts" in value)) {
        compounds?.set(fields.length, await expandCompound(shell, env, value, append));
      }
      fields.push(await assignmentField(shell, env, word));
    } else if (shell.bash && env.options.has("braceexpand") && hasBraces(word)) {
      for (const one of expandBraces(word)) await expandFields(shell, env, one, fields);
    } else await expandFields(shell, env, word, fields);
  }
  return fields;
}

/** A word that is itself, without any work. */
function plainField(word: Word, bash: boolean): string | undefined {
  const part = word.parts[0];
  if (word.parts.length !== 1 || part?.kind !== "text") return undefined;
  if (part.quoted) return part.text;
  if (hasPatternCharacters(part.text, bash) || (bash && part.text.includes("{"))) return undefined;
  return part.text;
}

/** `name=value` as an argument of `export` and its like: neither split nor matched. */
async function assignmentField(shell: Interpreter, env: Environment, word: Word): Promise<string> {
  const { name, append, index, value } = word.assignment!;
  if (!("parts" in value)) return name;
  const key = index === undefined ? "" : `[${await expandText(shell, env, index)}]`;
  return `${name}${key}${append ? "+" : ""}=${await expandText(shell, env, value)}`;
}

/** The inside of `name=(…)`. */
export async function expandCompound(
  shell: Interpreter,
  env: Environment,
  given: readonly ArrayElement[],
  append: boolean,
): Promise<CompoundValue> {
  const elements: { key?: string; value: string; append?: boolean }[] = [];
  for (const { index, append: adds, value } of given) {
    if (index === undefined) {
      for (const field of await expandWords(shell, env, [value])) elements.push({ value: field });
    } else {
      const key = await expandText(shell, env, index);
      const text = await expandText(shell, env, value);
      elements.push({ key, value: text, ...(adds && { append: true }) });
    }
  }
  return { append, elements };
}

async function expandFields(
  shell: Interpreter,
  env: Environment,
  word: Word,
  into: string[],
): Promise<void> {
  const { shellOptions } = env;
  const sink = new FieldSink(env.separators, shell.bash && shellOptions.has("extglob"));
  await new Expansion(shell, env, sink).parts(word.parts, false);
  for (const { text, pattern } of sink.finish()) {
    if (pattern === undefined || env.options.has("noglob")) {
      into.push(text);
      continue;
    }
    const paths = expandPathnames(env, pattern);
    for (const path of paths) into.push(path);
    if (paths.length > 0) continue;
    if (shellOptions.has("failglob")) throw new ShellError(`no match: ${text}`);
    if (!shellOptions.has("nullglob")) into.push(text);
  }
}

/** A word to one text: assignments, redirections, subjects of `case`. */
export async function expandText(
  shell: Interpreter,
  env: Environment,
  word: Word,
): Promise<string> {
  const [part] = word.parts;
  if (part === undefined) return "";
  if (word.parts.length === 1 && part.kind === "text") return part.text;
  const sink = new TextSink();
  await new Expansion(shell, env, sink).parts(word.parts, false);
  return sink.text;
}

/** A word to a pattern, in which quoted characters stand for themselves. */
export async function expandPattern(
  shell: Interpreter,
  env: Environment,
  word: Word,
): Promise<string> {
  const sink = new PatternSink();
  await new Expansion(shell, env, sink).parts(word.parts, false);
  return sink.pattern;
}

/** The right side of `=~`. */
export async function expandExpression(
  shell: Interpreter,
  env: Environment,
  word: Word,
): Promise<string> {
  const sink = new ExpressionSink();
  await new Expansion(shell, env, sink).parts(word.parts, false);
  return sink.pattern;
}

/** What takes the place of a match: `&` is the match where `patsub_replacement` is on. */
async function expandReplacement(
  shell: Interpreter,
  env: Environment,
  word: Word,
): Promise<(match: string) => string> {
  if (!env.shellOptions.has("patsub_replacement")) {
    const text = await expandText(shell, env, word);
    return () => text;
  }
  const sink = new ReplacementSink();
  await new Expansion(shell, env, sink).parts(word.parts, false);
  return sink.replacement();
}

export async function expandArithmetic(
  shell: Interpreter,
  env: Environment,
  word: Word,
): Promise<bigint> {
  return evaluateArithmetic(await expandText(shell, env, word), arithmeticScope(env, shell.bash));
}

/** The key of `name[index]`, for arrays of either kind. */
async function expandKey(
  shell: Interpreter,
  env: Environment,
  name: string,
  index: Word,
): Promise<string | number> {
  return elementKey(env, name, await expandText(shell, env, index));
}

export class Expansion {
  constructor(
    readonly shell: Interpreter,
    readonly env: Environment,
    readonly sink: Sink,
  ) {}

  /** `splitting`: unquoted text comes from a parameter's default and is split like its value. */
  async parts(parts: readonly WordPart[], splitting: boolean): Promise<void> {
    const { env, shell, sink } = this;
    for (const part of parts) {
      switch (part.kind) {
        case "text":
          if (part.quoted) sink.quoted(part.text);
          else if (splitting) sink.expansion(part.text);
          else sink.literal(part.text);
          break;
        case "tilde":
          sink.quoted(await this.#home(part.user));
          break;
        case "parameter":
          await new ParameterExpansion(this, part).run();
          break;
        case "command":
          this.emit(await shell.substitute(env, part.body), part.quoted);
          break;
        case "process":
          sink.quoted(substituteProcess(shell, env, part));
          break;
        case "arithmetic": {
          const value = await expandArithmetic(shell, env, part.expression);
          this.emit(value.toString(), part.quoted);
        }
      }
    }
  }

  // What stands inside an expansion, expanded by itself.

  text(word: Word): Promise<string> {
    return expandText(this.shell, this.env, word);
  }

  pattern(word: Word): Promise<string> {
    return expandPattern(this.shell, this.env, word);
  }

  replacement(word: Word): Promise<(match: string) => string> {
    return expandReplacement(this.shell, this.env, word);
  }

  arithmetic(word: Word): Promise<bigint> {
    return expandArithmetic(this.shell, this.env, word);
  }

  key(name: string, index: Word): Promise<string | number> {
    return expandKey(this.shell, this.env, name, index);
  }

  async #home(user: string): Promise<string> {
    const { directoryStack, variables, cwd } = this.env;
    const { bash, system } = this.shell;
    if (user === "") return variables.value("HOME") ?? "~";
    if (!bash) return (await homeOf(system, user)) ?? `~${user}`;
    if (user === "+") return cwd;
    if (user === "-") return variables.value("OLDPWD") ?? "~-";
    if (/^[-+]?\d+$/.test(user)) {
      const stack = [cwd, ...directoryStack];
      const number = Number(user.replace(/^[-+]/, ""));
      return stack.at(user.startsWith("-") ? -1 - number : number) ?? `~${user}`;
    }
    return (await homeOf(system, user)) ?? `~${user}`;
  }

  emit(value: Value, quoted: boolean): void {
    const { sink } = this;
    if (value === undefined) {
      if (quoted) sink.quoted("");
    } else if (typeof value === "string") {
      if (quoted) sink.quoted(value);
      else sink.expansion(value);
    } else if (!sink.splits || (value.star && quoted)) {
      // In bash, "$@" that cannot become several fields is joined by blanks whatever IFS says.
      const joiner = value.star || !this.shell.bash ? this.env.joiner : " ";
      const text = value.items.join(joiner);
      if (quoted) sink.quoted(text);
      else sink.expansion(text);
    } else {
      value.items.forEach((item, index) => {
        if (index > 0) sink.separate();
        if (quoted) sink.quoted(item);
        else sink.expansion(item);
      });
    }
  }
}
