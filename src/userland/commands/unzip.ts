/** Owns `unzip` and `zipinfo -1`. */
import { CommandFailure, type Command, type CommandContext } from "../command.js";
import { errorText } from "../support/errors.js";
import { statOrNothing } from "../support/files.js";
import { globRegex } from "../support/glob.js";
import { FormatError } from "../support/format-error.js";
import { parseOptions, type Options } from "../support/options.js";
import { strftime } from "../support/strftime.js";
import { contentOf, readDirectory, type ZipEntry } from "../support/zip.js";

/** The exit statuses of Info-ZIP. */
const statusWarning = 1;
const statusBad = 2;
const statusNotFound = 9;
const statusUsage = 10;
const statusNoMatch = 11;

export const main: Command = (context) => {
  const options = parseOptions(
    context,
    "1acCd:fhjKlLnoPpqstuvVx:XZz:",
    {},
    { status: statusUsage },
  );
  const [archive, ...names] = options.operands;
  if (archive === undefined) {
    context.write("UnZip: usage: unzip [-opts] file[.zip] [list] [-x xlist] [-d exdir]\n");
    return statusUsage;
  }
  return new Unzipper(context, options, archive, names).run();
};

class Unzipper {
  #status = 0;
  readonly #links: { target: string; to: string }[] = [];
  #all: "ask" | "never" | "always";
  readonly #wanted: { text: string; rule: RegExp; found: boolean }[];
  readonly #excluded: RegExp[];
  readonly #directory: string;

  constructor(
    private readonly context: CommandContext,
    private readonly options: Options,
    private readonly archive: string,
    names: string[],
  ) {
    const { argv } = context;
    const excluded = options.all("x");
    // -x takes the rest of the words, up to -d.
    const from = argv.indexOf("-x");
    if (from !== -1) {
      for (let at = from + 2; at < argv.length && !argv[at]!.startsWith("-"); at++) {
        const place = names.indexOf(argv[at]!);
        if (place !== -1) names.splice(place, 1);
        excluded.push(argv[at]!);
      }
    }
    const ignoreCase = options.has("C");
    this.#wanted = names.map((text) => ({
      text,
      rule: globRegex(text, { ignoreCase }),
      found: false,
    }));
    this.#excluded = excluded.map((text) => globRegex(text, { ignoreCase }));
    this.#all = options.has("o") ? "always" : options.has("n") ? "never" : "ask";
    this.#directory = (options.get("d") ?? "").replace(/(?<=.)\/+$/, "");
  }

  run(): number {
    const { context, options } = this;
    const { fs } = context;
    const path = [this.archive, `${this.archive}.zip`, `${this.archive}.ZIP`].find((name) =>
      fs.statSync(name, { throwIfNoEntry: false })?.isFile(),
    );
    if (path === undefined) {
      const { archive } = this;
      throw new CommandFailure(
        ` cannot find or open ${archive}, ${archive}.zip or ${archive}.ZIP.`,
        statusNotFound,
      );
    }
    let data: Buffer;
    let entries: ZipEntry[];
    try {
      data = fs.readFileSync(path);
      entries = readDirectory(data);
    } catch (error) {
      if (!(error instanceof FormatError))
        throw new CommandFailure(`${path}: ${errorText(error)}`, 9);
      context.writeError(
        `  ${error.message}.  Either this file is not\n  a zipfile, or it constitutes one disk of a multi-part archive.\nunzip:  cannot find zipfile directory in one of ${path} or\n        ${path}.zip, and cannot find ${path}.ZIP, period.\n`,
      );
      return statusNotFound;
    }
    const chosen = entries.filter((entry) => this.#isWanted(entry.name));
    const naked = options.has("p") || options.has("Z", "1") || context.name === "zipinfo";
    if (!naked && options.count("q") < 1) context.write(`Archive:  ${path}\n`);
    if (options.has("Z", "1") || context.name === "zipinfo") {
      for (const { name } of chosen) context.write(`${name}\n`);
    } else if (options.has("l", "v")) this.#list(chosen);
    else if (options.has("t")) this.#test(path, data, chosen);
    else {
      for (const entry of chosen) this.#extract(data, entry);
      this.#makeLinks();
    }
    for (const { text, found } of this.#wanted) {
      if (found) continue;
      context.writeError(`caution: filename not matched:  ${text}\n`);
      this.#status = Math.max(this.#status, statusNoMatch);
    }
    return this.#status;
  }

  #isWanted(name: string): boolean {
    if (this.#excluded.some((rule) => rule.test(name))) return false;
    if (this.#wanted.length === 0) return true;
    let wanted = false;
    for (const each of this.#wanted) {
      if (each.rule.test(name)) each.found = wanted = true;
    }
    return wanted;
  }

  #list(entries: ZipEntry[]): void {
    const { context } = this;
    const quiet = this.options.has("q");
    const time = (date: Date) => strftime("%Y-%m-%d %H:%M", date.getTime(), false);
    const total = entries.reduce((sum, { size }) => sum + size, 0);
    const files = `${entries.length} file${entries.length === 1 ? "" : "s"}`;
    if (!this.options.has("v")) {
      if (!quiet)
        context.write("  Length      Date    Time    Name\n---------  ---------- -----   ----\n");
      for (const { size, modified, name } of entries) {
        context.write(`${String(size).padStart(9)}  ${time(modified)}   ${name}\n`);
      }
      if (quiet) return;
      context.write(
        `---------                     -------\n${String(total).padStart(9)}                     ${files}\n`,
      );
      return;
    }
    const ratio = (packed: number, size: number) =>
      `${size === 0 ? 0 : Math.round(100 - (packed * 100) / size)}%`.padStart(4);
    context.write(
      " Length   Method    Size  Cmpr    Date    Time   CRC-32   Name\n--------  ------  ------- ---- ---------- ----- --------  ----\n",
    );
    for (const entry of entries) {
      const method = entry.method === 8 ? "Defl:N" : "Stored";
      context.write(
        `${String(entry.size).padStart(8)}  ${method} ${String(entry.packedSize).padStart(8)} ${ratio(entry.packedSize, entry.size)} ${time(entry.modified)} ${entry.crc.toString(16).padStart(8, "0")}  ${entry.name}\n`,
      );
    }
    const packed = entries.reduce((sum, { packedSize }) => sum + packedSize, 0);
    context.write(
      `--------          -------  ---                            -------\n${String(total).padStart(8)}         ${String(packed).padStart(8)} ${ratio(packed, total)}                            ${files}\n`,
    );
  }

  #test(path: string, data: Buffer, entries: ZipEntry[]): void {
    const { context } = this;
    let bad = 0;
    for (const entry of entries) {
      try {
        contentOf(data, entry);
        if (!this.options.has("q")) context.write(`    testing: ${entry.name.padEnd(22)}   OK\n`);
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
        bad++;
        context.write(`    testing: ${entry.name.padEnd(22)}   ${error.message}\n`);
        this.#status = statusBad;
      }
    }
    context.write(
      bad === 0
        ? `No errors detected in compressed data of ${path}.\n`
        : `At least one error was detected in ${path}.\n`,
    );
  }

  /** The place an entry may have: below the directory, whatever its name says. */
  #safeName(name: string): string {
    const parts = name.split("/").filter((part) => part !== "" && part !== "." && part !== "..");
    const cleaned = parts.join("/") + (name.endsWith("/") ? "/" : "");
    if (name.startsWith("/")) {
      this.context.writeError(`warning:  stripped absolute path spec from ${name}\n`);
      this.#status = Math.max(this.#status, statusWarning);
    } else if (/(^|\/)\.\.(\/|$)/.test(name)) {
      this.context.writeError(`warning:  skipped "../" path component(s) in ${name}\n`);
      this.#status = Math.max(this.#status, statusWarning);
    }
    return cleaned;
  }

  #extract(data: Buffer, entry: ZipEntry): void {
    const { context, options } = this;
    const { fs } = context;
    const say = (text: string) => {
      if (!options.has("q", "p")) context.write(text);
    };
    try {
      if (options.has("p", "c")) {
        if (!entry.name.endsWith("/")) context.write(contentOf(data, entry));
        return;
      }
      const name = this.#safeName(entry.name);
      const base = options.has("j") ? name.replace(/^.*\/(?=.)/, "") : name;
      if (base === "" || (options.has("j") && name.endsWith("/"))) return;
      const target = this.#directory === "" ? base : `${this.#directory}/${base}`;
      if (target.endsWith("/")) {
        if (fs.existsSync(target)) return;
        fs.mkdirSync(target, { recursive: true });
        say(`   creating: ${target}\n`);
        return;
      }
      const slash = target.lastIndexOf("/");
      if (slash > 0) fs.mkdirSync(target.slice(0, slash), { recursive: true });
      if (!this.#mayWrite(target, entry)) return;
      const content = contentOf(data, entry);
      const type = (entry.mode ?? 0) & 0o170000;
      if (type === 0o120000) {
        // Made last: no entry may be written through a link of the archive's own.
        this.#links.push({ target, to: content.toString("utf8") });
        say(`    linking: ${target}\n`);
        return;
      }
      // A link in its place is not followed.
      if (fs.lstatSync(target, { throwIfNoEntry: false })?.isSymbolicLink()) fs.unlinkSync(target);
      fs.writeFileSync(target, content);
      if (entry.mode !== undefined) fs.chmodSync(target, entry.mode & 0o777);
      fs.utimesSync(target, entry.modified, entry.modified);
      const verb = entry.method === 8 ? "  inflating" : " extracting";
      say(`${verb}: ${target.padEnd(24)}\n`);
    } catch (error) {
      if (error instanceof FormatError) {
        context.writeError(`  error:  ${entry.name}: ${error.message}\n`);
        this.#status = Math.max(this.#status, statusBad);
      } else {
        context.writeError(`error:  cannot create ${entry.name}\n        ${errorText(error)}\n`);
        this.#status = 50;
      }
    }
  }

  #makeLinks(): void {
    const { context } = this;
    for (const { target, to } of this.#links) {
      try {
        if (statOrNothing(context, target, false) !== undefined) context.fs.unlinkSync(target);
        context.fs.symlinkSync(to, target);
      } catch (error) {
        context.writeError(`error:  cannot create ${target}\n        ${errorText(error)}\n`);
        this.#status = 50;
      }
    }
  }

  #mayWrite(target: string, entry: ZipEntry): boolean {
    const { context, options } = this;
    const stats = context.fs.lstatSync(target, { throwIfNoEntry: false });
    if (options.has("f") && stats === undefined) return false;
    if (stats === undefined) return true;
    if (options.has("u", "f") && stats.mtime >= entry.modified) return false;
    if (this.#all !== "ask") return this.#all === "always";
    context.writeError(`replace ${target}? [y]es, [n]o, [A]ll, [N]one, [r]ename: `);
    let answer = "";
    for (;;) {
      const chunk = context.readInput(1);
      if (chunk.length === 0) {
        context.writeError(' NULL\n(EOF or read error, treating as "[N]one" ...)\n');
        this.#all = "never";
        return false;
      }
      if (chunk[0] === 10) break;
      answer += String.fromCharCode(chunk[0]!);
    }
    if (answer === "A") this.#all = "always";
    if (answer === "N") this.#all = "never";
    return answer === "A" || answer === "y";
  }
}
