/** Owns `less` and `more`: what they are given, page by page at a terminal and all at once elsewhere. */
import { ReadStream, WriteStream } from "node:tty";
import type { Command, CommandContext } from "../command.js";
import { characterCount, sliceCharacters } from "../support/characters.js";
import { eachInput, readAll } from "../support/input.js";
import { PosixRegex } from "../support/regex.js";
import { byteString, toBytes } from "../support/text.js";

export const main: Command = (context) => {
  const files: string[] = [];
  let quitIfOne = false;
  let chop = false;
  let numbers = false;
  const words = [
    ...(context.env["LESS"] ?? "")
      .split(/\s+/)
      .map((word) => (word.startsWith("-") || word === "" ? word : `-${word}`)),
    ...context.argv.slice(1),
  ];
  for (const word of words) {
    if (word === "--version" || word === "-V") {
      context.write("less (secure-exec) 1.0\n");
      return 0;
    }
    if (word.startsWith("-") && word !== "-") {
      quitIfOne ||= /^-[a-zA-Z]*F/.test(word) || word === "--quit-if-one-screen";
      chop ||= /^-[a-zA-Z]*S/.test(word) || word === "--chop-long-lines";
      numbers ||= /^-[a-zA-Z]*N/.test(word) || word === "--LINE-NUMBERS";
    } else if (!word.startsWith("+") && word !== "") files.push(word);
  }
  if (files.length === 0 && context.isTerminal(0)) {
    context.writeError(`Missing filename ("${context.name} --help" for help)\n`);
    return 1;
  }
  if (!context.isTerminal(1)) {
    const good = eachInput(
      context,
      files,
      (source) => {
        for (let chunk = source.read(); chunk.length > 0; chunk = source.read())
          context.write(chunk);
      },
      (name, reason) => `${name}: ${reason}`.replace(/^/, ""),
    );
    return good ? 0 : 1;
  }
  let text = "";
  const good = eachInput(context, files, (source) => {
    text += byteString(readAll(source));
  });
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  if (!good && lines.length === 0) return 1;
  return new Pager(context, lines, { quitIfOne, chop, numbers, title: files[0] ?? "" }).run();
};

class Pager {
  #top = 0;
  #search: PosixRegex | undefined;
  #backwards = false;
  #message = "";

  constructor(
    private readonly context: CommandContext,
    private readonly lines: string[],
    private readonly options: {
      quitIfOne: boolean;
      chop: boolean;
      numbers: boolean;
      title: string;
    },
  ) {}

  #size(): { rows: number; columns: number } {
    try {
      const [columns, rows] = new WriteStream(1).getWindowSize();
      return { rows: Math.max(2, rows || 24), columns: Math.max(10, columns || 80) };
    } catch {
      return { rows: 24, columns: 80 };
    }
  }

  async run(): Promise<number> {
    const { context, lines } = this;
    const keys = openKeys(context);
    const { rows } = this.#size();
    if (keys === undefined || (this.options.quitIfOne && lines.length < rows)) {
      for (const line of lines) context.writeBytes(`${line}\n`);
      return 0;
    }
    try {
      this.#draw();
      for await (const key of keys.read()) {
        if (key === "q" || key === "Q" || key === "\x03" || key === "ZZ") break;
        if (key === "/" || key === "?") await this.#ask(key, keys);
        else this.#move(key);
        this.#draw();
      }
    } finally {
      keys.close();
      context.write("\r\x1b[K");
    }
    return 0;
  }

  #page(): number {
    return this.#size().rows - 1;
  }

  #move(key: string): void {
    const page = this.#page();
    const last = Math.max(0, this.lines.length - page);
    const half = Math.max(1, Math.floor(page / 2));
    const steps: Record<string, number> = {
      " ": page,
      f: page,
      "\x06": page,
      "\x1b[6~": page,
      b: -page,
      "\x02": -page,
      "\x1b[5~": -page,
      "\r": 1,
      "\n": 1,
      j: 1,
      e: 1,
      "\x1b[B": 1,
      k: -1,
      y: -1,
      "\x1b[A": -1,
      d: half,
      "\x04": half,
      u: -half,
      "\x15": -half,
    };
    this.#message = "";
    if (key === "g" || key === "<" || key === "\x1b[H") this.#top = 0;
    else if (key === "G" || key === ">" || key === "\x1b[F") this.#top = last;
    else if (key === "n" || key === "N") this.#next((key === "N") !== this.#backwards);
    else this.#top = Math.min(Math.max(0, this.#top + (steps[key] ?? 0)), last);
  }

  async #ask(key: string, keys: Keys): Promise<void> {
    this.context.write(`\r\x1b[K${key}`);
    this.context.flush();
    let text = "";
    for await (const typed of keys.read()) {
      if (typed === "\r" || typed === "\n") break;
      if (typed === "\x1b" || typed === "\x03") return;
      if (typed === "\x7f" || typed === "\b") text = text.slice(0, -1);
      else text += typed;
      this.context.write(`\r\x1b[K${key}${text}`);
      this.context.flush();
    }
    this.#backwards = key === "?";
    if (text !== "") {
      try {
        this.#search = new PosixRegex(toBytes(text), {
          extended: true,
          looseIntervals: true,
          ignoreCase: text === text.toLowerCase(),
        });
      } catch {
        this.#message = "Invalid pattern";
        return;
      }
    }
    this.#next(this.#backwards);
  }

  #next(backwards: boolean): void {
    if (this.#search === undefined) return;
    const step = backwards ? -1 : 1;
    for (let at = this.#top + step; at >= 0 && at < this.lines.length; at += step) {
      if (!this.#search.test(this.lines[at]!)) continue;
      this.#top = at;
      return;
    }
    this.#message = "Pattern not found";
  }

  #draw(): void {
    const { context, lines, options } = this;
    const { rows, columns } = this.#size();
    let output = "\x1b[H\x1b[2J";
    let used = 0;
    let at = this.#top;
    for (; at < lines.length && used < rows - 1; at++) {
      const line = (options.numbers ? `${String(at + 1).padStart(7)} ` : "") + lines[at]!;
      const count = characterCount(line);
      // Escapes for colour are passed on, and count for more columns than they take.
      const need = options.chop ? 1 : Math.max(1, Math.ceil(count / columns));
      if (used + need > rows - 1 && used > 0) break;
      output += `${options.chop ? sliceCharacters(line, 0, columns) : line}\r\n`;
      used += need;
    }
    for (; used < rows - 1; used++) output += "~\r\n";
    const end = at >= lines.length;
    const prompt =
      this.#message ||
      (end ? "(END)" : options.title === "" || this.#top > 0 ? ":" : options.title);
    context.writeBytes(`${output}${prompt === ":" ? ":" : `\x1b[7m${toBytes(prompt)}\x1b[m`}`);
    context.flush();
  }
}

interface Keys {
  /** One at a time; the sequence of a special key is one. */
  read(): AsyncIterable<string>;
  close(): void;
}

/** Keys come from the terminal, even when what is shown comes through a pipe. */
function openKeys(context: CommandContext): Keys | undefined {
  let stream: ReadStream;
  try {
    stream = new ReadStream(context.isTerminal(0) ? 0 : context.fs.openSync("/dev/tty", "r"));
    stream.setRawMode(true);
  } catch {
    return undefined;
  }
  const pending: string[] = [];
  let wake: (() => void) | undefined;
  let ended = false;
  stream.on("data", (data: Buffer) => {
    // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
    pending.push(...(data.toString("utf8").match(/\x1b\[[0-9;]*[A-Za-z~]|ZZ|[^]/gu) ?? []));
    wake?.();
  });
  stream.on("end", () => {
    ended = true;
    wake?.();
  });
  return {
    async *read() {
      for (;;) {
        const key = pending.shift();
        if (key !== undefined) yield key;
        else if (ended) return;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
    },
    close() {
      stream.setRawMode(false);
      stream.destroy();
    },
  };
}
