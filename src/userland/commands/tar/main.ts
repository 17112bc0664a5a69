/** Owns `tar`'s command line. */
import { createGunzip, gzipSync } from "node:zlib";
import { CommandFailure, type Command, type CommandContext } from "../../command.js";
import { codecs, FormatError, type Codec } from "../../support/codecs.js";
import { errorCode, errorText } from "../../support/errors.js";
import { modeText, statOrNothing } from "../../support/files.js";
import { globRegex } from "../../support/glob.js";
import { LineReader, openInput, readAll, type ByteSource } from "../../support/input.js";
import { parseOptions, type Options } from "../../support/options.js";
import { PosixRegex } from "../../support/regex.js";
import { strftime } from "../../support/strftime.js";
import { bytesOf, fromBytes, toBytes } from "../../support/text.js";
import { throughTransform } from "../../support/transform.js";
import { Creator } from "./create.js";
import { Extractor } from "./extract.js";
import { ArchiveError, type Entry } from "../../../protocol/tar.js";
import { ArchiveReader } from "./read.js";

const recordBytes = 10240;
const memberBytes = 8 * 1024 * 1024;

export const main: Command = async (context) => {
  // The first word may be letters without a dash; each that takes a value takes the next word.
  const words = [...context.argv];
  if (words[1] !== undefined && !words[1].startsWith("-")) {
    const letters = words[1];
    const values = [...letters].filter((letter) => "fCTXbI".includes(letter));
    const expanded = [...letters].flatMap((letter) =>
      "fCTXbI".includes(letter) ? [] : [`-${letter}`],
    );
    const rest = words.slice(2);
    words.splice(
      1,
      words.length,
      ...expanded,
      ...values.flatMap((letter) => [`-${letter}`, rest.shift() ?? ""]),
      ...rest,
    );
  }
  const options = parseOptions(
    { ...context, argv: words },
    "AcdrtuxvzjJaf:C:T:X:b:I:kmpPhOSwWno",
    {
      create: "c",
      extract: "x",
      get: "x",
      list: "t",
      append: "r",
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
    },
    { status: 2 },
  );
  const mode = options.list
    .filter(({ key }) => "cxt".includes(key) && key.length === 1)
    .map(({ key }) => key);
  if (mode.length === 0) {
    throw new CommandFailure(
      "You must specify one of the '-Acdtrux', '--delete' or '--test-label' options",
      2,
      "Try 'tar --help' or 'tar --usage' for more information.\n",
    );
  }
  if (new Set(mode).size > 1)
    throw new CommandFailure(
      "You may not specify more than one '-Acdtrux', '--delete' or  '--test-label' option",
      2,
      "Try 'tar --help' or 'tar --usage' for more information.\n",
    );
  if (mode[0] === "c") return create(context, options);
  return read(context, options, mode[0] === "x");
};

function transformer(options: Options): (name: string) => string {
  const rules = options.all("transform").map((text) => {
    const match = /^s(.)(.*?)\1(.*?)\1([gi]*)$/.exec(text);
    if (match === null) throw new CommandFailure(`Invalid transform expression`, 2);
    const regex = new PosixRegex(toBytes(match[2]!), {
      extended: false,
      ignoreCase: match[4]!.includes("i"),
    });
    return { regex, text: match[3]!, all: match[4]!.includes("g") };
  });
  return (name) =>
    rules.reduce((current, { regex, text, all }) => {
      let output = "";
      let from = 0;
      const bytes = toBytes(current);
      for (;;) {
        const found = regex.exec(bytes, from);
        if (found === undefined || found.end === found.index) break;
        const replaced = text.replace(
          /\\(\d)|&/g,
          (_, digit: string | undefined) => found.groups[Number(digit ?? 0)] ?? "",
        );
        output += bytes.slice(from, found.index) + replaced;
        from = found.end;
        if (!all) break;
      }
      return fromBytes(output + bytes.slice(from));
    }, name);
}

function excluder(context: CommandContext, options: Options): (name: string) => boolean {
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

function linesOf(context: CommandContext, file: string): string[] {
  const reader = new LineReader(openInput(context, file));
  const lines: string[] = [];
  for (let line = reader.next(); line !== undefined; line = reader.next())
    if (line !== "") lines.push(fromBytes(line));
  return lines;
}

/** Which of the formats beside gzip is asked for, by an option or by the archive's name with -a. */
function codecOf(options: Options, archive: string): Codec | undefined {
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

function create(context: CommandContext, options: Options): number {
  const archive = options.get("f") ?? "-";
  const names = [
    ...options.operands,
    ...options.all("T").flatMap((file) => linesOf(context, file)),
  ];
  if (names.length === 0 && !options.has("T")) {
    throw new CommandFailure(
      "Cowardly refusing to create an empty archive",
      2,
      "Try 'tar --help' or 'tar --usage' for more information.\n",
    );
  }
  const directory = options.get("C") ?? "";
  if (directory !== "" && statOrNothing(context, directory, true)?.isDirectory() !== true) {
    throw new CommandFailure(
      `${directory}: Cannot open: No such file or directory`,
      2,
      "tar: Error is not recoverable: exiting now\n",
    );
  }
  const gzip =
    options.has("z") ||
    options.get("I") === "gzip" ||
    (options.has("a") && /\.t?gz$/.test(archive));
  let fd = -1;
  if (archive !== "-") {
    try {
      fd = context.fs.openSync(archive, "w");
    } catch (error) {
      throw new CommandFailure(
        `${archive}: Cannot open: ${errorText(error)}`,
        2,
        "tar: Error is not recoverable: exiting now\n",
      );
    }
  }
  const sink = (data: Uint8Array) => {
    if (fd < 0) return context.write(data);
    for (let at = 0; at < data.length;) at += context.fs.writeSync(fd, data, at);
  };
  // Compressed as members of their own, which gunzip reads as one: nothing has to wait in memory.
  let pending: Uint8Array[] = [];
  let pendingBytes = 0;
  const compress = () => {
    if (pendingBytes > 0) sink(gzipSync(Buffer.concat(pending)));
    pending = [];
    pendingBytes = 0;
  };
  const codec = codecOf(options, archive);
  let total = 0;
  const write = (data: Uint8Array) => {
    total += data.length;
    if (codec !== undefined) return void pending.push(Buffer.from(data));
    if (!gzip) return sink(data);
    pending.push(data);
    pendingBytes += data.length;
    if (pendingBytes > memberBytes) compress();
  };
  const complain = (message: string) => context.writeError(`tar: ${message}\n`);
  const say = (name: string) => {
    if (!options.has("v")) return;
    if (archive === "-") context.writeError(`${name}\n`);
    else context.write(`${name}\n`);
  };
  const creator = new Creator(context, {
    write,
    report: say,
    excluded: excluder(context, options),
    transform: transformer(options),
    dereference: options.has("h"),
    recursive: !options.has("noRecursion"),
    directory,
    complain,
    numericOwner: options.has("numeric"),
  });
  let good = true;
  for (const name of names) good = creator.add(name) && good;
  const end = 1024;
  write(Buffer.alloc(end + ((recordBytes - ((total + end) % recordBytes)) % recordBytes)));
  if (codec === undefined) compress();
  else sink(codec.encode(Buffer.concat(pending), codec.levels.usual));
  if (fd >= 0) context.fs.closeSync(fd);
  if (!good) complain("Exiting with failure status due to previous errors");
  return good ? 0 : 2;
}

/** The archive's bytes, decompressed when they are compressed. */
async function archiveBytes(context: CommandContext, options: Options): Promise<ByteSource> {
  const archive = options.get("f") ?? "-";
  let source: ByteSource;
  try {
    source = openInput(context, archive);
  } catch (error) {
    throw new CommandFailure(
      `${archive}: Cannot open: ${errorText(error)}`,
      2,
      "tar: Error is not recoverable: exiting now\n",
    );
  }
  let first: Buffer | undefined = Buffer.from(source.read());
  const whole: ByteSource = {
    read(maxBytes) {
      if (first === undefined) return source.read(maxBytes);
      const chunk = first;
      first = undefined;
      return chunk;
    },
    close: () => source.close(),
  };
  const head = first;
  const packed = Object.values(codecs).find((each) => each.matches(head));
  if (packed !== undefined) return unpacked(whole, packed);
  if (!(first[0] === 0x1f && first[1] === 0x8b)) {
    const wanted = codecOf(options, "");
    if (wanted !== undefined && first.length > 0) {
      throw childFailure(wanted.name, "not in this format");
    }
    if (options.has("z")) throw gzipFailure("not in gzip format");
    return whole;
  }
  const parts: Buffer[] = [];
  try {
    await throughTransform(whole, createGunzip(), (data) => parts.push(Buffer.from(data)));
  } catch (error) {
    throw gzipFailure(
      errorCode(error) === "Z_BUF_ERROR"
        ? "unexpected end of file"
        : "invalid compressed data--format violated",
    );
  }
  return {
    read: () => parts.shift() ?? Buffer.alloc(0),
    close: () => source.close(),
  };
}

function childFailure(program: string, message: string): CommandFailure {
  return new CommandFailure(
    `${program}: (stdin): ${message}\ntar: Child returned status 1`,
    2,
    "tar: Error is not recoverable: exiting now\n",
  );
}

function unpacked(source: ByteSource, codec: Codec): ByteSource {
  const parts: Uint8Array[] = [];
  try {
    codec.decode(readAll(source), (data) => parts.push(data));
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw childFailure(codec.name, error.message);
  }
  return { read: () => parts.shift() ?? new Uint8Array(0), close: () => source.close() };
}

function gzipFailure(message: string): CommandFailure {
  return new CommandFailure(
    `\ngzip: stdin: ${message}\ntar: Child returned status 1`.replace(/^\n/, ""),
    2,
    "tar: Error is not recoverable: exiting now\n",
  );
}

async function read(context: CommandContext, options: Options, extract: boolean): Promise<number> {
  const complain = (message: string) => context.writeError(`tar: ${message}\n`);
  const source = await archiveBytes(context, options);
  const reader = new ArchiveReader(source);
  const directory = options.get("C") ?? "";
  if (directory !== "" && statOrNothing(context, directory, true)?.isDirectory() !== true) {
    throw new CommandFailure(
      `${directory}: Cannot open: No such file or directory`,
      2,
      "tar: Error is not recoverable: exiting now\n",
    );
  }
  const excluded = excluder(context, options);
  const strip = Number(options.get("strip") ?? 0) || 0;
  const wanted = options.operands.map((name) => ({
    name: name.replace(/\/+$/, ""),
    glob: options.has("wildcards") ? globRegex(name) : undefined,
    found: false,
  }));
  const extractor = new Extractor(context, {
    directory,
    strip,
    keepOld: options.has("k"),
    skipOld: options.has("skipOld"),
    touch: options.has("m"),
    toStdout: options.has("O"),
    preserveMode: options.has("p") || (process.geteuid?.() === 0 && !options.has("noPerm")),
    transform: transformer(options),
    complain,
  });
  let good = true;
  try {
    for (let entry = reader.next(); entry !== undefined; entry = reader.next()) {
      const { name } = entry;
      const bare = name.replace(/\/+$/, "");
      const rule = wanted.find(
        (each) => bare === each.name || name.startsWith(`${each.name}/`) || each.glob?.test(bare),
      );
      if (rule !== undefined) rule.found = true;
      if ((wanted.length > 0 && rule === undefined) || excluded(name)) continue;
      if (!extract || options.has("v")) {
        const line =
          options.has("v") && (!extract || options.count("v") > 1) ? described(entry) : name;
        if (extract && options.has("O")) context.writeError(`${line}\n`);
        else context.writeBytes(bytesOf(toBytes(line)).toString("latin1") + "\n");
      }
      if (extract) good = extractor.entry(entry, () => reader.content()) && good;
    }
  } catch (error) {
    if (!(error instanceof ArchiveError)) throw error;
    complain(error.message);
    if (error.message.startsWith("This does not")) {
      complain("Skipping to next header");
      complain("Exiting with failure status due to previous errors");
    } else complain("Error is not recoverable: exiting now");
    return 2;
  } finally {
    extractor.finish();
    source.close();
  }
  for (const each of wanted) {
    if (each.found) continue;
    complain(`${each.name}: Not found in archive`);
    good = false;
  }
  if (!good) complain("Exiting with failure status due to previous errors");
  return good ? 0 : 2;
}

const typeBits: Record<string, number> = {
  "2": 0o120000,
  "5": 0o040000,
  "3": 0o020000,
  "4": 0o060000,
  "6": 0o010000,
};

function described(entry: Entry): string {
  const mode = modeText((typeBits[entry.type] ?? 0o100000) | (entry.mode & 0o7777));
  const shown = entry.type === "1" ? `h${mode.slice(1)}` : mode;
  const owner = `${entry.user || entry.uid}/${entry.group || entry.gid}`;
  const size = String(entry.size);
  const width = Math.max(19 - owner.length, size.length + 1);
  const time = strftime("%Y-%m-%d %H:%M", entry.mtimeSeconds * 1000, false);
  const link =
    entry.type === "2" ? ` -> ${entry.link}` : entry.type === "1" ? ` link to ${entry.link}` : "";
  return `${shown} ${owner}${size.padStart(width)} ${time} ${entry.name}${link}`;
}
