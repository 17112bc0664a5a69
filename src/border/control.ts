/**
 * Owns the border's conversation with the kernel: lines of JSON over one connection. Each request is put
 * to the kernel before a byte of it leaves, and goes only with what the kernel answers.
 *
 * Untrusted: nothing; the kernel is at the other end. What is asked holds what programs wrote.
 */
import type { Socket } from "node:net";
import { createInterface } from "node:readline";
import type { Answer, Question, Setting, Verdict } from "./wire.js";

type Line = { setting: Setting } | Answer;

const newline = 0x0a;

/** The first line; what follows it is put back, and the socket is paused. */
export function readFirstLine(socket: Socket, take: (line: string) => void): void {
  let held = Buffer.alloc(0);
  const onData = (chunk: Buffer): void => {
    held = Buffer.concat([held, chunk]);
    const end = held.indexOf(newline);
    if (end === -1) return;
    socket.off("data", onData);
    socket.pause();
    if (end + 1 < held.length) socket.unshift(held.subarray(end + 1));
    take(held.toString("utf8", 0, end));
  };
  socket.on("data", onData);
}

export class Control {
  readonly #socket: Socket;
  readonly #waiting = new Map<number, (verdict: Verdict) => void>();
  #last = 0;
  readonly setting: Promise<Setting>;

  /** `socket` gives lines; without the kernel there is nothing left to do. */
  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("close", () => process.exit(1));
    let settle: (setting: Setting) => void = () => {};
    this.setting = new Promise((resolve) => (settle = resolve));
    createInterface({ input: socket }).on("line", (line) => {
      const said = JSON.parse(line) as Line;
      if ("setting" in said) settle(said.setting);
      else {
        this.#waiting.get(said.answer)?.(said);
        this.#waiting.delete(said.answer);
      }
    });
  }

  ask(question: Question): Promise<Verdict> {
    const ask = ++this.#last;
    return new Promise((resolve) => {
      this.#waiting.set(ask, resolve);
      this.#socket.write(`${JSON.stringify({ ask, ...question })}\n`);
    });
  }
}
