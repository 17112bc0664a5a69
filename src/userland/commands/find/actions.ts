/** Owns find's actions that do more than print a path. */
import type { CommandContext } from "../../command.js";
import { codeText, errorCode, errorText } from "../../support/errors.js";
import { baseName, confirmed, modeText, nameTable, typeLetter } from "../../support/files.js";
import { strftime } from "../../support/strftime.js";
import { quoted, readEscape, toBytes } from "../../support/text.js";
import type { Settings, Test } from "./expression.js";
import type { Found } from "./walk.js";

/** What fits into one command line; the limit of the usual kernels is far above. */
const maxArgumentsBytes = 128 * 1024;

export function deleteFound(context: CommandContext, settings: Settings, found: Found): boolean {
  if (found.path === ".") return true;
  try {
    if (found.stats.isDirectory()) context.fs.rmdirSync(found.path);
    else context.fs.unlinkSync(found.path);
    return true;
  } catch (error) {
    context.writeError(`find: cannot delete ${quoted(found.path)}: ${errorText(error)}\n`);
    settings.failed = true;
    return false;
  }
}

function place(path: string): { directory: string; name: string } {
  const slash = path.lastIndexOf("/");
  const directory = slash === -1 ? "." : path.slice(0, slash) || "/";
  return { directory, name: `./${path.slice(slash + 1)}` };
}

function start(
  context: CommandContext,
  settings: Settings,
  args: string[],
  cwd: string | undefined,
): number {
  const [file, ...rest] = args as [string, ...string[]];
  const { code, error } = context.spawnSync(file, rest, cwd === undefined ? {} : { cwd });
  if (error !== undefined) {
    context.writeError(`find: ${quoted(file)}: ${codeText(error)}\n`);
    if (error !== "ENOENT") settings.failed = true;
  }
  return code;
}

export function execute(
  context: CommandContext,
  settings: Settings,
  args: string[],
  how: { inDirectory: boolean; ask: boolean },
): Test {
  return ({ path }) => {
    const { directory, name } = place(path);
    const shown = how.inDirectory ? name : path;
    const words = args.map((word) => word.replaceAll("{}", shown));
    if (how.ask) {
      context.flush();
      const question = `< ${words.join(" ")} > ? `;
      if (
        !confirmed(
          { ...context, writeError: (text) => context.writeError(text.replace("find: ", "")) },
          question,
        )
      )
        return false;
    }
    return start(context, settings, words, how.inDirectory ? directory : undefined) === 0;
  };
}

export function executeMany(
  context: CommandContext,
  settings: Settings,
  args: string[],
  inDirectory: boolean,
): Test {
  let paths: string[] = [];
  let bytes = 0;
  let where: string | undefined;
  const run = () => {
    if (paths.length === 0) return;
    const words = [...args, ...paths];
    paths = [];
    bytes = 0;
    if (start(context, settings, words, where) !== 0) settings.failed = true;
  };
  settings.atEnd.unshift(run);
  return ({ path }) => {
    const { directory, name } = place(path);
    if (inDirectory && where !== directory) {
      run();
      where = directory;
    }
    const shown = inDirectory ? name : path;
    paths.push(shown);
    bytes += shown.length + 1;
    if (bytes > maxArgumentsBytes) run();
    return true;
  };
}

export function printFormat(context: CommandContext, format: string, found: Found): string {
  let output = "";
  for (let at = 0; at < format.length;) {
    if (format[at] === "\\") {
      if (format[at + 1] === "c") return output;
      const escape = readEscape(format, at);
      output += escape?.value ?? "\\";
      at = escape?.end ?? at + 1;
      continue;
    }
    const match = /^%([-+ #0]*)(\d*)(?:\.(\d+))?([ACT][a-zA-Z@+]|[a-zA-Z%])/.exec(format.slice(at));
    if (match === null) {
      output += toBytes(format[at]!);
      at++;
      continue;
    }
    at += match[0].length;
    const value = fieldOf(context, match[4]!, found);
    const text =
      value === undefined
        ? match[0]
        : toBytes(value).slice(0, match[3] === undefined ? undefined : Number(match[3]));
    const width = Math.min(Number(match[2]), 4096);
    if (match[1]!.includes("-")) output += text.padEnd(width);
    else output += text.padStart(width, match[1]!.includes("0") ? "0" : " ");
  }
  return output;
}

function timeField(letter: string, ms: number): string {
  if (letter === "@") return `${Math.floor(ms / 1000)}.${fraction(ms)}`;
  if (letter === "+") return strftime("%Y-%m-%d+%H:%M:%S", ms, false) + `.${fraction(ms)}`;
  if (letter === "S") return `${strftime("%S", ms, false)}.${fraction(ms)}`;
  if (letter === "T") return `${strftime("%H:%M:%S", ms, false)}.${fraction(ms)}`;
  return strftime(`%${letter}`, ms, false);
}

function fraction(ms: number): string {
  return `${String(Math.floor((((ms % 1000) + 1000) % 1000) * 1e6)).padStart(9, "0")}0`;
}

function fieldOf(context: CommandContext, letter: string, found: Found): string | undefined {
  const { stats, path } = found;
  if (letter.length === 2) {
    const ms = { A: stats.atimeMs, C: stats.ctimeMs, T: stats.mtimeMs }[letter[0]!]!;
    return timeField(letter[1]!, ms);
  }
  switch (letter) {
    case "%":
      return "%";
    case "p":
      return path;
    case "f":
      return baseName(path);
    case "h": {
      const slash = path.lastIndexOf("/");
      return slash === -1 ? "." : path.slice(0, slash);
    }
    case "P":
      return path === found.start
        ? ""
        : path.slice(found.start.length + (found.start.endsWith("/") ? 0 : 1));
    case "H":
      return found.start;
    case "s":
      return String(stats.size);
    case "b":
      return String(stats.blocks);
    case "k":
      return String(Math.ceil(stats.blocks / 2));
    case "d":
      return String(found.depth);
    case "m":
      return (stats.mode & 0o7777).toString(8);
    case "M":
      return modeText(stats.mode);
    case "n":
      return String(stats.nlink);
    case "i":
      return String(stats.ino);
    case "u":
      return nameTable(context, "passwd").get(stats.uid) ?? String(stats.uid);
    case "g":
      return nameTable(context, "group").get(stats.gid) ?? String(stats.gid);
    case "U":
      return String(stats.uid);
    case "G":
      return String(stats.gid);
    case "y":
      return typeLetter(stats.mode).replace("-", "f");
    case "Y":
      try {
        return typeLetter(context.fs.statSync(path).mode).replace("-", "f");
      } catch (error) {
        return errorCode(error) === "ELOOP" ? "L" : "N";
      }
    case "l":
      return stats.isSymbolicLink() ? context.fs.readlinkSync(path) : "";
    case "t":
      return (
        timeField("a", stats.mtimeMs) +
        strftime(" %b %e %H:%M:%S", stats.mtimeMs, false) +
        `.${fraction(stats.mtimeMs)} ` +
        strftime("%Y", stats.mtimeMs, false)
      );
    default:
      return undefined;
  }
}
