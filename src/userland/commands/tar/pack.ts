/** Owns `tar -c`: the archive's bytes from the members to the file, compressed when asked. */
import { gzipSync } from "node:zlib";
import type { CommandContext } from "../../command.js";
import type { Codec } from "../../support/codecs.js";
import { errorText } from "../../support/errors.js";
import type { Options } from "../../support/options.js";
import { Creator } from "./create.js";
import {
  codecOf,
  directoryOf,
  emptyArchive,
  excluder,
  fatal,
  linesOf,
  transformer,
} from "./options.js";

const recordBytes = 10240;
const endBytes = 1024;
const memberBytes = 8 * 1024 * 1024;

export function create(context: CommandContext, options: Options): number {
  const archive = options.get("f") ?? "-";
  const names = [
    ...options.operands,
    ...options.all("T").flatMap((file) => linesOf(context, file)),
  ];
  if (names.length === 0 && !options.has("T")) throw emptyArchive();
  const directory = directoryOf(context, options);
  const gzip =
    options.has("z") ||
    options.get("I") === "gzip" ||
    (options.has("a") && /\.t?gz$/.test(archive));
  const sink = new Sink(context, archive);
  const compression = codecOf(options, archive) ?? (gzip ? "gzip" : undefined);
  const output = new Output((data) => sink.write(data), compression);
  const complain = (message: string) => context.writeError(`tar: ${message}\n`);
  const creator = new Creator(context, {
    write: (data) => output.write(data),
    report: (name) => {
      if (!options.has("v")) return;
      if (archive === "-") context.writeError(`${name}\n`);
      else context.write(`${name}\n`);
    },
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
  output.end();
  sink.close();
  if (!good) complain("Exiting with failure status due to previous errors");
  return good ? 0 : 2;
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
    const rest = (this.#totalBytes + endBytes) % recordBytes;
    this.write(Buffer.alloc(endBytes + ((recordBytes - rest) % recordBytes)));
    const { compression } = this;
    if (compression === "gzip") this.#endMember();
    else if (compression !== undefined)
      this.sink(compression.encode(Buffer.concat(this.#pending), compression.levels.usual));
  }
}
