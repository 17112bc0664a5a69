/** Owns `tar -c`: the archive's bytes from the members to the file, compressed when asked. */
import { listedName } from "../../support/text.js";
import { gzipSync } from "node:zlib";
import type { CommandContext } from "../../command.js";
import type { Codec } from "../../support/codecs.js";
import { errorText } from "../../support/errors.js";
import type { Options } from "../../support/options.js";
import { Creator, type CreateOptions } from "./create.js";
import { codecOf, directoryOf, emptyArchive, excluder, fatal, linesOf } from "./options.js";
import { transformer } from "./transform.js";

const recordBytes = 10240;
const endBytes = 1024;
const memberBytes = 8 * 1024 * 1024;

export function create(context: CommandContext, options: Options): number {
  const archive = options.get("f") ?? "-";
  const names = namesOf(context, options);
  if (names.length === 0 && !options.has("T")) throw emptyArchive();
  const creator = memberWriter(context, options, { write: (data) => output.write(data) });
  const gzip =
    options.has("z") ||
    options.get("I") === "gzip" ||
    (options.has("a") && /\.t?gz$/.test(archive));
  const sink = new Sink(context, archive);
  const compression = codecOf(options, archive) ?? (gzip ? "gzip" : undefined);
  const output = new Output((data) => sink.write(data), compression);
  let good = true;
  for (const name of names) good = creator.add(name) && good;
  output.end();
  sink.close();
  return endOf(context, good);
}

/** What is to go into an archive. */
export function namesOf(context: CommandContext, options: Options): string[] {
  return [...options.operands, ...options.all("T").flatMap((file) => linesOf(context, file))];
}

/** Writes members as the options want them. */
export function memberWriter(
  context: CommandContext,
  options: Options,
  to: Pick<CreateOptions, "write" | "upToDate">,
): Creator {
  return new Creator(context, {
    ...to,
    report: (name) => {
      if (!options.has("v")) return;
      if ((options.get("f") ?? "-") === "-") context.writeError(`${listedName(name)}\n`);
      else context.write(`${listedName(name)}\n`);
    },
    excluded: excluder(context, options),
    transform: transformer(options),
    dereference: options.has("h"),
    recursive: !options.has("noRecursion"),
    directory: directoryOf(context, options),
    complain: (message) => context.writeError(`tar: ${message}\n`),
    numericOwner: options.has("numeric"),
  });
}

/** tar's status, with its last words. */
export function endOf(context: CommandContext, good: boolean): number {
  if (good) return 0;
  context.writeError("tar: Exiting with failure status due to previous errors\n");
  return 2;
}

/** What follows the members: two blocks of zeroes at least, up to a whole record. */
export function ending(memberBytes: number): Buffer {
  const rest = (memberBytes + endBytes) % recordBytes;
  return Buffer.alloc(endBytes + ((recordBytes - rest) % recordBytes));
}

/** Where the archive goes: a file, or standard output. */
class Sink {
  readonly #fd: number | undefined;

  constructor(
    private readonly context: CommandContext,
    archive: string,
  ) {
    if (archive === "-") return;
    try {
      this.#fd = context.fs.openSync(archive, "w");
    } catch (error) {
      throw fatal(`${archive}: Cannot open: ${errorText(error)}`);
    }
  }

  write(data: Uint8Array): void {
    if (this.#fd === undefined) return this.context.write(data);
    for (let at = 0; at < data.length;) at += this.context.fs.writeSync(this.#fd, data, at);
  }

  close(): void {
    if (this.#fd !== undefined) this.context.fs.closeSync(this.#fd);
  }
}

/**
 * Compresses what is written. By gzip as members of their own, which gunzip reads as one: nothing
 * has to wait in memory. The other formats are made of the whole.
 */
class Output {
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  #totalBytes = 0;

  constructor(
    private readonly sink: (data: Uint8Array) => void,
    private readonly compression: Codec | "gzip" | undefined,
  ) {}

  write(data: Uint8Array): void {
    this.#totalBytes += data.length;
    if (this.compression === undefined) return this.sink(data);
    const gzip = this.compression === "gzip";
    this.#pending.push(gzip ? data : Buffer.from(data));
    this.#pendingBytes += data.length;
    if (gzip && this.#pendingBytes > memberBytes) this.#endMember();
  }

  #endMember(): void {
    if (this.#pendingBytes > 0) this.sink(gzipSync(Buffer.concat(this.#pending)));
    this.#pending = [];
    this.#pendingBytes = 0;
  }

  /** Writes the end of the archive, which fills a record. */
  end(): void {
    this.write(ending(this.#totalBytes));
    const { compression } = this;
    if (compression === "gzip") this.#endMember();
    else if (compression !== undefined)
      this.sink(compression.encode(Buffer.concat(this.#pending), compression.levels.usual));
  }
}
