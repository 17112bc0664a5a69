/** Owns `du`. */
import type { Stats } from "node:fs";
import type { Command, CommandContext } from "../command.js";
import { errorText } from "../support/errors.js";
import { joinPath, sortedNames } from "../support/files.js";
import { globRegex } from "../support/glob.js";
import { parseOptions, type Options } from "../support/options.js";
import { humanSize, parseSize, quoted } from "../support/text.js";

export const main: Command = (context) => {
  const options = parseOptions(context, "0abB:cd:DhHkLlmPsSx", {
    all: "a",
    "apparent-size": "apparent",
    bytes: "b",
    "block-size=": "B",
    total: "c",
    "max-depth=": "d",
    "human-readable": "h",
    si: "si",
    dereference: "L",
    summarize: "s",
    "exclude=": "exclude",
    "separate-dirs": "S",
    null: "0",
    "count-links": "l",
    "one-file-system": "x",
  });
  const meter = new Meter(context, options);
  let total = 0;
  for (const path of options.operands.length === 0 ? ["."] : options.operands)
    total += meter.measure(path, 0);
  if (options.has("c")) meter.show(total, "total");
  return meter.failed ? 1 : 0;
};

class Meter {
  failed = false;
  readonly #counted = new Set<string>();
  readonly #maxDepth: number;
  readonly #excluded: RegExp[];
  readonly #unit: number;

  constructor(
    private readonly context: CommandContext,
    private readonly options: Options,
  ) {
    this.#maxDepth = options.has("s") ? 0 : Number(options.get("d") ?? Infinity);
    this.#excluded = options.all("exclude").map((pattern) => globRegex(pattern));
    const unit = options.last("B", "k", "m", "b", "h");
    this.#unit =
      unit === "b"
        ? 1
        : unit === "m"
          ? 1024 ** 2
          : unit === "B"
            ? (parseSize(options.get("B")!.replace(/^(?=[KMG])/, "1")) ?? 1024)
            : 1024;
  }

  show(bytes: number, path: string): void {
    const { options } = this;
    const text = options.has("h", "si")
      ? humanSize(bytes, options.has("si") ? 1000 : 1024)
      : String(Math.ceil(bytes / this.#unit));
    this.context.write(`${text}\t${path}${options.has("0") ? "\0" : "\n"}`);
  }

  measure(path: string, depth: number): number {
    const { context, options } = this;
    const base = path.slice(path.lastIndexOf("/") + 1);
    if (this.#excluded.some((rule) => rule.test(base) || rule.test(path))) return 0;
    let stats: Stats;
    try {
      stats = options.has("L") ? context.fs.statSync(path) : context.fs.lstatSync(path);
    } catch (error) {
      context.writeError(`du: cannot access ${quoted(path)}: ${errorText(error)}\n`);
      this.failed = true;
      return 0;
    }
    const key = `${stats.dev}:${stats.ino}`;
    if (stats.nlink > 1 && !stats.isDirectory() && !options.has("l")) {
      if (this.#counted.has(key)) return 0;
      this.#counted.add(key);
    }
    let bytes = options.has("apparent", "b") ? stats.size : stats.blocks * 512;
    if (stats.isDirectory()) {
      let names: string[] = [];
      try {
        names = sortedNames(context, path);
      } catch (error) {
        context.writeError(`du: cannot read directory ${quoted(path)}: ${errorText(error)}\n`);
        this.failed = true;
      }
      for (const name of names) bytes += this.measure(joinPath(path, name), depth + 1);
    }
    if (depth <= this.#maxDepth && (stats.isDirectory() || options.has("a") || depth === 0))
      this.show(bytes, path);
    return bytes;
  }
}
