/** Owns `$name` and `${…}` (POSIX XCU 2.6.2 and bash's operators) inside the walk over a word. */
import type { ParameterOperation, ParameterPart } from "./ast.js";
import { ShellError } from "./control.js";
import type { Environment } from "./environment.js";
import type { Expansion } from "./expansion.js";
import type { Interpreter } from "./interpreter.js";
import { patternOf } from "./matching.js";
import {
  changeCase,
  lengthOf,
  replaceValue,
  sliceArray,
  slicePositional,
  sliceText,
  trimValue,
} from "./parameter-operations.js";
import type { Value } from "./parameters.js";
import { arrayKeys, elementValue, listOfArray, parameterValue } from "./parameters.js";
import { transformValue } from "./transforms.js";
import { wordText } from "./unparse.js";
import { elementName, validName } from "./variables.js";

type TestOperation = Extract<
  ParameterOperation,
  { type: "default" | "assign" | "error" | "alternate" }
>;

export class ParameterExpansion {
  readonly #shell: Interpreter;
  readonly #env: Environment;

  constructor(
    readonly expansion: Expansion,
    readonly part: ParameterPart,
  ) {
    this.#shell = expansion.shell;
    this.#env = expansion.env;
  }

  async run(): Promise<void> {
    const { expansion, part } = this;
    const { operation, quoted } = part;
    if (operation?.type === "bad") {
      throw new ShellError("Bad substitution", 2, {
        message: `${operation.source}: bad substitution`,
      });
    }
    if (operation?.type === "names") return this.#names(operation.star);
    if (part.indirect === true) return this.#indirect();
    const value = await this.#value();
    switch (operation?.type) {
      case "default":
      case "assign":
      case "error":
      case "alternate":
        return this.#test(operation, value);
      default:
    }
    if (value === undefined && this.#env.options.has("nounset")) throw this.#unbound();
    expansion.emit(await this.#operate(value), quoted);
  }

  #unbound(): ShellError {
    const { index, name } = this.part;
    const shown = typeof index === "object" ? `${name}[${wordText(index)}]` : name;
    return new ShellError(`${name}: parameter not set`, 2, {
      message: `${/^\d+$/.test(shown) ? "$" : ""}${shown}: unbound variable`,
      status: 127,
      ends: "shell",
    });
  }

  async #value(): Promise<Value> {
    const env = this.#env;
    const { index, name } = this.part;
    if (index === undefined) return parameterValue(env, name);
    if (index === "@" || index === "*") return listOfArray(env, name, index === "*");
    return elementValue(env, name, await this.expansion.text(index));
  }

  async #operate(value: Value): Promise<Value> {
    const env = this.#env;
    const shell = this.#shell;
    const { index, operation } = this.part;
    switch (operation?.type) {
      case "length":
        if (value === undefined || typeof value === "string") return lengthOf(env, value);
        // dash measures the text of `$*`; the number of elements is bash's idea.
        if (shell.bash || index !== undefined) return String(value.items.length);
        return lengthOf(env, value.items.join(env.joiner));
      case "trim": {
        const pattern = patternOf(env, await this.expansion.pattern(operation.pattern));
        return trimValue(value, operation, pattern);
      }
      case "replace": {
        const pattern = patternOf(env, await this.expansion.pattern(operation.pattern));
        const replacement = await this.expansion.replacement(operation.replacement);
        return replaceValue(value, operation.where, pattern, replacement);
      }
      case "slice": {
        const offset = Number(await this.expansion.arithmetic(operation.offset));
        const length =
          operation.length && Number(await this.expansion.arithmetic(operation.length));
        return this.#slice(value, offset, length);
      }
      case "case": {
        const source = await this.expansion.pattern(operation.pattern);
        return changeCase(
          env,
          value,
          operation,
          source === "" ? undefined : patternOf(env, source),
        );
      }
      case "transform":
        return transformValue(shell, env, this.part, operation.operator, value);
      default:
        return value;
    }
  }

  #slice(value: Value, offset: number, length: number | undefined): Value {
    const env = this.#env;
    if (value === undefined) return undefined;
    if (typeof value === "string") return sliceText(env, value, offset, length);
    const { index, name } = this.part;
    const { star } = value;
    if (index === undefined && (name === "@" || name === "*")) {
      return { items: slicePositional(env, value.items, offset, length), star };
    }
    const keys = env.variables.get(name)?.array?.keys() ?? value.items.map((_, key) => key);
    return { items: sliceArray(keys, value.items, offset, length), star };
  }

  /** `${!name…}`: the rest applies to what the value names. */
  async #indirect(): Promise<void> {
    const { expansion, part } = this;
    const { name, index } = part;
    const env = this.#env;
    const own = env.variables.own(name);
    let target: Value;
    if (own?.reference === true && index === undefined) {
      // Of a name reference it is the name.
      if (part.operation === undefined) return expansion.emit(own.value ?? "", part.quoted);
      target = own.value;
    } else target = await this.#value();
    if (typeof target !== "string") {
      target = target?.items.length === 1 ? target.items[0] : undefined;
    }
    if (target === undefined) {
      if (part.operation !== undefined && "word" in part.operation) {
        return this.#test(part.operation, undefined);
      }
      throw new ShellError(`${name}: invalid indirect expansion`);
    }
    const { indirect: _, index: __, ...rest } = part;
    const element = elementName.exec(target);
    if (element !== null) {
      const key = element[2]!;
      const word = { parts: [{ kind: "text" as const, text: key, quoted: false }], source: key };
      const chosen = key === "@" || key === "*" ? key : word;
      return new ParameterExpansion(expansion, { ...rest, name: element[1]!, index: chosen }).run();
    }
    if (!validName.test(target) && !/^(?:\d+|[@*#?$!-])$/.test(target)) {
      throw new ShellError(`${target}: invalid variable name`);
    }
    return new ParameterExpansion(expansion, { ...rest, name: target }).run();
  }

  /** `${!name[@]}` and `${!prefix*}` */
  #names(star: boolean): void {
    const env = this.#env;
    const { index, name, quoted } = this.part;
    const items =
      index === undefined
        ? env.variables.names().filter((one) => one.startsWith(name))
        : arrayKeys(env, name);
    this.expansion.emit({ items, star }, quoted);
  }

  async #test(operation: TestOperation, value: Value): Promise<void> {
    const { expansion, part } = this;
    const { sink } = expansion;
    const env = this.#env;
    const { type, colon, word } = operation;
    const { bash } = this.#shell;
    const isSet =
      value !== undefined && (typeof value === "string" || value.items.length > 0 || !bash);
    const isEmpty = typeof value === "string" ? value === "" : isSet && value.items.join("") === "";
    const usable = isSet && !(colon && isEmpty);
    if (usable !== (type === "alternate")) {
      if (type !== "alternate") expansion.emit(value, part.quoted);
      else if (part.quoted) sink.quoted("");
      return;
    }
    switch (type) {
      case "default":
      case "alternate":
        if (part.quoted && word.parts.length === 0) sink.quoted("");
        return expansion.parts(word.parts, !part.quoted);
      case "error":
        throw await this.#error(operation);
      case "assign":
        return expansion.emit(await this.#assign(operation), part.quoted);
    }
    void env;
  }

  async #error({ colon, word }: TestOperation): Promise<ShellError> {
    const { name } = this.part;
    const given = await this.expansion.text(word);
    const standard = colon ? "parameter not set or null" : "parameter not set";
    const bash = colon ? "parameter null or not set" : "parameter not set";
    return new ShellError(`${name}: ${given === "" ? standard : given}`, 2, {
      message: `${name}: ${given === "" ? bash : given}`,
      status: 127,
      ends: "shell",
    });
  }

  async #assign({ word }: TestOperation): Promise<string> {
    const env = this.#env;
    const { index, name } = this.part;
    if (!validName.test(name)) {
      throw new ShellError(`${name}: bad variable name`, 2, {
        message: `$${name}: cannot assign in this way`,
      });
    }
    const text = await this.expansion.text(word);
    if (index !== undefined && typeof index !== "string") {
      const key = await this.expansion.key(name, index);
      env.variables.setElement(name, key, text);
    } else env.assign(name, text);
    return text;
  }
}
