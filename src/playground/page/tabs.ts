/**
 * Owns the tabs beside the editor, after the pattern of the ARIA Authoring Practices: one tab stop, arrows between tabs.
 * Untrusted: nothing.
 */
import { byId } from "./elements.js";

export class Tabs {
  readonly #tabs: HTMLElement[];
  readonly #shown = new Map<string, () => void>();

  constructor(list: HTMLElement) {
    this.#tabs = [...list.querySelectorAll<HTMLElement>("[role=tab]")];
    for (const tab of this.#tabs) {
      tab.addEventListener("click", () => this.#select(tab));
      tab.addEventListener("keydown", (event) => this.#key(event, tab));
    }
  }

  /** Calls `listener` each time the panel of that name is shown. */
  whenShown(name: string, listener: () => void): void {
    this.#shown.set(`tab-${name}`, listener);
  }

  select(name: string): void {
    this.#select(byId(`tab-${name}`, HTMLElement));
  }

  #key(event: KeyboardEvent, tab: HTMLElement): void {
    const at = this.#tabs.indexOf(tab);
    const last = this.#tabs.length - 1;
    const places: Record<string, number> = {
      ArrowRight: at === last ? 0 : at + 1,
      ArrowLeft: at === 0 ? last : at - 1,
      Home: 0,
      End: last,
    };
    const place = places[event.key];
    if (place === undefined) return;
    event.preventDefault();
    this.#select(this.#tabs[place]!);
    this.#tabs[place]!.focus();
  }

  #select(chosen: HTMLElement): void {
    for (const tab of this.#tabs) {
      const isChosen = tab === chosen;
      tab.setAttribute("aria-selected", String(isChosen));
      tab.tabIndex = isChosen ? 0 : -1;
      byId(tab.getAttribute("aria-controls")!, HTMLElement).hidden = !isChosen;
    }
    this.#shown.get(chosen.id)?.();
  }
}
