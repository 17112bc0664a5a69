/**
 * Owns how many requests of one kind are with the host at a time: each line, of a machine or of what
 * it has open, has a window; the rest waits here, unsent, and goes with whoever made it.
 *
 * Invariants: what waits costs the host nothing; no line takes places of another; while the host leaves
 * unread what was sent before, nothing begins; what has waited begins in its machine's turns, and every
 * request is charged to them; a line without requests costs nothing.
 * Untrusted: how many requests there are.
 */
import { limits } from "../limits.js";
import type { Share, Source } from "../guest-door/turns.js";
import { WaitQueue } from "../io/wait-queue.js";

/** What a machine has of the kernel's time. */
export type Part = Pick<Share, "admits" | "serve" | "forget" | "charge">;

class Line implements Source {
  readonly #lines: HostLines;
  readonly key: number;
  readonly part: Part;
  running = 0;
  readonly waiting = new Set<() => void>();
  /** Woken when few of them are left. */
  readonly fewer = new WaitQueue();

  constructor(lines: HostLines, key: number, part: Part) {
    this.#lines = lines;
    this.key = key;
    this.part = part;
  }

  /** Of no process: its requests are the machine's. */
  served(): void {}

  proceed(): void {
    this.#lines.proceed(this);
  }
}

export class HostLines {
  readonly #lines = new Map<number, Line>();
  readonly #window: number;
  readonly #isBehind: () => boolean;

  constructor(window: number, isBehind: () => boolean) {
    this.#window = window;
    this.#isBehind = isBehind;
  }

  /**
   * Runs `start` when it is its turn, perhaps at once, which is then part of what the machine is doing. What it is given, and
   * answered, gives the place to the next; once.
   */
  enter(key: number, part: Part, start: (leave: () => void) => void): () => void {
    const line = this.#lines.get(key) ?? new Line(this, key, part);
    this.#lines.set(key, line);
    let counts = false;
    const leave = (): void => {
      if (!line.waiting.delete(begin) && !counts) return;
      if (counts) line.running--;
      counts = false;
      this.#advance(line);
    };
    const begin = (): void => {
      line.running++;
      counts = true;
      part.charge(limits.questionMs);
      start(leave);
    };
    line.waiting.add(begin);
    // Behind others it waits as they do.
    if (line.waiting.size === 1 && this.#mayStart(line)) this.#start(line);
    return leave;
  }

  /** While so many wait that who makes them is to make no more: what is woken when few are left. */
  crowdOf(key: number): WaitQueue | undefined {
    const line = this.#lines.get(key);
    return line !== undefined && line.waiting.size >= limits.crowd ? line.fewer : undefined;
  }

  /** The host has read what was sent: one request of each line after the other goes on. Answers whether more could at once. */
  drained(): boolean {
    let more = false;
    for (const line of this.#lines.values()) if (this.#advance(line, 1)) more = true;
    return more;
  }

  #mayStart({ running, waiting }: Line): boolean {
    return waiting.size > 0 && running < this.#window && !this.#isBehind();
  }

  #start(line: Line): void {
    const [begin] = line.waiting;
    line.waiting.delete(begin!);
    begin!();
  }

  /** Starts those that wait and may, at most `most`, or has them wait for their machine's turn. Answers whether more may. */
  #advance(line: Line, most?: number): boolean {
    const goesOn =
      this.#mayStart(line) && line.part.admits(line) ? this.proceed(line, most) : false;
    this.#look(line);
    return goesOn;
  }

  /** It is the machine's turn. Answers whether more may start. */
  proceed(line: Line, most = this.#window): boolean {
    while (most-- > 0 && this.#mayStart(line))
      if (!line.part.serve(line, () => this.#start(line))) break;
    this.#look(line);
    return this.#mayStart(line);
  }

  #look(line: Line): void {
    const { key, part, running, waiting, fewer } = line;
    if (waiting.size <= limits.crowd / 2) fewer.wakeAll();
    if (running > 0 || waiting.size > 0 || this.#lines.get(key) !== line) return;
    part.forget(line);
    this.#lines.delete(key);
  }
}
