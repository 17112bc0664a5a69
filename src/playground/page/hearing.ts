/**
 * Owns what a screen reader reads out of a program's output: the newest of it, now and then.
 *
 * Invariants: a run has a bound of sentences and each has one of characters, whatever the program writes; all of the
 * output is in the pane, which is read when its reader wants.
 * Untrusted: the text.
 */

const pauseMs = 1000;
const mostSentences = 8;
const mostChars = 300;

export class Hearing {
  readonly #line: HTMLElement;
  #text = "";
  #isCut = false;
  #said = 0;
  #timer = 0;

  /** `line` is a live region. */
  constructor(line: HTMLElement) {
    this.#line = line;
  }

  /** Of another run. */
  begin(): void {
    window.clearTimeout(this.#timer);
    [this.#text, this.#isCut, this.#said, this.#timer] = ["", false, 0, 0];
    this.#line.textContent = "";
  }

  add(text: string): void {
    if (this.#said === mostSentences) return;
    const all = this.#text + text;
    this.#isCut ||= all.length > mostChars;
    this.#text = all.slice(-mostChars);
    if (this.#timer === 0) this.#timer = window.setTimeout(() => this.#say(), pauseMs);
  }

  #say(): void {
    this.#timer = 0;
    const text = this.#text.trim();
    const before = this.#isCut ? "More output, which ends: " : "";
    [this.#text, this.#isCut] = ["", false];
    if (text === "") return;
    const isLast = ++this.#said === mostSentences;
    this.#line.textContent = before + text + (isLast ? " What follows is not read out." : "");
  }
}
