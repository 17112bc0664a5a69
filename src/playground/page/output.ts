/**
 * Owns what a run has written and how it ended.
 *
 * Invariants: what is shown has a bound, and the oldest goes first; a flood is drawn once a frame.
 * Untrusted: all text.
 */
import type { Bill, RunOutcome } from "../messages.js";
import { sentenceOf } from "./asking.js";
import { byId, element } from "./elements.js";
import { Hearing } from "./hearing.js";
import { sizeText, visible } from "./text.js";

const shownChars = 200_000;

type Stream = "stdout" | "stderr";

export class Output {
  readonly #pane = byId("output", HTMLElement);
  /** A line that is read out; what a program answers is beside it, and is not. */
  readonly #ended = byId("ended", HTMLElement);
  readonly #result = byId("result", HTMLElement);
  readonly #hearing = new Hearing(byId("heard", HTMLElement));
  #waiting: { stream: Stream; text: string }[] = [];
  #chars = 0;
  #frame = 0;

  clear(): void {
    this.#waiting = [];
    this.#chars = 0;
    this.#pane.replaceChildren();
    this.#ended.textContent = "";
    this.#result.replaceChildren();
    this.#hearing.begin();
  }

  add(stream: Stream, text: string): void {
    const last = this.#waiting.at(-1);
    if (last?.stream === stream) last.text = (last.text + text).slice(-shownChars);
    else this.#waiting.push({ stream, text: text.slice(-shownChars) });
    // A page that is not seen draws no frames.
    if (this.#frame === 0)
      this.#frame = window.setTimeout(() => requestAnimationFrame(() => this.#draw()), 0);
  }

  #draw(): void {
    this.#frame = 0;
    const pane = this.#pane;
    const atEnd = pane.scrollHeight - pane.scrollTop - pane.clientHeight < 40;
    for (const { stream, text } of this.#waiting.splice(0)) {
      const shown = visible(text);
      this.#chars += shown.length;
      pane.append(element("span", { className: stream }, shown));
      this.#hearing.add(shown);
    }
    while (this.#chars > shownChars && pane.childNodes.length > 1) {
      this.#chars -= pane.firstChild!.textContent!.length;
      pane.firstChild!.remove();
    }
    if (atEnd) pane.scrollTop = pane.scrollHeight;
  }

  started(): void {
    this.clear();
    this.#ended.textContent = "Running…";
  }

  ended({ exitCode, reason, value, error, bill }: RunOutcome): void {
    const how = exitCode === undefined ? reason : `exit code ${exitCode}, ${reason}`;
    const cost = bill === undefined ? "" : ` · ${costOf(bill)}`;
    const why = error === undefined ? "" : `. ${sentenceOf(error)}`;
    this.#ended.textContent = visible(`Ended: ${how}${cost}${why}`);
    this.#result.replaceChildren();
    if (value !== undefined)
      this.#result.append(
        element("p", {}, "Value:"),
        element("pre", { className: "value", id: "value" }, visible(value)),
      );
  }
}

/** What a run took, in a few words. */
function costOf({ wallMs = 0, cpuMs = 0, peakMemoryBytes = 0 }: Bill): string {
  // A run may be over before its memory was looked at.
  const memory = peakMemoryBytes === 0 ? "" : `, ${sizeText(peakMemoryBytes)} at most`;
  return `${Math.round(wallMs)} ms, ${Math.round(cpuMs)} ms of CPU${memory}`;
}
