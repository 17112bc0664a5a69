/**
 * Owns the older generation's output events: one per line, without its end.
 *
 * Invariants: lines arrive in order and whole, but for those over `longestChars`,
 * which are cut; bytes of a character that were split over chunks are put together.
 * Untrusted: the bytes.
 */
import { StringDecoder } from "node:string_decoder";

/** One line of output, without its end. */
export interface StdioEvent {
  channel: "stdout" | "stderr";
  message: string;
}

/** A returned promise holds back further output until it settles. */
export type StdioHook = (event: StdioEvent) => unknown;

const longestChars = 64 * 1024;

export class StdioLines {
  readonly #channel: StdioEvent["channel"];
  readonly #hook: StdioHook;
  readonly #decoder = new StringDecoder("utf8");
  #rest = "";

  constructor(channel: StdioEvent["channel"], hook: StdioHook) {
    this.#channel = channel;
    this.#hook = hook;
  }

  /** Settles when the hook has, for every line that is complete now. */
  async push(chunk: Uint8Array): Promise<void> {
    const lines = (this.#rest + this.#decoder.write(chunk as Buffer)).split("\n");
    this.#rest = lines.pop()!;
    for (const line of lines) await this.#tell(line);
    if (this.#rest.length < longestChars) return;
    const cut = this.#rest;
    this.#rest = "";
    await this.#tell(cut);
  }

  /** What came after the last end of line. */
  async end(): Promise<void> {
    const rest = this.#rest + this.#decoder.end();
    this.#rest = "";
    if (rest !== "") await this.#tell(rest);
  }

  async #tell(line: string): Promise<void> {
    const message = line.endsWith("\r") ? line.slice(0, -1) : line;
    await this.#hook({ channel: this.#channel, message });
  }
}
