/** Owns `xargs`. */
import { CommandFailure, type Command, type CommandContext } from "../command.js";
import { codeText } from "../support/errors.js";
import { openInput, LineReader, standardInput, type ByteSource } from "../support/input.js";
import { confirmed } from "../support/files.js";
import { parseOptions, type Options } from "../support/options.js";
import { fromBytes, readEscape, toBytes } from "../support/text.js";

const defaultMaxBytes = 128 * 1024;

export const main: Command = async (context) => {
  const options = parseOptions(
    context,
    "0a:d:E:e::I:i::L:l::n:oP:prs:tx",
    {
      null: "0",
      "arg-file=": "a",
      "delimiter=": "d",
      "eof=?": "e",
      "replace=?": "i",
      "max-lines=?": "l",
      "max-args=": "n",
      "open-tty": "o",
      "max-procs=": "P",
      interactive: "p",
      "no-run-if-empty": "r",
      "max-chars=": "s",
      verbose: "t",
      exit: "x",
      "show-limits": "limits",
    },
    { stopAtOperand: true },
  );
  const replace = replaced(options);
  const limits = limitsOf(options, replace !== undefined);
  const maxProcesses = numberOf(options, "P") ?? 1;
  const command = options.operands.length === 0 ? ["echo"] : options.operands;
  const file = options.get("a");
  const source: ByteSource = file === undefined ? standardInput(context) : openInput(context, file);
  const delimiter = options.has("0")
    ? "\0"
    : options.has("d")
      ? delimiterOf(options.get("d")!)
      : undefined;
  const end = options.get("E") ?? (options.get("e") || undefined);
  const runner = new Runner(context, {
    command,
    parallel: maxProcesses === 0 ? 1000 : maxProcesses,
    verbose: options.has("t", "p"),
    ask: options.has("p"),
    inheritInput: file !== undefined,
  });
  const items =
    delimiter !== undefined
      ? delimited(source, delimiter)
      : replace !== undefined
        ? wholeLines(source)
        : words(source);
  const fixedBytes = command.reduce((sum, word) => sum + word.length + 1, 0);
  const batch = new Batch(runner, limits, fixedBytes);
  for (const item of items) {
    if (item.text === end && delimiter === undefined) break;
    if (item.separator) {
      await batch.endLine();
      continue;
    }
    const text = fromBytes(item.text);
    if (replace === undefined) await batch.add(text);
    else await runner.run([], (word) => word.replaceAll(replace, text));
    if (runner.stopped) break;
  }
  const runsEmpty = replace === undefined && !options.has("r");
  if (!runner.stopped) await batch.finish(runsEmpty);
  return runner.finish();
};

function numberOf(options: Options, key: string): number | undefined {
  const text = options.get(key);
  if (text === undefined) return undefined;
  if (!/^-?\d+$/.test(text))
    throw new CommandFailure(`invalid number "${text}" for -${key} option`);
  const least = key === "P" ? 0 : 1;
  if (Number(text) < least) {
    throw new CommandFailure(`value ${text} for -${key} option should be >= ${least}`);
  }
  return Number(text);
}

/** The last of these counts: -L, -l and -n take back what -I said. */
const exclusive = ["I", "i", "L", "l", "n"];

/** What each item stands for in the command's words; undefined when items are added behind them. */
function replaced(options: Options): string | undefined {
  const key = options.last(...exclusive);
  if (key === "I") return options.get("I")!;
  return key === "i" ? options.get("i") || "{}" : undefined;
}

interface Limits {
  maxArguments: number | undefined;
  maxLines: number | undefined;
  maxBytes: number;
}

function limitsOf(options: Options, replaces: boolean): Limits {
  return {
    maxArguments: replaces ? undefined : numberOf(options, "n"),
    maxLines: options.has("L")
      ? numberOf(options, "L")
      : options.has("l")
        ? Number(options.get("l") || 1)
        : undefined,
    maxBytes: numberOf(options, "s") ?? defaultMaxBytes,
  };
}

/** The arguments of the next run, gathered until one of the limits is reached. */
class Batch {
  #words: string[] = [];
  #bytes = 0;
  #lines = 0;
  /** Whether there has been an argument at all. */
  #some = false;

  constructor(
    private readonly runner: Runner,
    private readonly limits: Limits,
    /** Of the command and the words that every run has. */
    private readonly fixedBytes: number,
  ) {}

  async add(text: string): Promise<void> {
    const { maxArguments, maxBytes } = this.limits;
    const bytes = text.length + 1;
    if (this.#words.length > 0 && this.fixedBytes + this.#bytes + bytes > maxBytes)
      await this.#run();
    this.#words.push(text);
    this.#bytes += bytes;
    this.#some = true;
    if (maxArguments !== undefined && this.#words.length >= maxArguments) await this.#run();
  }

  async endLine(): Promise<void> {
    const { maxLines } = this.limits;
    if (maxLines !== undefined && this.#words.length > 0 && ++this.#lines >= maxLines)
      await this.#run();
  }

  /** Runs what is left; with nothing at all, only where a run without arguments is wanted. */
  async finish(runsEmpty: boolean): Promise<void> {
    if (this.#words.length > 0 || (!this.#some && runsEmpty)) await this.#run();
  }

  async #run(): Promise<void> {
    await this.runner.run(this.#words);
    [this.#words, this.#bytes, this.#lines] = [[], 0, 0];
  }
}

function delimiterOf(text: string): string {
  const bytes = toBytes(text);
  if (bytes.length === 1) return bytes;
  const escape = bytes.startsWith("\\") ? readEscape(bytes, 0) : undefined;
  if (escape === undefined || escape.end !== bytes.length) {
    throw new CommandFailure(
      `Invalid input delimiter specification ${text}: the delimiter must be either a single character or an escape sequence starting with \\.`,
    );
  }
  return escape.value;
}

interface Item {
  text: string;
  /** The end of a line that held something, for -L. */
  separator?: boolean;
}

function* delimited(source: ByteSource, delimiter: string): Generator<Item> {
  const reader = new LineReader(source, delimiter);
  for (let text = reader.next(); text !== undefined; text = reader.next()) {
    yield { text };
    yield { text: "", separator: true };
  }
}

function* wholeLines(source: ByteSource): Generator<Item> {
  const reader = new LineReader(source);
  for (let line = reader.next(); line !== undefined; line = reader.next()) {
    const text = line.replace(/^[ \t]+/, "");
    if (text !== "") yield { text: unquoted(text) };
  }
}

function unquoted(text: string): string {
  return text.replace(
    /\\([^])|"([^"]*)"|'([^']*)'/g,
    (_, char?: string, double?: string, single?: string) => char ?? double ?? single ?? "",
  );
}

/** Blanks separate; quotes and backslashes protect. */
function* words(source: ByteSource): Generator<Item> {
  const reader = new LineReader(source);
  for (let line = reader.next(); line !== undefined; line = reader.next()) {
    let word: string | undefined;
    let some = false;
    // A blank at the end of a line makes the next one go on with it.
    const continued = /[ \t]$/.test(line);
    for (let at = 0; at < line.length; at++) {
      const char = line[at]!;
      if (char === " " || char === "\t") {
        if (word !== undefined) yield { text: word };
        word = undefined;
      } else if (char === '"' || char === "'") {
        const close = line.indexOf(char, at + 1);
        if (close === -1) {
          throw new CommandFailure(
            `unmatched ${char === "'" ? "single" : "double"} quote; by default quotes are special to xargs unless you use the -0 option`,
          );
        }
        word = (word ?? "") + line.slice(at + 1, close);
        some = true;
        at = close;
      } else if (char === "\\") {
        let next = line[++at];
        if (next === undefined) {
          const following = reader.next();
          next = "\n";
          line = following ?? "";
          at = -1;
        }
        word = (word ?? "") + next;
        some = true;
      } else {
        word = (word ?? "") + char;
        some = true;
      }
    }
    if (word !== undefined) yield { text: word };
    if (some && !continued) yield { text: "", separator: true };
  }
}

class Runner {
  stopped = false;
  #status = 0;
  readonly #running = new Set<Promise<void>>();

  constructor(
    private readonly context: CommandContext,
    private readonly options: {
      command: string[];
      parallel: number;
      verbose: boolean;
      ask: boolean;
      inheritInput: boolean;
    },
  ) {}

  async run(extra: string[], change: (word: string) => string = (word) => word): Promise<void> {
    const { context, options } = this;
    const [file, ...args] = [...options.command.map(change), ...extra] as [string, ...string[]];
    if (options.verbose) {
      context.writeError([file, ...args].map(shown).join(" ") + (options.ask ? "?..." : "\n"));
    }
    if (options.ask && !confirmed({ ...context, writeError: () => undefined }, "")) return;
    if (options.parallel === 1)
      return this.#ended(file, context.spawnSync(file, args, this.#stdin()));
    const task: Promise<void> = context.spawn(file, args, this.#stdin()).then((end) => {
      this.#running.delete(task);
      this.#ended(file, end);
    });
    this.#running.add(task);
    if (this.#running.size >= options.parallel) await Promise.race(this.#running);
  }

  #stdin(): { stdin: "inherit" | "ignore" } {
    return { stdin: this.options.inheritInput ? "inherit" : "ignore" };
  }

  #ended(file: string, end: { code: number; signal: string | null; error?: string }): void {
    const { context } = this;
    if (end.error !== undefined) {
      context.writeError(`xargs: ${file}: ${codeText(end.error)}\n`);
      this.#stop(end.code);
    } else if (end.signal !== null) {
      context.writeError(`xargs: ${file}: terminated by signal ${end.code - 128}\n`);
      this.#stop(125);
    } else if (end.code === 255) {
      context.writeError(`xargs: ${file}: exited with status 255; aborting\n`);
      this.#stop(124);
    } else if (end.code !== 0 && this.#status === 0) this.#status = 123;
  }

  #stop(status: number): void {
    this.stopped = true;
    this.#status = status;
  }

  async finish(): Promise<number> {
    await Promise.all(this.#running);
    return this.#status;
  }
}

function shown(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
