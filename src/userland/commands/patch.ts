/** Owns `patch`: unified, context and normal diffs, fuzz, reversing, rejects. A patch is any text. */
import { CommandFailure, type Command, type CommandContext } from "../command.js";
import { errorText } from "../support/errors.js";
import { openInput, readAll } from "../support/input.js";
import { parseOptions, type Options } from "../support/options.js";
import { parsePatch, type FilePatch, type PatchHunk } from "../support/patch-format.js";
import { Placement, reversed, reversedHunk, splitLines } from "../support/patch-place.js";
import { bytesOf, byteString } from "../support/text.js";

const statusRejects = 1;
const statusTrouble = 2;

export const main: Command = (context) => {
  const options = parseOptions(
    context,
    "bcd:D:eEfF:g:i:lnNo:p:r:RstTuvV:Y:z:Z",
    {
      backup: "b",
      "directory=": "d",
      "remove-empty-files": "E",
      force: "f",
      "fuzz=": "F",
      "input=": "i",
      "ignore-whitespace": "l",
      forward: "N",
      "output=": "o",
      "strip=": "p",
      "reject-file=": "r",
      reverse: "R",
      quiet: "s",
      silent: "s",
      batch: "t",
      unified: "u",
      context: "c",
      normal: "n",
      "suffix=": "z",
      verbose: "verbose",
      "dry-run": "dryRun",
      binary: "binary",
      "no-backup-if-mismatch": "noBackup",
      "backup-if-mismatch": "mismatchBackup",
      posix: "posix",
    },
    { status: statusTrouble },
  );
  const [named, patchFile, extra] = options.operands;
  if (extra !== undefined) {
    throw new CommandFailure(
      `${extra}: extra operand`,
      statusTrouble,
      "patch: Try 'patch --help' for more information.\n",
    );
  }
  const input = options.get("i") ?? patchFile ?? "-";
  let text: string;
  try {
    const source = openInput(context, input);
    text = byteString(readAll(source));
    source.close();
  } catch (error) {
    throw new CommandFailure(
      `**** Can't open patch file ${input} : ${errorText(error)}`,
      statusTrouble,
    );
  }
  const directory = options.get("d");
  if (directory !== undefined) {
    try {
      process.chdir(directory);
    } catch (error) {
      throw new CommandFailure(
        `**** Can't change to directory ${directory} : ${errorText(error)}`,
        statusTrouble,
      );
    }
  }
  const patches = parsePatch(text);
  if (patches.length === 0) {
    if (text.trim() === "") return 0;
    throw new CommandFailure("**** Only garbage was found in the patch input.", statusTrouble);
  }
  let status = 0;
  for (const patch of patches) {
    status = Math.max(status, new Applier(context, options, named, patch).run());
  }
  return status;
};

interface Result {
  output: string[];
  rejects: PatchHunk[];
  /** Something was not where it should be. */
  mismatch: boolean;
  /** Nothing was tried. */
  skipped: boolean;
}

class Applier {
  readonly #patch: FilePatch;
  readonly #quiet: boolean;
  readonly #dry: boolean;

  constructor(
    private readonly context: CommandContext,
    private readonly options: Options,
    private readonly named: string | undefined,
    patch: FilePatch,
  ) {
    this.#patch = options.has("R") ? reversed(patch) : patch;
    this.#quiet = options.has("s");
    this.#dry = options.has("dryRun");
  }

  #say(text: string): void {
    if (!this.#quiet) this.context.write(`${text}\n`);
  }

  run(): number {
    const { context, options } = this;
    const { fs } = context;
    const target = this.#target();
    if (target === undefined) {
      context.write(
        `can't find file to patch at input line ${this.#patch.line}\nPerhaps you ${options.has("p") ? "used the wrong -p or --strip option" : "should have used the -p or --strip option"}?\nThe text leading up to this was:\n--------------------------\n${this.#patch.header.map((line) => `|${line}`).join("\n")}\n--------------------------\n`,
      );
      context.write("No file to patch.  Skipping patch.\n");
      const count = this.#patch.hunks.length;
      context.write(`${count} out of ${count} hunk${count === 1 ? "" : "s"} ignored\n`);
      return statusRejects;
    }
    const exists = fs.existsSync(target);
    const before = exists ? byteString(fs.readFileSync(target)) : "";
    const verb = this.#dry ? "checking" : "patching";
    const into = options.get("o");
    const from = into === undefined ? "" : ` (read from ${target})`;
    const title = `${verb} file ${into ?? target}${from}`;
    if (into !== "-") this.#say(title);
    else if (!this.#quiet) context.writeError(`${title}\n`);
    const lines = splitLines(before);
    const result = this.#apply(lines, target);
    if (result === undefined) return statusRejects;
    const { output, rejects, mismatch, skipped } = result;
    if (!this.#dry) this.#write(target, exists ? before : undefined, output, mismatch);
    if (rejects.length === 0) return 0;
    const total = this.#patch.hunks.length;
    const file = options.get("r") ?? `${target}.rej`;
    context.write(
      `${rejects.length} out of ${total} hunk${total === 1 ? "" : "s"} ${skipped ? "ignored" : "FAILED"}${this.#dry || file === "-" ? "" : ` -- saving rejects to file ${file}`}\n`,
    );
    if (!this.#dry && file !== "-") fs.writeFileSync(file, bytesOf(this.#rejectText(rejects)));
    return statusRejects;
  }

  /** The name that is there, of those the patch offers; the shortest path first, as GNU's chooses. */
  #target(): string | undefined {
    if (this.named !== undefined) return this.named;
    const { fs } = this.context;
    const strip = this.options.get("p");
    const cut = (name: string | undefined) => {
      if (name === undefined || name === "/dev/null") return undefined;
      if (strip === undefined) return name.slice(name.lastIndexOf("/") + 1);
      const parts = name.split(/\/+/);
      const count = Number(strip);
      return parts.length <= count ? undefined : parts.slice(count).join("/");
    };
    const { oldName, newName, indexName } = this.#patch;
    const names = [cut(oldName), cut(newName), cut(indexName)].filter((name) => name !== undefined);
    // No name may lead out of the directory that is patched.
    const safe = names.filter((name) => !name.startsWith("/") && !/(^|\/)\.\.(\/|$)/.test(name));
    if (safe.length < names.length) {
      const bad = names.find((name) => !safe.includes(name))!;
      this.context.write(`Ignoring potentially dangerous file name ${bad}\n`);
    }
    const there = safe.filter((name) => fs.existsSync(name));
    const depth = (name: string) => name.split("/").length * 10000 + name.length;
    there.sort((a, b) => depth(a) - depth(b));
    if (there[0] !== undefined) return there[0];
    const creates = this.#patch.oldName === "/dev/null" || this.#isCreation();
    if (!creates) return undefined;
    return cut(newName === "/dev/null" ? oldName : newName) ?? safe[0];
  }

  #placement(lines: string[]): Placement {
    return new Placement(lines, Number(this.options.get("F") ?? 2), this.options.has("l"));
  }

  #isCreation(): boolean {
    const [hunk] = this.#patch.hunks;
    return this.#patch.hunks.length === 1 && hunk!.oldStart === 0 && hunk!.oldLines.length === 0;
  }

  #apply(lines: string[], target: string): Result | undefined {
    const { hunks } = this.#patch;
    const place = this.#placement(lines);
    // The whole patch may have been applied before.
    const first = hunks[0];
    if (first !== undefined && place.find(first, 0, 0) === undefined) {
      const back = this.#placement(lines).find(reversedHunk(first), 0, 0);
      if (back !== undefined && back.fuzz === 0 && !this.options.has("f")) {
        return this.#already(lines, target, hunks);
      }
    }
    const output: string[] = [];
    const rejects: PatchHunk[] = [];
    let [copied, offset, mismatch] = [0, 0, false];
    hunks.forEach((hunk, index) => {
      const found = place.find(hunk, copied, offset);
      if (found === undefined) {
        this.context.write(`Hunk #${index + 1} FAILED at ${Math.max(hunk.oldStart, 1)}.\n`);
        rejects.push(hunk);
        mismatch = true;
        return;
      }
      const { at, fuzz } = found;
      const start = at - place.cuts(hunk, fuzz).before;
      const moved = start - hunk.expectedAt;
      if (fuzz > 0 || moved !== 0) {
        const shown = start + 1 + (output.length - copied);
        const parts = [
          `Hunk #${index + 1} succeeded at ${shown}`,
          fuzz > 0 ? ` with fuzz ${fuzz}` : "",
          moved !== 0 ? ` (offset ${moved} line${Math.abs(moved) === 1 ? "" : "s"})` : "",
        ];
        this.#say(`${parts.join("")}.`);
        mismatch = true;
      }
      offset = moved;
      while (copied < at) output.push(lines[copied++]!);
      for (const line of place.replaced(hunk, at, fuzz)) output.push(line);
      copied = at + place.covered(hunk, fuzz);
    });
    while (copied < lines.length) output.push(lines[copied++]!);
    return { output, rejects, mismatch, skipped: false };
  }

  /** -N and batch mode say no; -t says yes and takes the patch back; nobody is asked. */
  #already(lines: string[], target: string, hunks: PatchHunk[]): Result | undefined {
    const { context, options } = this;
    const what = options.has("R") ? "Unreversed" : "Reversed (or previously applied)";
    if (options.has("t")) {
      context.write(`${what} patch detected!  Assuming -R.\n`);
      const back = new Applier(context, options, target, {
        ...this.#patch,
        hunks: hunks.map(reversedHunk),
      });
      return back.#apply(lines, target);
    }
    context.write(
      options.has("N")
        ? `${what} patch detected!  Skipping patch.\n`
        : `${what} patch detected!  Assume -R? [n] \nApply anyway? [n] \nSkipping patch.\n`,
    );
    return { output: lines, rejects: hunks, mismatch: false, skipped: true };
  }

  #write(target: string, before: string | undefined, output: string[], mismatch: boolean): void {
    const { context, options } = this;
    const { fs } = context;
    const into = options.get("o") ?? target;
    const data = output.join("");
    const backs =
      options.has("b") ||
      options.has("mismatchBackup") ||
      (mismatch && !options.has("posix", "noBackup"));
    if (backs && into === target) {
      const backup = `${target}${options.get("z") ?? ".orig"}`;
      fs.writeFileSync(backup, bytesOf(before ?? ""));
    }
    const gone = this.#patch.newName === "/dev/null" || options.has("E");
    if (data === "" && gone && before !== undefined && into === target) {
      fs.unlinkSync(target);
      return;
    }
    if (into === "-") return context.writeBytes(data);
    const slash = into.lastIndexOf("/");
    if (slash > 0) fs.mkdirSync(into.slice(0, slash), { recursive: true });
    fs.writeFileSync(into, bytesOf(data));
    if (this.#patch.mode !== undefined) fs.chmodSync(into, this.#patch.mode & 0o777);
  }

  #rejectText(rejects: PatchHunk[]): string {
    const { oldName, newName, header } = this.#patch;
    const written = (mark: string) => header.findLast((line) => line.startsWith(mark));
    const given = this.options.has("R") ? undefined : [written("--- "), written("+++ ")];
    let text = `${given?.[0] ?? `--- ${oldName ?? newName ?? ""}`}\n`;
    text += `${given?.[1] ?? `+++ ${newName ?? oldName ?? ""}`}\n`;
    for (const hunk of rejects) {
      const range = (start: number, count: number) =>
        count === 1 ? `${start}` : `${start},${count}`;
      text += `@@ -${range(hunk.oldStart, hunk.oldLines.length)} +${range(hunk.newStart, hunk.newLines.length)} @@\n`;
      for (const { mark, text: line } of hunk.lines) {
        text += mark + (line.endsWith("\n") ? line : `${line}\n\\ No newline at end of file\n`);
      }
    }
    return text;
  }
}
