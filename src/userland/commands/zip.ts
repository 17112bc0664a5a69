/** Owns `zip`. */
import { CommandFailure, type Command, type CommandContext } from "../command.js";
import { errorText } from "../support/errors.js";
import { joinPath, sortedNames, withoutTrailingSlashes } from "../support/files.js";
import { globRegex } from "../support/glob.js";
import { LineReader, readAll, standardInput } from "../support/input.js";
import { FormatError } from "../support/format-error.js";
import { parseOptions, type Options } from "../support/options.js";
import { fromBytes } from "../support/text.js";
import { readDirectory, ZipWriter, type ZipEntry } from "../support/zip.js";

/** The exit statuses of Info-ZIP. */
const statusFormat = 3;
const statusNothing = 12;
const statusOpen = 18;
const statusParameters = 16;

export const main: Command = (context) => {
  const options = parseOptions(
    context,
    "0123456789@AbcdDeEfFgi:jJklLmnopPqrRStTuUvwx:XyzZ:",
    {
      "recurse-paths": "r",
      "junk-paths": "j",
      quiet: "q",
      move: "m",
      delete: "d",
      update: "u",
      freshen: "f",
      symlinks: "y",
      "exclude=": "x",
      "include=": "i",
      "no-dir-entries": "D",
      verbose: "v",
      test: "T",
    },
    { status: statusParameters },
  );
  return new Zipper(context, options).run();
};

class Zipper {
  readonly #writer = new ZipWriter();
  readonly #old: ZipEntry[] = [];
  #oldData: Buffer = Buffer.alloc(0);
  readonly #archive: string;
  readonly #names: string[];
  readonly #added = new Set<string>();
  readonly #moved: string[] = [];
  readonly #excluded: RegExp[];
  readonly #included: RegExp[];
  #status = 0;

  constructor(
    private readonly context: CommandContext,
    private readonly options: Options,
  ) {
    const [archive, ...names] = options.operands;
    if (archive === undefined) {
      throw new CommandFailure("Invalid command arguments (nothing to do)", statusParameters);
    }
    // A list of patterns goes on to its end: zip -r a.zip dir -x 'a' 'b'.
    const lists = options.list.filter(({ key }) => key === "x" || key === "i");
    const patterns = (key: string) =>
      lists.filter((each) => each.key === key).map(({ value }) => globRegex(value));
    this.#excluded = patterns("x");
    this.#included = patterns("i");
    const { argv } = context;
    const from = argv.findIndex((word) => word === "-x" || word === "-i");
    if (from !== -1) {
      const into = argv[from] === "-x" ? this.#excluded : this.#included;
      for (let at = from + 2; at < argv.length && !argv[at]!.startsWith("-"); at++) {
        const place = names.indexOf(argv[at]!);
        if (place !== -1) names.splice(place, 1);
        into.push(globRegex(argv[at]!));
      }
    }
    this.#archive = archive === "-" || /\.[^/]*$/.test(archive) ? archive : `${archive}.zip`;
    this.#names = names;
  }

  #say(text: string): void {
    if (this.options.has("q")) return;
    if (this.#archive === "-") this.context.writeError(text);
    else this.context.write(text);
  }

  run(): number {
    const { context, options } = this;
    this.#readOld();
    if (options.has("d")) return this.#delete();
    const names = [...this.#names];
    if (options.has("@")) {
      const reader = new LineReader(standardInput(context));
      for (let line = reader.next(); line !== undefined; line = reader.next()) {
        names.push(fromBytes(line));
      }
    }
    for (const name of names) this.#add(name, true);
    if (this.#added.size === 0 && this.#status === 0 && names.length > 0 && options.has("u", "f")) {
      return statusNothing;
    }
    if (this.#added.size === 0) {
      context.writeError(`\nzip error: Nothing to do! (${this.#archive})\n`);
      return statusNothing;
    }
    this.#keepOld((name) => !this.#added.has(name));
    this.#write();
    for (const path of this.#moved.reverse()) {
      const directory = context.fs.lstatSync(path).isDirectory();
      if (directory) context.fs.rmdirSync(path);
      else context.fs.unlinkSync(path);
    }
    return this.#status;
  }

  #readOld(): void {
    const { fs } = this.context;
    if (this.#archive === "-" || !fs.existsSync(this.#archive)) return;
    this.#oldData = fs.readFileSync(this.#archive);
    try {
      this.#old.push(...readDirectory(this.#oldData));
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      throw new CommandFailure(
        `${error.message}`,
        statusFormat,
        `\nzip error: Zip file structure invalid (${this.#archive})\n`,
      );
    }
  }

  #keepOld(wanted: (name: string) => boolean): void {
    for (const entry of this.#old) if (wanted(entry.name)) this.#writer.copy(this.#oldData, entry);
  }

  #delete(): number {
    const rules = this.#names.map((name) => globRegex(name));
    const gone = this.#old.filter(({ name }) => rules.some((rule) => rule.test(name)));
    if (gone.length === 0) {
      this.context.writeError(`\tzip warning: name not matched: ${this.#names.join(" ")}\n`);
      this.context.writeError(`\nzip error: Nothing to do! (${this.#archive})\n`);
      return statusNothing;
    }
    for (const { name } of gone) this.#say(`deleting: ${name}\n`);
    const names = new Set(gone.map(({ name }) => name));
    this.#keepOld((name) => !names.has(name));
    this.#write();
    return 0;
  }

  #write(): void {
    const data = this.#writer.finish();
    if (this.#archive === "-") return this.context.write(data);
    const { fs } = this.context;
    try {
      fs.writeFileSync(this.#archive, data);
    } catch (error) {
      throw new CommandFailure(
        `${errorText(error)}`,
        15,
        `\nzip error: Could not create output file (${this.#archive})\n`,
      );
    }
  }

  #add(path: string, named: boolean): void {
    const { context, options } = this;
    if (path === "-")
      return this.#entry("-", readAll(standardInput(context)), 0o100600, new Date());
    let stats: ReturnType<typeof context.fs.lstatSync>;
    try {
      stats = options.has("y") ? context.fs.lstatSync(path) : context.fs.statSync(path);
    } catch {
      if (named) {
        context.writeError(`\tzip warning: name not matched: ${path}\n`);
      } else context.writeError(`\tzip warning: could not open for reading: ${path}\n`);
      if (!named) this.#status = statusOpen;
      return;
    }
    const name = withoutTrailingSlashes(path).replace(/^(?:\.\.?\/+|\/+)+/, "");
    if (stats.isDirectory()) {
      if (!options.has("j", "D") && name !== "" && name !== ".") {
        if (this.#wanted(`${name}/`)) {
          this.#entry(`${name}/`, Buffer.alloc(0), stats.mode, stats.mtime);
          if (options.has("m")) this.#moved.push(path);
        }
      }
      if (!options.has("r", "R")) return;
      for (const each of sortedNames(context, path)) {
        this.#add(path === "." ? each : joinPath(path, each), false);
      }
      return;
    }
    if (!this.#wanted(name) || this.#isArchive(path)) return;
    if (!this.#newer(name, stats.mtime)) return;
    try {
      const content = stats.isSymbolicLink()
        ? Buffer.from(context.fs.readlinkSync(path))
        : context.fs.readFileSync(path);
      const shown = options.has("j") ? name.slice(name.lastIndexOf("/") + 1) : name;
      this.#entry(shown, content, stats.mode, stats.mtime);
      if (options.has("m")) this.#moved.push(path);
    } catch (error) {
      context.writeError(`\tzip warning: ${errorText(error)}\n`);
      context.writeError(`\tzip warning: could not open for reading: ${path}\n`);
      this.#status = statusOpen;
    }
  }

  #isArchive(path: string): boolean {
    const { fs } = this.context;
    if (this.#archive === "-") return false;
    const [a, b] = [path, this.#archive].map((each) =>
      fs.statSync(each, { throwIfNoEntry: false }),
    );
    return a !== undefined && b !== undefined && a.ino === b.ino && a.dev === b.dev;
  }

  #newer(name: string, modified: Date): boolean {
    const { options } = this;
    if (!options.has("u", "f")) return true;
    const old = this.#old.find((entry) => entry.name === name);
    if (old === undefined) return !options.has("f");
    return modified.getTime() - old.modified.getTime() >= 1000;
  }

  #wanted(name: string): boolean {
    if (this.#excluded.some((rule) => rule.test(name))) return false;
    return this.#included.length === 0 || this.#included.some((rule) => rule.test(name));
  }

  #entry(name: string, content: Buffer, mode: number, modified: Date): void {
    if (this.#added.has(name)) return;
    const digit = this.options.list.findLast(({ key }) => /^\d$/.test(key))?.key;
    const { method, packedSize } = this.#writer.add({
      name,
      content,
      mode,
      modified,
      level: digit === undefined ? 6 : Number(digit),
    });
    this.#added.add(name);
    const updating = this.#old.some((entry) => entry.name === name);
    const verb = updating ? "updating" : "  adding";
    const percent =
      content.length === 0 ? 0 : Math.round(100 - (packedSize * 100) / content.length);
    const how = method === 8 ? `deflated ${percent}%` : "stored 0%";
    this.#say(`${verb}: ${name} (${how})\n`);
  }
}
