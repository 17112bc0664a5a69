/**
 * Owns word expansion (POSIX XCU 2.6): the walk over a word's parts into a sink.
 * Asynchronous because of command substitution; a word without expansions never
 * waits.
 */
import type { ParameterPart, Word, WordPart } from "./ast.js";
import { evaluateArithmetic } from "./arithmetic.js";
import { expandBraces, hasBraces } from "./braces.js";
import { ShellError } from "./control.js";
import type { Environment } from "./environment.js";
import { ExpressionSink, FieldSink, PatternSink, TextSink } from "./fields.js";
import type { Sink } from "./fields.js";
import { expandPathnames } from "./glob.js";
import type { Interpreter } from "./interpreter.js";
import type { Value } from "./parameters.js";
import {
  arithmeticScope,
  arrayKeys,
  changeCase,
  elementKey,
  elementValue,
  lengthOf,
  listOfArray,
  mapValue,
  parameterValue,
  sliceValue,
  trimValue,
} from "./parameters.js";
import { compilePattern, hasPatternCharacters } from "./pattern.js";
import { validName } from "./variables.js";

/** Words to fields: everything, with splitting and files. */
export async function expandWords(
  shell: Interpreter,
  env: Environment,
  words: readonly Word[],
): Promise<string[]> {
  const fields: string[] = [];
  for (const word of words) {
    const plain = plainField(word, shell.bash);
    if (plain !== undefined) fields.push(plain);
    else if (word.assignment !== undefined) fields.push(await assignmentField(shell, env, word));
    else if (shell.bash && hasBraces(word)) {
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
  if (hasPatternCharacters(part.text) || (bash && part.text.includes("{"))) return undefined;
  return part.text;
}

/** `name=value` as an argument of `export` and its like: neither split nor matched. */
async function assignmentField(shell: Interpreter, env: Environment, word: Word): Promise<string> {
  const { name, append, value } = word.assignment!;
  if (!("parts" in value)) return name;
  return `${name}${append ? "+" : ""}=${await expandText(shell, env, value)}`;
}

async function expandFields(
  shell: Interpreter,
  env: Environment,
  word: Word,
  into: string[],
): Promise<void> {
  const sink = new FieldSink(env.separators);
  await new Expansion(shell, env, sink).parts(word.parts, false);
  for (const { text, pattern } of sink.finish()) {
    if (pattern === undefined || env.options.has("noglob")) into.push(text);
    else {
      const paths = expandPathnames(shell.system, env.cwd, pattern);
      if (paths.length > 0) for (const path of paths) into.push(path);
      else if (!env.shellOptions.has("nullglob")) into.push(text);
    }
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

export async function expandArithmetic(
  shell: Interpreter,
  env: Environment,
  word: Word,
): Promise<bigint> {
  return evaluateArithmetic(await expandText(shell, env, word), arithmeticScope(env, shell.bash));
}

class Expansion {
  constructor(
    readonly shell: Interpreter,
    readonly env: Environment,
    readonly sink: Sink,
  ) {}

  /** `splitting`: unquoted text comes from a parameter's default and is split like its value. */
  async parts(parts: readonly WordPart[], splitting: boolean): Promise<void> {
    const { sink } = this;
    for (const part of parts) {
      switch (part.kind) {
        case "text":
          if (part.quoted) sink.quoted(part.text);
          else if (splitting) sink.expansion(part.text);
          else sink.literal(part.text);
          break;
        case "tilde":
          sink.quoted(this.#home(part.user));
          break;
        case "parameter":
          await this.#parameter(part);
          break;
        case "command":
          this.#emit(await this.shell.substitute(this.env, part.body), part.quoted);
          break;
        case "arithmetic": {
          const value = await expandArithmetic(this.shell, this.env, part.expression);
          this.#emit(value.toString(), part.quoted);
        }
      }
    }
  }

  #home(user: string): string {
    const { variables, cwd } = this.env;
    if (user === "+" && this.shell.bash) return cwd;
    const home = user === "" ? variables.value("HOME") : undefined;
    return home ?? `~${user}`;
  }

  #emit(value: Value, quoted: boolean): void {
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

  async #value(part: ParameterPart): Promise<Value> {
    const { env, shell } = this;
    const { index, name } = part;
    if (index === undefined) return parameterValue(shell, env, name);
    if (index === "@" || index === "*") return listOfArray(env, name, index === "*");
    return elementValue(env, name, await expandText(shell, env, index));
  }

  async #parameter(part: ParameterPart): Promise<void> {
    const { operation, quoted } = part;
    if (operation?.type === "bad") throw new ShellError("Bad substitution");
    if (operation?.type === "names") return this.#names(part);
    let value = await this.#value(part);
    switch (operation?.type) {
      case "default":
      case "assign":
      case "error":
      case "alternate":
        return this.#test(part, operation, value);
      case "indirect":
        value = this.#indirect(value);
        break;
      default:
    }
    if (value === undefined && this.env.options.has("nounset")) {
      throw new ShellError(`${part.name}: parameter not set`);
    }
    this.#emit(await this.#operate(part, value), quoted);
  }

  async #operate(part: ParameterPart, value: Value): Promise<Value> {
    const { env, shell } = this;
    const { operation } = part;
    switch (operation?.type) {
      case "length":
        if (value === undefined || typeof value === "string") return lengthOf(value);
        // dash measures the text of `$*`; the number of elements is bash's idea.
        if (shell.bash || part.index !== undefined) return String(value.items.length);
        return lengthOf(value.items.join(env.joiner));
      case "trim":
        return trimValue(value, operation, await expandPattern(shell, env, operation.pattern));
      case "replace": {
        const pattern = compilePattern(await expandPattern(shell, env, operation.pattern));
        const replacement = await expandText(shell, env, operation.replacement);
        return mapValue(value, (text) => pattern.replace(text, operation.where, replacement));
      }
      case "slice": {
        const offset = Number(await expandArithmetic(shell, env, operation.offset));
        const length =
          operation.length && Number(await expandArithmetic(shell, env, operation.length));
        const isPositional = part.name === "@" || part.name === "*";
        return sliceValue(value, isPositional ? env.name : undefined, offset, length);
      }
      case "case":
        return changeCase(value, operation.upper, operation.all);
      default:
        return value;
    }
  }

  /** `${!name}` */
  #indirect(value: Value): Value {
    if (typeof value !== "string") return undefined;
    const element = /^([A-Za-z_]\w*)\[(.*)\]$/s.exec(value);
    if (element === null) return parameterValue(this.shell, this.env, value);
    const [, name, key] = element;
    if (key === "@" || key === "*") return listOfArray(this.env, name!, key === "*");
    return elementValue(this.env, name!, key!);
  }

  /** `${!name[@]}` and `${!prefix*}` */
  #names(part: ParameterPart): void {
    const { env } = this;
    const items =
      part.index === undefined
        ? env.variables.names().filter((name) => name.startsWith(part.name))
        : arrayKeys(env, part.name);
    this.#emit({ items, star: false }, part.quoted);
  }

  async #test(
    part: ParameterPart,
    operation: Extract<
      NonNullable<ParameterPart["operation"]>,
      { type: "default" | "assign" | "error" | "alternate" }
    >,
    value: Value,
  ): Promise<void> {
    const { env, shell } = this;
    const { type, colon, word } = operation;
    const isSet =
      value !== undefined && (typeof value === "string" || value.items.length > 0 || !shell.bash);
    const isEmpty = typeof value === "string" ? value === "" : isSet && value.items.join("") === "";
    const usable = isSet && !(colon && isEmpty);
    if (usable !== (type === "alternate")) {
      if (type !== "alternate") this.#emit(value, part.quoted);
      else if (part.quoted) this.sink.quoted("");
      return;
    }
    switch (type) {
      case "default":
      case "alternate":
        if (part.quoted && word.parts.length === 0) this.sink.quoted("");
        return this.parts(word.parts, !part.quoted);
      case "error": {
        const message = await expandText(shell, env, word);
        const standard = colon ? "parameter not set or null" : "parameter not set";
        throw new ShellError(`${part.name}: ${message === "" ? standard : message}`);
      }
      case "assign": {
        if (!validName.test(part.name)) throw new ShellError(`${part.name}: bad variable name`);
        const text = await expandText(shell, env, word);
        if (part.index !== undefined && typeof part.index !== "string") {
          const key = await expandText(shell, env, part.index);
          env.variables.setElement(part.name, elementKey(env, part.name, key), text);
        } else env.assign(part.name, text);
        this.#emit(text, part.quoted);
      }
    }
  }
}
