/** Owns `xz`, `bzip2` and `zstd` with the names that decompress: one way of working, three wordings. */
import { CommandFailure, type Command, type CommandContext } from "../command.js";
import { codecs, FormatError, type Codec } from "../support/codecs.js";
import { errorText } from "../support/errors.js";
import { openInput, readAll } from "../support/input.js";
import { parseOptions, type Options } from "../support/options.js";
import { isXz } from "../support/xz.js";

interface Family {
  codec: Codec;
  /** Ending of a compressed file, and what takes its place. The first is what compressing adds. */
  suffixes: readonly (readonly [suffix: string, plain: string])[];
  /** Whether the input goes when the output is there. */
  removes: boolean;
  words: {
    cannotOpen(name: string, reason: string): string;
    exists(target: string): string;
    unknownSuffix(name: string): string;
    alreadyHas(name: string, suffix: string): string;
    corrupt(name: string, reason: string): string;
  };
}

const families: Record<Codec["name"], Family> = {
  xz: {
    codec: codecs.xz,
    suffixes: [
      [".xz", ""],
      [".txz", ".tar"],
      [".lzma", ""],
      [".tlz", ".tar"],
    ],
    removes: true,
    words: {
      cannotOpen: (name, reason) => `xz: ${name}: ${reason}`,
      exists: (target) => `xz: ${target}: File exists`,
      unknownSuffix: (name) => `xz: ${name}: Filename has an unknown suffix, skipping`,
      alreadyHas: (name, suffix) => `xz: ${name}: File already has '${suffix}' suffix, skipping`,
      corrupt: (name, reason) => `xz: ${name}: ${reason}`,
    },
  },
  bzip2: {
    codec: codecs.bzip2,
    suffixes: [
      [".bz2", ""],
      [".bz", ""],
      [".tbz2", ".tar"],
      [".tbz", ".tar"],
    ],
    removes: true,
    words: {
      cannotOpen: (name, reason) => `bzip2: Can't open input file ${name}: ${reason}.`,
      exists: (target) => `bzip2: Output file ${target} already exists.`,
      unknownSuffix: (name) => `bzip2: Can't guess original name for ${name} -- using ${name}.out`,
      alreadyHas: (name, suffix) => `bzip2: Input file ${name} already has ${suffix} suffix.`,
      corrupt: (name, reason) =>
        reason.endsWith("not a bzip2 file.")
          ? `bzip2: ${name} is not a bzip2 file.`
          : `\nbzip2: ${name}: ${reason}`,
    },
  },
  zstd: {
    codec: codecs.zstd,
    suffixes: [
      [".zst", ""],
      [".tzst", ".tar"],
    ],
    removes: false,
    words: {
      cannotOpen: (name, reason) => `zstd: can't stat ${name} : ${reason} -- ignored `,
      exists: (target) => `zstd: ${target} already exists; not overwritten  `,
      unknownSuffix: (name) =>
        `zstd: ${name}: unknown suffix (.zst/.tzst expected). Can't derive the output file name. Specify it with -o dstFileName. Ignoring.`,
      alreadyHas: () => "",
      corrupt: (name, reason) => `zstd: ${name}: ${reason}`,
    },
  },
};

const familyOf: Record<string, Codec["name"]> = {
  xz: "xz",
  unxz: "xz",
  xzcat: "xz",
  lzma: "xz",
  unlzma: "xz",
  bzip2: "bzip2",
  bunzip2: "bzip2",
  bzcat: "bzip2",
  zstd: "zstd",
  unzstd: "zstd",
  zstdcat: "zstd",
};

interface Run {
  decompress: boolean;
  test: boolean;
  toStdout: boolean;
  force: boolean;
  keep: boolean;
  quiet: boolean;
  verbose: boolean;
  level: number;
  output: string | undefined;
  suffix: string | undefined;
}

export const main: Command = (context) => {
  const name = familyOf[context.name] ?? "xz";
  const family = families[name];
  const options = parseOptions(
    context,
    name === "zstd" ? "0123456789cdfhko:qrtT:vz" : "0123456789cdefF:hklM:qsS:tT:vz",
    {
      stdout: "c",
      "to-stdout": "c",
      compress: "z",
      decompress: "d",
      uncompress: "d",
      force: "f",
      keep: "k",
      quiet: "q",
      test: "t",
      verbose: "v",
      fast: "fast",
      best: "best",
      extreme: "e",
      rm: "rm",
      "threads=": "T",
      "suffix=": "S",
      "format=": "F",
      "memlimit=": "M",
      "check=": "check",
      ultra: "ultra",
      "no-progress": "progress",
      small: "s",
    },
  );
  const run = runOf(context, options, family);
  const names = options.operands.length === 0 ? ["-"] : options.operands;
  let status = 0;
  for (const each of names) status = Math.max(status, one(context, family, each, run));
  return status;
};

function runOf(context: CommandContext, options: Options, family: Family): Run {
  const test = options.has("t");
  const decompress =
    test ||
    options.last("d", "z") === "d" ||
    (/^un|^bun|cat$/.test(context.name) && !options.has("z"));
  const { levels } = family.codec;
  // -19 is two digits of zstd's; each is an option of its own here.
  const digits = options.list.filter(({ key }) => /^\d$/.test(key)).map(({ key }) => key);
  const text = family.codec.name === "zstd" ? digits.join("") : (digits.at(-1) ?? "");
  const fast = options.last("fast", "best");
  const given = text !== "" ? Number(text) : fast === "best" ? levels.highest : levels.usual;
  const level = fast === "fast" && text === "" ? Math.max(1, levels.lowest) : given;
  return {
    decompress,
    test,
    toStdout: options.has("c") || context.name.endsWith("cat"),
    force: options.has("f"),
    keep: options.has("k") || !(family.removes || options.has("rm")),
    quiet: options.has("q"),
    verbose: options.has("v"),
    level: Math.min(Math.max(level, levels.lowest), levels.highest),
    output: options.get("o"),
    suffix: options.get("S"),
  };
}

/** Where the output goes: a path, or undefined after saying why there is none. */
function targetOf(
  context: CommandContext,
  family: Family,
  name: string,
  run: Run,
): string | number {
  const { suffixes, words } = family;
  const own = run.suffix ?? suffixes[0]![0];
  if (run.output !== undefined) return run.output;
  const complain = (message: string, status: number) => {
    if (!run.quiet) context.writeError(`${message}\n`);
    return status;
  };
  if (!run.decompress) {
    const has = suffixes.find(([suffix]) => name.endsWith(suffix));
    if (has !== undefined && !run.force && family.codec.name !== "zstd") {
      return complain(words.alreadyHas(name, has[0]), family.codec.name === "xz" ? 2 : 1);
    }
    return name + own;
  }
  const list = run.suffix === undefined ? suffixes : [[run.suffix, ""] as const, ...suffixes];
  const found = list.find(([suffix]) => name.endsWith(suffix) && name.length > suffix.length);
  if (found !== undefined) return name.slice(0, -found[0].length) + found[1];
  if (family.codec.name === "bzip2") {
    complain(words.unknownSuffix(name), 0);
    return `${name}.out`;
  }
  if (family.codec.name !== "xz") return complain(words.unknownSuffix(name), 1);
  // xz looks into the file before it looks at the name.
  if (isXz(context.fs.readFileSync(name))) return complain(words.unknownSuffix(name), 2);
  return complain(words.corrupt(name, "File format not recognized"), 1);
}

function one(context: CommandContext, family: Family, name: string, run: Run): number {
  const { fs } = context;
  const { words } = family;
  const piped = name === "-";
  const shown = piped ? "(stdin)" : name;
  const complain = (message: string) => context.writeError(`${message}\n`);
  let data: Buffer;
  let target: string | number = "";
  try {
    if (!piped && fs.statSync(name).isDirectory()) {
      complain(
        family.codec.name === "xz"
          ? `xz: ${name}: Is a directory, skipping`
          : `${family.codec.name}: Input file ${name} is a directory.`,
      );
      return family.codec.name === "xz" ? 2 : 1;
    }
    if (!piped && !run.toStdout && !run.test) {
      target = targetOf(context, family, name, run);
      if (typeof target === "number") return target;
      if (fs.existsSync(target) && !run.force) {
        complain(words.exists(target));
        return 1;
      }
    } else if (run.output !== undefined) target = run.output;
    if (target === "" && !run.decompress && context.isTerminal(1) && !run.force) {
      throw new CommandFailure("Compressed data cannot be written to a terminal");
    }
    const source = openInput(context, name);
    data = readAll(source);
    source.close();
  } catch (error) {
    if (error instanceof CommandFailure) throw error;
    complain(words.cannotOpen(shown, errorText(error)));
    return 1;
  }
  try {
    if (target === "") convert(family, data, run, (part) => run.test || context.write(part));
    else toFile(context, family, { name, target, data }, run);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    context.flush();
    complain(words.corrupt(shown, error.message));
    return family.codec.name === "bzip2" ? 2 : 1;
  }
  return 0;
}

function convert(family: Family, data: Buffer, run: Run, use: (data: Uint8Array) => void): void {
  if (run.decompress) family.codec.decode(data, use);
  else use(family.codec.encode(data, run.level));
}

function toFile(
  context: CommandContext,
  family: Family,
  { name, target, data }: { name: string; target: string; data: Buffer },
  run: Run,
): void {
  const { fs } = context;
  const stats = name === "-" ? undefined : fs.statSync(name);
  const fd = fs.openSync(target, "w", (stats?.mode ?? 0o666) & 0o777);
  let written = 0;
  let done = false;
  try {
    convert(family, data, run, (part) => {
      for (let at = 0; at < part.length;) at += fs.writeSync(fd, part, at);
      written += part.length;
    });
    done = true;
  } finally {
    fs.closeSync(fd);
    if (!done) fs.unlinkSync(target);
  }
  if (stats === undefined) return;
  fs.utimesSync(target, stats.atimeMs / 1000, stats.mtimeMs / 1000);
  if (run.verbose) {
    const [small, large] = run.decompress ? [data.length, written] : [written, data.length];
    const percent = large === 0 ? 0 : (small * 100) / large;
    context.writeError(`${name}: ${percent.toFixed(2)}%, ${data.length} in, ${written} out.\n`);
  }
  if (!run.keep) fs.unlinkSync(name);
}
