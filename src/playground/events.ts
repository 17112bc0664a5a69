/**
 * Owns the way of events to the pages that look: what happened is kept up to a bound, so that a page which is loaded
 * again, or lost its connection, sees what another one sees.
 *
 * Invariants: events come in order, each once to each page; a page that does not read holds the programs back and
 * nothing else; what is kept has a bound.
 * Untrusted: the text in events; as JSON in one line it cannot end the event that it is in.
 */
import type { ServerResponse } from "node:http";
import type { PlaygroundEvent } from "./messages.js";

const keptBytes = 2 * 1024 * 1024;
/** So much on its way to one page is enough. */
const waitingBytes = 1024 * 1024;
/** Pages at a time. */
const mostPages = 8;

interface Kept {
  id: number;
  text: string;
}

const textOf = (id: number, event: PlaygroundEvent): string =>
  `id: ${id}\ndata: ${JSON.stringify(event)}\n\n`;

export class EventHub {
  readonly #pages = new Set<ServerResponse>();
  #kept: Kept[] = [];
  #bytes = 0;
  #next = 1;
  /** The last that was dropped for the bound's sake. */
  #dropped = 0;
  #wake: (() => void)[] = [];

  get isWatched(): boolean {
    return this.#pages.size > 0;
  }

  publish(event: PlaygroundEvent): void {
    const kept = { id: this.#next++, text: textOf(this.#next - 1, event) };
    this.#kept.push(kept);
    this.#bytes += kept.text.length;
    while (this.#bytes > keptBytes) {
      const dropped = this.#kept.shift()!;
      this.#bytes -= dropped.text.length;
      this.#dropped = dropped.id;
    }
    for (const page of this.#pages) page.write(kept.text);
  }

  /** What happened until now concerns nobody who comes later. */
  forget(): void {
    this.#kept = [];
    this.#bytes = 0;
    this.#dropped = 0;
  }

  /** Settles when all pages have room for more; undefined where they have. */
  room(): Promise<void> | undefined {
    return this.#isFull ? this.#untilRoom() : undefined;
  }

  get #isFull(): boolean {
    return [...this.#pages].some((page) => page.writableLength > waitingBytes);
  }

  async #untilRoom(): Promise<void> {
    while (this.#isFull) await new Promise<void>((resolve) => this.#wake.push(resolve));
  }

  #wakeAll(): void {
    const waiting = this.#wake;
    this.#wake = [];
    for (const wake of waiting) wake();
  }

  /** Adds a page that has seen the events up to `last`. False where there are too many. */
  attach(page: ServerResponse, last: number): boolean {
    if (this.#pages.size >= mostPages) return false;
    page.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });
    // These two are for this page alone, so they have no number.
    const unnumbered = (event: PlaygroundEvent): string => `data: ${JSON.stringify(event)}\n\n`;
    if (last < this.#dropped) page.write(unnumbered({ kind: "gap" }));
    for (const { id, text } of this.#kept) if (id > last) page.write(text);
    page.write(unnumbered({ kind: "live" }));
    this.#pages.add(page);
    page.on("drain", () => this.#wakeAll());
    page.on("close", () => {
      this.#pages.delete(page);
      this.#wakeAll();
    });
    return true;
  }

  close(): void {
    for (const page of this.#pages) page.destroy();
    this.#pages.clear();
    this.#wakeAll();
  }
}
