/**
 * Owns `tar -r`, `-u`, `-A` and `--delete`: an archive that is changed where it lies. Members are moved towards the
 * archive's beginning only, so that nothing is overwritten before it has been read.
 */
import { CommandFailure, type CommandContext } from "../../command.js";
import { codecs } from "../../support/codecs.js";
import { errorCode, errorText } from "../../support/errors.js";
import type { Options } from "../../support/options.js";
import { ArchiveError, type Entry } from "../../../protocol/tar.js";
import { codecOf, fatal } from "./options.js";
import { endOf, ending, memberWriter, namesOf } from "./pack.js";
import { ArchiveReader } from "./read.js";
import { broken } from "./unpack.js";
import { Wanted } from "./wanted.js";

const pieceBytes = 65536;

type Mode = "r" | "u" | "A" | "delete";

export function change(context: CommandContext, options: Options, mode: Mode): number {
  const path = options.get("f") ?? "-";
  const seeHelp = "Try 'tar --help' or 'tar --usage' for more information.\n";
  if (path === "-")
    throw new CommandFailure("Options '-Aru' are incompatible with '-f -'", 2, seeHelp);
  if (options.has("z") || codecOf(options, "") !== undefined)
    throw new CommandFailure("Cannot update compressed archives", 2, seeHelp);
  const archive = new Archive(context, path, mode === "delete" ? "r+" : "a+");
  try {
    return mode === "delete"
      ? remove(context, options, archive)
      : add(context, options, archive, mode);
  } catch (error) {
    if (!(error instanceof ArchiveError)) throw error;
    return broken(context, error, archive.reader);
  } finally {
    archive.close();
  }
}

/** An archive that is read up to where its members end, and then written from there on. */
class Archive {
  readonly #fd: number;
  readonly reader: ArchiveReader;
  #readAt = 0;
  #writeAt = 0;

  constructor(
    private readonly context: CommandContext,
    path: string,
    /** "a+": made where it is not there. */
    flags: "r" | "r+" | "a+",
  ) {
    this.#fd = this.#open(path, flags);
    this.reader = new ArchiveReader(
      { read: () => this.#piece(this.#readAt, pieceBytes), close: () => undefined },
      (message) => context.writeError(`tar: ${message}\n`),
    );
    const head = this.#piece(0, 512);
    this.#readAt = 0;
    const packed = Object.values(codecs).some((codec) => codec.matches(head));
    if (packed || (head[0] === 0x1f && head[1] === 0x8b))
      throw fatal("Cannot update compressed archives");
  }

  #open(path: string, flags: "r" | "r+" | "a+"): number {
    const { fs } = this.context;
    try {
      return fs.openSync(path, flags === "a+" ? "r+" : flags);
    } catch (error) {
      if (flags === "a+" && errorCode(error) === "ENOENT") return fs.openSync(path, "w+");
      throw fatal(`${path}: Cannot open: ${errorText(error)}`);
    }
  }

  #piece(at: number, bytes: number): Buffer {
    const buffer = Buffer.allocUnsafe(bytes);
    const count = this.context.fs.readSync(this.#fd, buffer, 0, bytes, at);
    this.#readAt = at + count;
    return buffer.subarray(0, count);
  }

  get isEmpty(): boolean {
    return this.context.fs.fstatSync(this.#fd).size === 0;
  }

  *entries(): Generator<Entry> {
    if (this.isEmpty) return;
    for (let entry = this.reader.next(); entry !== undefined; entry = this.reader.next())
      yield entry;
  }

  /** What is written from here on follows the first `bytes`. */
  writeFrom(bytes: number): void {
    this.#writeAt = bytes;
  }

  write(data: Uint8Array): void {
    for (let at = 0; at < data.length;) {
      const count = this.context.fs.writeSync(this.#fd, data, at, data.length - at, this.#writeAt);
      at += count;
      this.#writeAt += count;
    }
  }

  /** Appends the bytes of `other` between two offsets; of this archive itself they lie further on. */
  copy(other: Archive, from: number, to: number): void {
    for (let at = from; at < to;) {
      const piece = other.#piece(at, Math.min(pieceBytes, to - at));
      if (piece.length === 0) throw new ArchiveError("Unexpected EOF in archive");
      this.write(piece);
      at += piece.length;
    }
  }

  end(): void {
    this.write(ending(this.#writeAt));
    this.context.fs.ftruncateSync(this.#fd, this.#writeAt);
  }

  close(): void {
    this.context.fs.closeSync(this.#fd);
  }
}

function add(
  context: CommandContext,
  options: Options,
  archive: Archive,
  mode: "r" | "u" | "A",
): number {
  /** Members of now, each with its newest time. */
  const times = new Map<string, number>();
  for (const { name, mtimeSeconds } of archive.entries()) times.set(name, mtimeSeconds);
  archive.writeFrom(archive.reader.start);
  let good = true;
  if (mode === "A") {
    for (const name of namesOf(context, options)) good = append(context, archive, name) && good;
  } else {
    const writer = memberWriter(context, options, {
      write: (data) => archive.write(data),
      ...(mode === "u" && {
        upToDate: (name: string, mtimeSeconds: number) => (times.get(name) ?? -1) >= mtimeSeconds,
      }),
    });
    for (const name of namesOf(context, options)) good = writer.add(name) && good;
  }
  archive.end();
  return endOf(context, good);
}

/** Adds the members of another archive. */
function append(context: CommandContext, archive: Archive, path: string): boolean {
  let other: Archive;
  try {
    other = new Archive(context, path, "r");
  } catch (error) {
    if (!(error instanceof CommandFailure)) throw error;
    context.writeError(`tar: ${error.message}\n`);
    return false;
  }
  try {
    for (const _ of other.entries());
    archive.copy(other, 0, other.reader.start);
    return true;
  } finally {
    other.close();
  }
}

function remove(context: CommandContext, options: Options, archive: Archive): number {
  const wanted = new Wanted(options);
  const kept: { from: number; to: number }[] = [];
  let from: number | undefined;
  const all = archive.entries();
  for (let next = all.next(); ; next = all.next()) {
    const { start } = archive.reader;
    if (from !== undefined) kept.push({ from, to: start });
    if (next.done === true) break;
    from = options.operands.length > 0 && wanted.has(next.value.name) ? undefined : start;
  }
  archive.writeFrom(0);
  for (const range of kept) archive.copy(archive, range.from, range.to);
  archive.end();
  return endOf(
    context,
    wanted.allFound((message) => context.writeError(`tar: ${message}\n`)),
  );
}
