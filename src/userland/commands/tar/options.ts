/** Owns what `tar`'s options say, for writing and for reading. */
import { CommandFailure, type CommandContext } from "../../command.js";
import { codecs, type Codec } from "../../support/codecs.js";
import { statOrNothing } from "../../support/files.js";
import { globRegex } from "../../support/glob.js";
import { LineReader, openInput } from "../../support/input.js";
import { parseOptions, type Options } from "../../support/options.js";
import { fromBytes } from "../../support/text.js";

const shortOptions = "AcdrtuxvzjJaf:C:T:X:b:I:kmpPhOSwWno";
const longOptions = {
  create: "c",
  extract: "x",
  get: "x",
  list: "t",
  append: "r",
  update: "u",
  catenate: "A",
  concatenate: "A",
  diff: "d",
  compare: "d",
  delete: "delete",
  verbose: "v",
  gzip: "z",
  gunzip: "z",
  "auto-compress": "a",
  "file=": "f",
  "directory=": "C",
  "files-from=": "T",
  "exclude-from=": "X",
  "exclude=": "exclude",
  "strip-components=": "strip",
  "keep-old-files": "k",
  "skip-old-files": "skipOld",
  overwrite: "overwrite",
  touch: "m",
  "preserve-permissions": "p",
  "same-permissions": "p",
  "no-same-owner": "noOwner",
  "same-owner": "sameOwner",
  "no-same-permissions": "noPerm",
  "numeric-owner": "numeric",
  dereference: "h",
  "to-stdout": "O",
  "no-recursion": "noRecursion",
  "transform=": "transform",
  "xform=": "transform",
  "format=": "format",
  "owner=": "owner",
  "group=": "group",
  "mtime=": "mtime",
  "sort=": "sort",
  wildcards: "wildcards",
  "warning=": "warning",
  totals: "totals",
  bzip2: "j",
  xz: "J",
  lzma: "J",
  zstd: "zstd",
  "use-compress-program=": "I",
};

const seeHelp = "Try 'tar --help' or 'tar --usage' for more information.\n";

export function tarOptions(context: CommandContext): Options {
  const argv = withDashes(context.argv);
  return parseOptions({ ...context, argv }, shortOptions, longOptions, { status: 2 });
}

/** The first word may be letters without a dash; each that takes a value takes the next word. */
function withDashes(argv: readonly string[]): string[] {
  const [name = "", letters, ...rest] = argv;
  if (letters === undefined || letters.startsWith("-")) return [...argv];
  const takesValue = (letter: string) => "fCTXbI".includes(letter);
  return [
    name,
    ...[...letters].filter((letter) => !takesValue(letter)).map((letter) => `-${letter}`),
    ...[...letters].filter(takesValue).flatMap((letter) => [`-${letter}`, rest.shift() ?? ""]),
    ...rest,
  ];
}

const modes = ["c", "x", "t", "r", "u", "A", "d", "delete"] as const;

/** What is to be done: make an archive, extract or list one, change one, or compare it with the files. */
export function modeOf(options: Options): (typeof modes)[number] {
  const given = modes.filter((mode) => options.has(mode));
  const [mode] = given;
  if (mode === undefined) {
    throw new CommandFailure(
      "You must specify one of the '-Acdtrux', '--delete' or '--test-label' options",
      2,
      seeHelp,
    );
  }
  if (given.length > 1)
    throw new CommandFailure(
      "You may not specify more than one '-Acdtrux', '--delete' or  '--test-label' option",
      2,
      seeHelp,
    );
  return mode;
}

/** Ends tar at once. */
export function fatal(message: string): CommandFailure {
  return new CommandFailure(message, 2, "tar: Error is not recoverable: exiting now\n");
}

export function emptyArchive(): CommandFailure {
  return new CommandFailure("Cowardly refusing to create an empty archive", 2, seeHelp);
}

/** Where members are, or "" for the working directory. */
export function directoryOf(context: CommandContext, options: Options): string {
  const directory = options.get("C") ?? "";
  if (directory !== "" && statOrNothing(context, directory, true)?.isDirectory() !== true)
    throw fatal(`${directory}: Cannot open: No such file or directory`);
  return directory;
}

export function excluder(context: CommandContext, options: Options): (name: string) => boolean {
  const patterns = options.all("exclude");
  for (const file of options.all("X")) patterns.push(...linesOf(context, file));
  const rules = patterns.map((pattern) => globRegex(pattern.replace(/\/+$/, "")));
  // A pattern fits the whole name or any part of it that follows a slash.
  return (name) => {
    const trimmed = name.replace(/\/+$/, "").replace(/^\.\//, "");
    const parts = trimmed.split("/");
    return rules.some(
      (rule) => rule.test(name) || parts.some((_, at) => rule.test(parts.slice(at).join("/"))),
    );
  };
}

export function linesOf(context: CommandContext, file: string): string[] {
  const reader = new LineReader(openInput(context, file));
  const lines: string[] = [];
  for (let line = reader.next(); line !== undefined; line = reader.next())
    if (line !== "") lines.push(fromBytes(line));
  return lines;
}

/** Which of the formats beside gzip is asked for, by an option or by the archive's name with -a. */
export function codecOf(options: Options, archive: string): Codec | undefined {
  const program = options.get("I")?.split(" ")[0];
  if (program !== undefined && !Object.hasOwn(codecs, program) && program !== "gzip") {
    throw new CommandFailure(
      `${program}: only gzip, bzip2, xz and zstd are compression programs here`,
      2,
    );
  }
  const auto = options.has("a");
  if (options.has("J") || program === "xz" || (auto && /\.(?:t?xz|tlz|lzma)$/.test(archive)))
    return codecs.xz;
  if (options.has("j") || program === "bzip2" || (auto && /\.(?:tbz2?|bz2|tb2)$/.test(archive)))
    return codecs.bzip2;
  const zstd =
    options.has("zstd") || program === "zstd" || (auto && /\.(?:tzst|zst)$/.test(archive));
  return zstd ? codecs.zstd : undefined;
}
