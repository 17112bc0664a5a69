/** Owns `tar -t` and `tar -x`: an archive's bytes, and what is done with each member. */
import { listedName } from "../../support/text.js";
import { createGunzip } from "node:zlib";
import type { CommandContext, CommandFailure } from "../../command.js";
import { codecs, FormatError, type Codec } from "../../support/codecs.js";
import { errorCode, errorText } from "../../support/errors.js";
import { modeText } from "../../support/files.js";
import { openInput, readAll, type ByteSource } from "../../support/input.js";
import type { Options } from "../../support/options.js";
import { strftime } from "../../support/strftime.js";
import { bytesOf, toBytes } from "../../support/text.js";
import { throughTransform } from "../../support/transform.js";
import { ArchiveError, type Entry } from "../../../protocol/tar.js";
import { Extractor } from "./extract.js";
import { endOf } from "./pack.js";
import { Wanted } from "./wanted.js";
import { codecOf, directoryOf, excluder, fatal } from "./options.js";
import { transformer } from "./transform.js";
import { ArchiveReader } from "./read.js";

/** The archive's bytes, decompressed when they are compressed. */
export async function archiveBytes(context: CommandContext, options: Options): Promise<ByteSource> {
  const archive = options.get("f") ?? "-";
  let source: ByteSource;
  try {
    source = openInput(context, archive);
  } catch (error) {
    throw fatal(`${archive}: Cannot open: ${errorText(error)}`);
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
  return fatal(`${program}: (stdin): ${message}\ntar: Child returned status 1`);
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
  return fatal(`gzip: stdin: ${message}\ntar: Child returned status 1`);
}

export async function read(
  context: CommandContext,
  options: Options,
  extract: boolean,
): Promise<number> {
  const complain = (message: string) => context.writeError(`tar: ${message}\n`);
  const source = await archiveBytes(context, options);
  const reader = new ArchiveReader(source, complain);
  const directory = directoryOf(context, options);
  const excluded = excluder(context, options);
  const strip = Number(options.get("strip") ?? 0) || 0;
  const wanted = new Wanted(options);
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
      if (!wanted.has(name) || excluded(name)) continue;
      if (!extract || options.has("v")) {
        const line =
          options.has("v") && (!extract || options.count("v") > 1)
            ? described(entry)
            : listedName(name);
        if (extract && options.has("O")) context.writeError(`${line}\n`);
        else context.writeBytes(bytesOf(toBytes(line)).toString("latin1") + "\n");
      }
      if (extract) good = extractor.entry(entry, () => reader.content()) && good;
    }
  } catch (error) {
    if (!(error instanceof ArchiveError)) throw error;
    return broken(context, error, reader);
  } finally {
    extractor.finish();
    source.close();
  }
  return endOf(context, wanted.allFound(complain) && good);
}

/** What is said of an archive that is none, or is cut off; tar's status. */
export function broken(context: CommandContext, error: Error, reader: ArchiveReader): number {
  const complain = (message: string) => context.writeError(`tar: ${message}\n`);
  complain(error.message);
  if (error.message.startsWith("This does not")) {
    if (!reader.isShort) complain("Skipping to next header");
    complain("Exiting with failure status due to previous errors");
  } else complain("Error is not recoverable: exiting now");
  return 2;
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
    entry.type === "2"
      ? ` -> ${listedName(entry.link)}`
      : entry.type === "1"
        ? ` link to ${listedName(entry.link)}`
        : "";
  return `${shown} ${owner}${size.padStart(width)} ${time} ${listedName(entry.name)}${link}`;
}
