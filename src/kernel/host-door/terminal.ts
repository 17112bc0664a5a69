/**
 * Owns the host's side of a program's terminal: what the host types goes in as there is room, what the
 * screen is to show goes out within the host's window.
 *
 * Invariants: bytes keep their order; what the host typed and the terminal had no room for waits in the
 * program's stdin buffer; at the program's end all that was written has been handed over.
 * Untrusted: output.
 */
import { ControlCharacter } from "../../abi/termios.js";
import type { Terminal } from "../io/terminal.js";
import type { HostInput, HostOutput } from "../io/host-stream.js";

const pieceBytes = 64 * 1024;

export class HostTerminal {
  readonly terminal: Terminal;
  readonly #input: HostInput;
  readonly #output: HostOutput;
  #typed: Uint8Array | undefined;
  #closed = false;

  constructor(terminal: Terminal, input: HostInput, output: HostOutput) {
    this.terminal = terminal;
    this.#input = input;
    this.#output = output;
    this.#type();
    this.#show();
  }

  /** The host's keys, as far as somebody reads them. */
  readonly #type = (): void => {
    const { master } = this.terminal;
    while (!this.#closed) {
      if (this.#typed === undefined) {
        const data = this.#input.read(pieceBytes);
        if (typeof data === "number") return void this.#input.readable.add(this.#type);
        if (data.byteLength === 0) return this.#endOfInput();
        this.#typed = data;
      }
      const taken = master.write(this.#typed);
      if (taken < 0) return void master.writable.add(this.#type);
      this.#typed = taken < this.#typed.byteLength ? this.#typed.subarray(taken) : undefined;
    }
  };

  /** The host types no more: ^D, as somebody at a keyboard would say so. The terminal stays. */
  #endOfInput(): void {
    const { discipline, master } = this.terminal;
    if (!discipline.isCanonical) return;
    const end = discipline.attributes.cc.subarray(ControlCharacter.VEOF, ControlCharacter.VEOF + 1);
    if (master.write(end) < 0) master.writable.add(() => this.#endOfInput());
  }

  readonly #show = (): void => {
    const { master } = this.terminal;
    while (!this.#closed) {
      const room = this.#output.room;
      if (room <= 0) return void this.#output.writable.add(this.#show);
      const data = master.read(Math.min(room, pieceBytes));
      // Not at once: what is typed and written together goes out together.
      if (typeof data === "number")
        return void master.readable.add(() => queueMicrotask(this.#show));
      this.#output.forward(data, () => undefined);
    }
  };

  /** The program has ended: what it wrote goes out whatever the window says, and its line is cut. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const { master } = this.terminal;
    for (;;) {
      const data = master.read(pieceBytes);
      if (typeof data === "number") break;
      this.#output.forward(data, () => undefined);
    }
    master.unref();
    this.#input.unref();
  }
}
