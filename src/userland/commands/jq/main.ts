/** Owns `jq`'s command line. */
import { CommandFailure, type Command, type CommandContext } from "../../command.js";
import { errorText } from "../../support/errors.js";
import { openInput, readAll } from "../../support/input.js";
import { Halt } from "./builtins.js";
import { checkNames } from "./check.js";
import { Evaluator } from "./evaluate.js";
import {
  JsonError,
  JsonReader,
  print,
  type Json,
  type JsonObject,
  type PrintStyle,
} from "./json.js";
import { JqError, truthy } from "./operations.js";
import { FilterParser } from "./parser.js";
import { Scope } from "./scope.js";

interface Settings {
  flags: Set<string>;
  filter: string | undefined;
  files: string[];
  variables: Map<string, Json>;
  positional: Json[];
  indent: string | undefined;
}

const longFlags: Record<string, string> = {
  "null-input": "n",
  "raw-input": "R",
  slurp: "s",
  "compact-output": "c",
  "raw-output": "r",
  "raw-output0": "0",
  "join-output": "j",
  "ascii-output": "a",
  "sort-keys": "S",
  "color-output": "C",
  "monochrome-output": "M",
  "exit-status": "e",
  unbuffered: "u",
  stream: "stream",
  seq: "seq",
  binary: "b",
};

export const main: Command = (context) => {
  const settings = parseArguments(context);
  if (settings.filter === undefined) {
    throw new CommandFailure("Usage: jq [OPTIONS] FILTER [FILES...]", 2);
  }
  const { flags } = settings;
  const filter = new FilterParser(settings.filter).parse();
  const inputs = inputReader(context, settings);
  const evaluator = new Evaluator({
    nextInput: () => inputs.next(),
    env: context.env,
    debug: (text) => context.writeError(`${text}\n`),
  });
  const named: JsonObject = new Map(settings.variables);
  const all: JsonObject = new Map<string, Json>([
    ["positional", settings.positional],
    ["named", named],
  ]);
  const scope = new Scope(
    evaluator.root,
    undefined,
    new Map([...settings.variables, ["ARGS", all], ["__prog_args", settings.positional]]),
  );
  checkNames(filter, scope);
  const style: PrintStyle = {
    indent: settings.indent,
    sortKeys: flags.has("S"),
    ascii: flags.has("a"),
    color: flags.has("C"),
  };
  let last: Json | undefined;
  let status = 0;
  const emit = (value: Json) => {
    last = value;
    if (flags.has("seq")) context.write("\x1e");
    const raw = (flags.has("r") || flags.has("j") || flags.has("0")) && typeof value === "string";
    context.write(
      (raw ? (value as string) : print(value, style)) +
        (flags.has("0") ? "\0" : flags.has("j") ? "" : "\n"),
    );
  };
  const runOn = (input: Json) => {
    try {
      for (const value of evaluator.values(filter, input, scope)) emit(value);
    } catch (error) {
      if (!(error instanceof JqError)) throw error;
      status = 5;
      const { value } = error;
      const place = flags.has("n")
        ? "<unknown>"
        : `${settings.files[0] ?? "<stdin>"}:${inputs.line()}`;
      const text = typeof value === "string" ? `: ${value}` : ` (not a string): ${print(value)}`;
      // As the real one, whose output waits in its buffer: the error is there first.
      context.writeErrorFirst(`jq: error (at ${place})${text}\n`);
    }
  };
  try {
    if (flags.has("n")) runOn(null);
    else for (let input = inputs.next(); input !== undefined; input = inputs.next()) runOn(input);
  } catch (error) {
    if (error instanceof Halt) {
      if (error.value !== undefined && error.value !== null) {
        context.writeError(
          typeof error.value === "string" ? error.value : `${print(error.value)}\n`,
        );
      }
      return error.status;
    }
    if (!(error instanceof JsonError)) throw error;
    context.writeError(`jq: parse error: ${error.message}\n`);
    return 2;
  }
  if (status !== 0 || inputs.failed()) return status || 2;
  if (flags.has("e")) return last === undefined ? 4 : truthy(last) ? 0 : 1;
  return 0;
};

const helpHint =
  "Use jq --help for help with command-line options,\nor see the jq manpage, or online docs  at https://stedolan.github.io/jq\n";

/** Options that are letters as well as words. */
const letterFlags = ["stream", "seq", ..."nRscrj0aSCMeub"];

function parseArguments(context: CommandContext): Settings {
  const reader = new ArgumentReader(context);
  const told = reader.read();
  const { settings } = reader;
  if (told !== undefined) {
    context.write(told);
    return { ...settings, filter: "empty", flags: new Set(["n"]) };
  }
  if (settings.flags.has("c")) settings.indent = undefined;
  return settings;
}

class ArgumentReader {
  readonly settings: Settings = {
    flags: new Set(),
    filter: undefined,
    files: [],
    variables: new Map(),
    positional: [],
    indent: "  ",
  };
  readonly #words: string[];
  /** What operands behind the filter are. */
  #operands: "files" | "texts" | "json" = "files";

  constructor(private readonly context: CommandContext) {
    this.#words = context.argv.slice(1);
  }

  /** Reads all words, or up to one that asks for a text: that text is answered. */
  read(): string | undefined {
    let options = true;
    for (let word = this.#words.shift(); word !== undefined; word = this.#words.shift()) {
      if (!options || !/^-(?:-.+|[A-Za-z0]+|-)$/.test(word)) this.#operand(word);
      else if (word === "--") options = false;
      else if (word === "--help") return "Usage: jq [OPTIONS] FILTER [FILES...]\n";
      else if (word === "--version") return "jq-1.6\n";
      else if (!word.startsWith("--")) for (const letter of word.slice(1)) this.#flag(letter, word);
      else if (!this.#named(word.slice(2))) this.#flag(longFlags[word.slice(2)], word);
    }
    return undefined;
  }

  #operand(word: string): void {
    const { settings } = this;
    if (settings.filter === undefined) settings.filter = word;
    else if (this.#operands === "files") settings.files.push(word);
    else settings.positional.push(this.#operands === "texts" ? word : jsonOf(word, "jsonargs"));
  }

  /** A word that is no flag; whether there is such a word. */
  #named(name: string): boolean {
    const { settings } = this;
    const { variables } = settings;
    switch (name) {
      case "arg":
        variables.set(this.#take(name), this.#take(name));
        return true;
      case "argjson":
        variables.set(this.#take(name), jsonOf(this.#take(name), name));
        return true;
      case "slurpfile":
      case "rawfile":
        variables.set(...this.#fileVariable(name));
        return true;
      case "args":
        this.#operands = "texts";
        return true;
      case "jsonargs":
        this.#operands = "json";
        return true;
      case "tab":
        settings.indent = "\t";
        return true;
      case "indent":
        settings.indent = " ".repeat(this.#width()) || undefined;
        return true;
      case "from-file":
        this.#filterFile();
        return true;
    }
    return false;
  }

  #flag(letter: string | undefined, word: string): void {
    if (letter === "f") this.#filterFile();
    else if (letter !== undefined && letterFlags.includes(letter)) this.settings.flags.add(letter);
    else throw new CommandFailure(`Unknown option ${word}`, 2, helpHint);
  }

  /** What looked like the filter until now is a file. */
  #filterFile(): void {
    const { settings } = this;
    const path = this.#words.shift();
    if (path === undefined) return;
    if (settings.filter !== undefined) settings.files.unshift(settings.filter);
    settings.filter = readText(this.context, path);
  }

  /** The next word, which belongs to an option. */
  #take(name: string): string {
    const word = this.#words.shift();
    if (word !== undefined) return word;
    const second = parameters[name];
    const needs =
      second === undefined
        ? "takes one parameter"
        : `takes two parameters (e.g. --${name} varname ${second})`;
    throw new CommandFailure(`--${name} ${needs}`, 2, helpHint);
  }

  #width(): number {
    const width = Number.parseInt(this.#take("indent"), 10) || 0;
    if (width >= -1 && width <= 7) return Math.max(0, width);
    throw new CommandFailure("--indent takes a number between -1 and 7", 2, helpHint);
  }

  /** A variable whose value is a file's text, or the values in it. */
  #fileVariable(name: "slurpfile" | "rawfile"): [string, Json] {
    const [variable, path] = [this.#take(name), this.#take(name)];
    try {
      const text = readText(this.context, path);
      return [variable, name === "rawfile" ? text : [...valuesOf(text)]];
    } catch (error) {
      if (!(error instanceof CommandFailure || error instanceof JsonError)) throw error;
      throw new CommandFailure(`Bad JSON in --${name} ${variable} ${path}: ${error.message}`, 2);
    }
  }
}

/** What the second parameter of an option with two is called. */
const parameters: Record<string, string> = {
  arg: "value",
  argjson: "text",
  slurpfile: "filename",
  rawfile: "filename",
};

function jsonOf(text: string, option: string): Json {
  try {
    const value = new JsonReader(text).next();
    if (value !== undefined) return value;
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
  }
  throw new CommandFailure(`invalid JSON text passed to --${option}`, 2, helpHint);
}

function readText(context: CommandContext, path: string): string {
  try {
    const source = openInput(context, path);
    const text = readAll(source).toString("utf8");
    source.close();
    return text;
  } catch (error) {
    // The real one opens a directory and then cannot read it.
    const reason = errorText(error);
    throw new CommandFailure(
      `Could not open ${path}: ${reason === "Is a directory" ? "It's a directory" : reason}`,
      2,
    );
  }
}

function* valuesOf(text: string): Generator<Json> {
  const reader = new JsonReader(text);
  for (let value = reader.next(); value !== undefined; value = reader.next()) yield value;
}

/** What --stream makes of a value: a path and a leaf each, and a path alone where a container ends. */
function* eventsOf(value: Json, path: Json[]): Generator<Json> {
  const entries: [Json, Json][] =
    value instanceof Map
      ? [...value]
      : Array.isArray(value)
        ? value.map((item, at): [Json, Json] => [at, item])
        : [];
  if (entries.length === 0) {
    yield [path, value];
    return;
  }
  for (const [key, item] of entries) yield* eventsOf(item, [...path, key]);
  yield [[...path, entries.at(-1)![0]]];
}

function inputReader(context: CommandContext, settings: Settings) {
  const files = settings.files.length === 0 ? ["-"] : settings.files;
  const { flags } = settings;
  let failed = false;
  let lines = 0;
  const texts = function* (): Generator<string> {
    for (const file of files) {
      let text: string;
      try {
        const source = openInput(context, file);
        text = readAll(source).toString("utf8");
        source.close();
      } catch (error) {
        context.writeError(`jq: error: Could not open ${file}: ${errorText(error)}\n`);
        failed = true;
        continue;
      }
      lines += text.split("\n").length - 1;
      yield text;
    }
  };
  const values = function* (): Generator<Json> {
    if (flags.has("R")) {
      const all = [...texts()].join("");
      if (flags.has("s")) yield all;
      else if (all !== "") yield* all.replace(/\n$/, "").split("\n");
    } else if (flags.has("s")) yield [...texts()].flatMap((text) => [...valuesOf(text)]);
    else if (flags.has("stream")) {
      for (const text of texts()) for (const value of valuesOf(text)) yield* eventsOf(value, []);
    } else for (const text of texts()) yield* valuesOf(text);
  };
  const generator = values();
  return {
    next: (): Json | undefined => generator.next().value as Json | undefined,
    failed: () => failed,
    line: () => lines,
  };
}
