/** Owns reading: files and standard input as byte sources, and lines out of them with bounded memory. */
import type { CommandContext } from "../command.js";
import { errorText } from "./errors.js";
import { byteString } from "./text.js";

export const chunkBytes = 128 * 1024;

export interface ByteSource {
  /** Empty at end of file. The bytes are valid until the next read. */
  read(maxBytes?: number): Uint8Array;
  /** Leaves the last bytes read to whoever shares this input. */
  unread?(byteCount: number): void;
  close(): void;
}

export function standardInput(context: CommandContext): ByteSource {
  return {
    read: (maxBytes) => context.readInput(maxBytes),
    unread: (byteCount) => context.unreadInput(byteCount),
    close: () => undefined,
  };
}

export function openFile(context: CommandContext, path: string, bytes = chunkBytes): ByteSource {
  const { fs } = context;
  const fd = fs.openSync(path, "r");
  const buffer = Buffer.allocUnsafe(bytes);
  return {
    read(maxBytes = bytes) {
      const count = fs.readSync(fd, buffer, 0, Math.min(maxBytes, bytes), null);
      return buffer.subarray(0, count);
    },
    close: () => fs.closeSync(fd),
  };
}

/** `-` is standard input. */
export function openInput(context: CommandContext, path: string, bytes = chunkBytes): ByteSource {
  return path === "-" ? standardInput(context) : openFile(context, path, bytes);
}

/**
 * Runs `use` over every operand, or over standard input when there is none. What cannot be opened
 * or read is reported as `describe` words it; answers whether all went well.
 */
export function eachInput(
  context: CommandContext,
  operands: readonly string[],
  use: (source: ByteSource, name: string) => void,
  describe: (name: string, reason: string) => string = (name, reason) => `${name}: ${reason}`,
): boolean {
  let good = true;
  for (const name of operands.length === 0 ? ["-"] : operands) {
    let source: ByteSource | undefined;
    const report = (error: unknown) => {
      context.writeError(`${context.name}: ${describe(name, errorText(error))}\n`);
      good = false;
    };
    try {
      source = openInput(context, name);
    } catch (error) {
      report(error);
      continue;
    }
    try {
      use(readErrorsMarked(source), name);
    } catch (error) {
      if (!(error instanceof ReadFailure)) throw error;
      report(error.reason);
    } finally {
      source.close();
    }
  }
  return good;
}

/** Tells an error of reading from one of whatever is done with what was read. */
class ReadFailure extends Error {
  constructor(readonly reason: unknown) {
    super("read failed");
  }
}

function readErrorsMarked(source: ByteSource): ByteSource {
  return {
    read(maxBytes) {
      try {
        return source.read(maxBytes);
      } catch (error) {
        throw new ReadFailure(error);
      }
    },
    unread: (byteCount) => source.unread?.(byteCount),
    close: () => source.close(),
  };
}

export function readAll(source: ByteSource): Buffer {
  const parts: Buffer[] = [];
  for (;;) {
    const chunk = source.read();
    if (chunk.length === 0) return Buffer.concat(parts);
    parts.push(Buffer.from(chunk));
  }
}

/** Lines as byte strings without their end. */
export class LineReader {
  /** Whether the line answered last had its delimiter. */
  terminated = true;
  readonly #source: ByteSource;
  readonly #delimiter: string;
  #text = "";
  #position = 0;
  #ended = false;

  constructor(source: ByteSource, delimiter = "\n") {
    this.#source = source;
    this.#delimiter = delimiter;
  }

  next(): string | undefined {
    let parts = "";
    for (;;) {
      const end = this.#text.indexOf(this.#delimiter, this.#position);
      if (end !== -1) {
        const line = this.#text.slice(this.#position, end);
        this.#position = end + 1;
        this.terminated = true;
        return parts === "" ? line : parts + line;
      }
      parts += this.#text.slice(this.#position);
      this.#position = 0;
      this.#text = "";
      if (!this.#ended) {
        const chunk = this.#source.read();
        this.#ended = chunk.length === 0;
        this.#text = byteString(chunk);
      }
      if (this.#ended) {
        if (parts === "") return undefined;
        this.terminated = false;
        return parts;
      }
    }
  }

  close(): void {
    this.#source.close();
  }
}
