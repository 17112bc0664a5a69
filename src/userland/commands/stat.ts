/** Owns `stat`. */
import type { BigIntStats } from "node:fs";
import type { Command, CommandContext } from "../command.js";
import { errorText } from "../support/errors.js";
import { modeText, nameTable, typeName } from "../support/files.js";
import { parseOptions, usageFailure } from "../support/options.js";
import { strftime } from "../support/strftime.js";
import { quoted, readEscape } from "../support/text.js";

const usualFormat =
  "  File: %N\n  Size: %-10s\tBlocks: %-10b IO Block: %-6o %F\n" +
  "Device: %Hd,%Ld\tInode: %-11i Links: %h\n" +
  "Access: (%04a/%10.10A)  Uid: (%5u/%8U)   Gid: (%5g/%8G)\n" +
  "Access: %x\nModify: %y\nChange: %z\n Birth: %w\n";

export const main: Command = (context) => {
  const options = parseOptions(context, "c:Lft", {
    "format=": "c",
    "printf=": "printf",
    dereference: "L",
    "file-system": "f",
    terse: "t",
  });
  if (options.operands.length === 0) throw usageFailure(context, "missing operand");
  const kind = options.last("c", "printf");
  const format =
    kind === "c"
      ? `${options.get("c")}\n`
      : kind === "printf"
        ? unescaped(options.get("printf")!)
        : options.has("t")
          ? "%n %s %b %f %u %g %D %i %h %t %T %X %Y %Z %W %o\n"
          : usualFormat;
  let status = 0;
  for (const path of options.operands) {
    try {
      const bigint = { bigint: true } as const;
      if (options.has("f")) {
        context.write(fileSystem(context, path, kind === undefined ? undefined : format));
        continue;
      }
      const stats = options.has("L")
        ? context.fs.statSync(path, bigint)
        : context.fs.lstatSync(path, bigint);
      context.write(describe(context, path, stats, format));
    } catch (error) {
      const what = options.has("f") ? "cannot read file system information for" : "cannot statx";
      context.writeError(`stat: ${what} ${quoted(path)}: ${errorText(error)}\n`);
      status = 1;
    }
  }
  return status;
};

function unescaped(text: string): string {
  let output = "";
  for (let at = 0; at < text.length;) {
    const escape = text[at] === "\\" ? readEscape(text, at) : undefined;
    output += escape?.value ?? text[at];
    at = escape?.end ?? at + 1;
  }
  return output;
}

function time(ns: bigint): string {
  const seconds = ns / 1_000_000_000n;
  return strftime(
    "%Y-%m-%d %H:%M:%S.%N %z",
    Number(seconds) * 1000,
    false,
    Number(ns % 1_000_000_000n),
  );
}

/** What a format is filled in with. */
interface Subject {
  context: CommandContext;
  path: string;
  stats: BigIntStats;
  /** Whether the format is ours, where names are shown as they are. */
  usual: boolean;
}

const major = (device: bigint) => (device >> 8n) & 0xfffn;
const minor = (device: bigint) => (device & 0xffn) | ((device >> 12n) & 0xfff00n);
const seconds = (ns: bigint) => String(ns / 1_000_000_000n);

function nameOf({ context, path, stats, usual }: Subject): string {
  if (stats.isSymbolicLink()) return `${quoted(path)} -> ${quoted(context.fs.readlinkSync(path))}`;
  return usual ? path : quoted(path);
}

const directives = new Map<string, (subject: Subject) => string>([
  ["a", ({ stats }) => (Number(stats.mode) & 0o7777).toString(8)],
  ["A", ({ stats }) => modeText(Number(stats.mode))],
  ["b", ({ stats }) => String(stats.blocks)],
  ["B", () => "512"],
  ["d", ({ stats }) => String(stats.dev)],
  ["Hd", ({ stats }) => String(major(stats.dev))],
  ["Ld", ({ stats }) => String(minor(stats.dev))],
  ["D", ({ stats }) => stats.dev.toString(16)],
  ["f", ({ stats }) => Number(stats.mode).toString(16)],
  ["F", ({ stats }) => typeName({ mode: Number(stats.mode), size: Number(stats.size) })],
  ["g", ({ stats }) => String(stats.gid)],
  ["G", ({ context, stats }) => nameTable(context, "group").get(Number(stats.gid)) ?? "UNKNOWN"],
  ["h", ({ stats }) => String(stats.nlink)],
  ["i", ({ stats }) => String(stats.ino)],
  ["m", () => "/"],
  ["n", ({ path }) => path],
  ["N", nameOf],
  ["o", ({ stats }) => String(stats.blksize)],
  ["s", ({ stats }) => String(stats.size)],
  ["t", ({ stats }) => major(stats.rdev).toString(16)],
  ["T", ({ stats }) => minor(stats.rdev).toString(16)],
  ["u", ({ stats }) => String(stats.uid)],
  ["U", ({ context, stats }) => nameTable(context, "passwd").get(Number(stats.uid)) ?? "UNKNOWN"],
  ["w", ({ stats }) => (stats.birthtimeNs > 0n ? time(stats.birthtimeNs) : "-")],
  ["W", ({ stats }) => seconds(stats.birthtimeNs)],
  ["x", ({ stats }) => time(stats.atimeNs)],
  ["X", ({ stats }) => seconds(stats.atimeNs)],
  ["y", ({ stats }) => time(stats.mtimeNs)],
  ["Y", ({ stats }) => seconds(stats.mtimeNs)],
  ["z", ({ stats }) => time(stats.ctimeNs)],
  ["Z", ({ stats }) => seconds(stats.ctimeNs)],
]);

function describe(
  context: CommandContext,
  path: string,
  stats: BigIntStats,
  format: string,
): string {
  const subject = { context, path, stats, usual: format === usualFormat };
  return expand(format, (directive) => directives.get(directive)?.(subject));
}

function expand(format: string, value: (directive: string) => string | undefined): string {
  return format.replace(
    /%([-+ #0']*)(\d*)(?:\.(\d+))?([HL]?[a-zA-Z%])/g,
    (whole, flags: string, width: string, precision: string | undefined, letter: string) => {
      if (letter === "%") return "%";
      const text = value(letter);
      if (text === undefined) return letter.length === 1 ? "?" : whole;
      const cut =
        precision === undefined || /^\d/.test(text) ? text : text.slice(0, Number(precision));
      const size = Math.min(Number(width), 4096);
      if (flags.includes("-")) return cut.padEnd(size);
      return cut.padStart(size, flags.includes("0") && /^[0-9a-f]+$/.test(cut) ? "0" : " ");
    },
  );
}

function fileSystem(context: CommandContext, path: string, format: string | undefined): string {
  const stats = context.fs.statfsSync(path);
  const values = new Map<string, string>([
    ["n", path],
    ["a", String(stats.bavail)],
    ["b", String(stats.blocks)],
    ["c", String(stats.files)],
    ["d", String(stats.ffree)],
    ["f", String(stats.bfree)],
    ["i", "0"],
    ["l", "255"],
    ["s", String(stats.bsize)],
    ["S", String(stats.bsize)],
    ["t", stats.type.toString(16)],
    ["T", "tmpfs"],
  ]);
  const usual =
    '  File: "%n"\n    ID: %-8i Namelen: %-7l Type: %T\nBlock size: %-10s Fundamental block size: %S\n' +
    "Blocks: Total: %-10b Free: %-10f Available: %a\nInodes: Total: %-10c Free: %d\n";
  return expand(format ?? usual, (letter) => values.get(letter));
}
