/** Owns `tree`. */
import type { Stats } from "node:fs";
import type { Command, CommandContext } from "../command.js";
import { CommandFailure } from "../command.js";
import { joinPath, modeText, sortedNames, statOrNothing } from "../support/files.js";
import { globRegex } from "../support/glob.js";
import { parseOptions, type Options } from "../support/options.js";
import { humanSize } from "../support/text.js";

export const main: Command = (context) => {
  const options = parseOptions(context, "adDfFghH:iI:JlL:nNo:pP:qQrsStuUvxX", {
    noreport: "noreport",
    dirsfirst: "dirsfirst",
    filesfirst: "filesfirst",
    prune: "prune",
    gitignore: "gitignore",
    "filelimit=": "filelimit",
    "sort=": "sort",
    "charset=": "charset",
    matchdirs: "matchdirs",
    "ignore-case": "ignoreCase",
    inodes: "inodes",
    du: "du",
    si: "si",
  });
  const level = options.get("L");
  if (level !== undefined && !/^[1-9]\d*$/.test(level)) {
    throw new CommandFailure("Invalid level, must be greater than 0.");
  }
  return new Tree(context, options, level === undefined ? Infinity : Number(level)).run();
};

interface Node {
  name: string;
  path: string;
  stats: Stats;
  link: string | undefined;
  children: Node[] | undefined;
  /** Why there are none. */
  note: string;
}

class Tree {
  #directories = 0;
  #files = 0;
  #status = 0;
  readonly #only: RegExp[];
  readonly #ignored: RegExp[];

  constructor(
    private readonly context: CommandContext,
    private readonly options: Options,
    private readonly depth: number,
  ) {
    const ignoreCase = options.has("ignoreCase");
    const rules = (key: string) =>
      options
        .all(key)
        .flatMap((text) =>
          text.split("|").map((each) => globRegex(each.replace(/\/$/, ""), { ignoreCase })),
        );
    this.#only = rules("P");
    this.#ignored = rules("I");
  }

  run(): number {
    const { context, options } = this;
    const roots = options.operands.length === 0 ? ["."] : options.operands;
    const trees: unknown[] = [];
    for (const root of roots) {
      const stats = statOrNothing(context, root, true);
      if (stats === undefined || !stats.isDirectory()) {
        context.write(`${root}  [error opening dir]\n`);
        this.#status = 2;
        continue;
      }
      const node: Node = {
        name: root,
        path: root,
        stats,
        link: undefined,
        children: undefined,
        note: "",
      };
      this.#fill(node, 1);
      if (options.has("J")) trees.push(this.#json(node));
      else {
        context.write(`${this.#label(node)}\n`);
        this.#print(node, "");
      }
      this.#directories++;
    }
    this.#report(trees);
    return this.#status;
  }

  #report(trees: unknown[]): void {
    const { context, options } = this;
    const plural = (count: number, one: string, many: string) =>
      `${count} ${count === 1 ? one : many}`;
    if (options.has("J")) {
      const report = options.has("noreport")
        ? []
        : [
            {
              type: "report",
              directories: this.#directories,
              ...(options.has("d") ? {} : { files: this.#files }),
            },
          ];
      context.write(`${JSON.stringify([...trees, ...report], null, 2)}\n`);
    } else if (!options.has("noreport")) {
      const directories = plural(this.#directories, "directory", "directories");
      context.write(
        options.has("d")
          ? `\n${directories}\n`
          : `\n${directories}, ${plural(this.#files, "file", "files")}\n`,
      );
    }
  }

  #fill(node: Node, level: number): void {
    if (level > this.depth) return;
    const { context, options } = this;
    let names: string[];
    try {
      names = sortedNames(context, node.path);
    } catch {
      node.note = "  [error opening dir]";
      this.#status = 2;
      return;
    }
    if (!options.has("a")) names = names.filter((name) => !name.startsWith("."));
    const limit = Number(options.get("filelimit") ?? Infinity);
    if (names.length > limit) {
      node.note = `  [${names.length} entries exceeds filelimit, not opening dir]`;
      return;
    }
    node.children = [];
    for (const name of names) {
      if (this.#ignored.some((rule) => rule.test(name))) continue;
      const path = joinPath(node.path, name);
      let stats = statOrNothing(context, path, false);
      if (stats === undefined) continue;
      let link: string | undefined;
      if (stats.isSymbolicLink()) {
        link = context.fs.readlinkSync(path);
        if (options.has("l")) stats = statOrNothing(context, path, true) ?? stats;
      }
      const directory = stats.isDirectory();
      if (!directory && options.has("d")) {
        if (link === undefined || statOrNothing(context, path, true)?.isDirectory() !== true)
          continue;
      }
      if (!directory && this.#only.length > 0 && !this.#only.some((rule) => rule.test(name)))
        continue;
      const child: Node = { name, path, stats, link, children: undefined, note: "" };
      if (directory) this.#fill(child, level + 1);
      if (directory && options.has("prune") && (child.children?.length ?? 0) === 0) continue;
      node.children.push(child);
    }
    this.#sort(node.children);
  }

  #sort(nodes: Node[]): void {
    const { options } = this;
    const sort =
      options.get("sort") ?? (options.has("t") ? "mtime" : options.has("S") ? "size" : "name");
    if (sort === "mtime") nodes.sort((a, b) => a.stats.mtimeMs - b.stats.mtimeMs);
    if (sort === "size") nodes.sort((a, b) => b.stats.size - a.stats.size);
    if (options.has("r")) nodes.reverse();
    const first = options.last("dirsfirst", "filesfirst");
    const rank = (node: Node) => (node.stats.isDirectory() === (first === "dirsfirst") ? 0 : 1);
    if (first !== undefined) nodes.sort((a, b) => rank(a) - rank(b));
  }

  #details(node: Node): string {
    const { options } = this;
    const parts: string[] = [];
    if (options.has("p")) parts.push(modeText(node.stats.mode));
    if (options.has("s", "h", "du")) {
      const { size } = node.stats;
      parts.push(
        (options.has("h")
          ? humanSize(size, options.has("si") ? 1000 : 1024)
          : String(size)
        ).padStart(options.has("h") ? 4 : 11),
      );
    }
    if (options.has("D")) parts.push(node.stats.mtime.toDateString().slice(4, 10));
    return parts.length === 0 ? "" : `[${parts.join(" ")}]  `;
  }

  #label(node: Node): string {
    const { options } = this;
    let text = this.#details(node) + (options.has("f") ? node.path : node.name);
    if (options.has("Q")) text = `"${text}"`;
    if (options.has("F")) {
      if (node.stats.isDirectory() && !text.endsWith("/")) text += "/";
      else if (node.stats.isFile() && node.stats.mode & 0o111) text += "*";
    }
    return text + (node.link === undefined ? "" : ` -> ${node.link}`) + node.note;
  }

  #print(node: Node, prefix: string): void {
    const children = node.children ?? [];
    const plain = this.options.has("i");
    const ascii = this.options.get("charset")?.toLowerCase() === "ascii";
    const [branch, corner, bar] = ascii
      ? ["|-- ", "`-- ", "|   "]
      : ["├── ", "└── ", "│\u00a0\u00a0 "];
    children.forEach((child, at) => {
      const last = at === children.length - 1;
      this.context.write(
        `${plain ? "" : prefix + (last ? corner : branch)}${this.#label(child)}\n`,
      );
      if (child.stats.isDirectory()) {
        this.#directories++;
        this.#print(child, prefix + (last ? "    " : bar));
      } else if (child.link !== undefined && this.options.has("d")) this.#directories++;
      else this.#files++;
    });
  }

  #json(node: Node): unknown {
    const type = node.link !== undefined ? "link" : node.stats.isDirectory() ? "directory" : "file";
    const contents = node.children?.map((child) => {
      if (child.stats.isDirectory()) this.#directories++;
      else this.#files++;
      return this.#json(child);
    });
    return {
      type,
      name: this.options.has("f") ? node.path : node.name,
      ...(node.link === undefined ? {} : { target: node.link }),
      ...(contents === undefined ? {} : { contents }),
    };
  }
}
