/**
 * Owns how many requests of one kind are with the host at a time: each line, of a machine or of what
 * it has open, has a window; the rest waits here, unsent, and goes with whoever made it.
 *
 * Invariants: what waits costs the host nothing; no line takes places of another; while the host leaves
 * unread what was sent before, nothing begins; a line without requests costs nothing.
 * Untrusted: how many requests there are.
 */
import { limits } from "../limits.js";
import { WaitQueue } from "../io/wait-queue.js";

interface Line {
  running: number;
  readonly waiting: Set<() => void>;
  /** Woken when few of them are left. */
  readonly fewer: WaitQueue;
}

export class HostLines {
  readonly #lines = new Map<number, Line>();
  readonly #window: number;
  readonly #isBehind: () => boolean;

  constructor(window: number, isBehind: () => boolean) {
    this.#window = window;
    this.#isBehind = isBehind;
  }

  /** Runs `start` when it is its turn, perhaps at once. What it is given, and answered, gives the place to the next; once. */
  enter(key: number, start: (leave: () => void) => void): () => void {
    const line: Line = this.#lines.get(key) ?? {
      running: 0,
      waiting: new Set(),
      fewer: new WaitQueue(),
    };
    this.#lines.set(key, line);
    let counts = false;
    const leave = (): void => {
      if (!line.waiting.delete(begin) && !counts) return;
      if (counts) line.running--;
      counts = false;
      this.#advance(key, line);
    };
    const begin = (): void => {
      line.running++;
      counts = true;
      start(leave);
    };
    line.waiting.add(begin);
    this.#advance(key, line);
    return leave;
  }

  /** While so many wait that who makes them is to make no more: what is woken when few are left. */
  crowdOf(key: number): WaitQueue | undefined {
    const line = this.#lines.get(key);
    return line !== undefined && line.waiting.size >= limits.crowd ? line.fewer : undefined;
  }

  /** The host has read what was sent: one request of each line after the other goes on. Answers whether more could. */
  drained(): boolean {
    for (const [key, line] of this.#lines) this.#advance(key, line, 1);
    return [...this.#lines.values()].some((line) => this.#mayStart(line));
  }

  #mayStart({ running, waiting }: Line): boolean {
    return waiting.size > 0 && running < this.#window && !this.#isBehind();
  }

  /** Starts those that wait and may, at most `most`. */
  #advance(key: number, line: Line, most: number = this.#window): void {
    for (const begin of line.waiting) {
      if (most-- === 0 || !this.#mayStart(line)) break;
      line.waiting.delete(begin);
      begin();
    }
    if (line.waiting.size <= limits.crowd / 2) line.fewer.wakeAll();
    if (line.running === 0 && line.waiting.size === 0) this.#lines.delete(key);
  }
}
