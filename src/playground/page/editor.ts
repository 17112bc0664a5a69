/**
 * Owns the editor: a text area that every screen reader knows, line numbers beside it, and, if wanted, a Tab key that
 * indents.
 * Untrusted: text of a file that is edited, which is a value of a field and nothing else.
 */
import { byId } from "./elements.js";

export class Editor {
  readonly #area = byId("source", HTMLTextAreaElement);
  readonly #lines = byId("lines", HTMLElement);
  readonly #indents = byId("indents", HTMLInputElement);

  constructor() {
    this.#area.addEventListener("input", () => this.#number());
    this.#area.addEventListener("scroll", () => {
      this.#lines.scrollTop = this.#area.scrollTop;
    });
    this.#area.addEventListener("keydown", (event) => {
      if (event.key !== "Tab" || event.shiftKey || !this.#indents.checked) return;
      event.preventDefault();
      const { selectionStart, selectionEnd } = this.#area;
      this.#area.setRangeText("  ", selectionStart, selectionEnd, "end");
    });
    this.#number();
  }

  get text(): string {
    return this.#area.value;
  }

  set text(text: string) {
    this.#area.value = text;
    this.#number();
  }

  #number(): void {
    const count = this.#area.value.split("\n").length;
    this.#lines.textContent = Array.from({ length: count }, (_, line) => line + 1).join("\n");
  }
}
