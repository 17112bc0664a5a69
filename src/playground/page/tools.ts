/**
 * Owns the tools of the machine: which there are, each call of one as it goes, and the answer to one that asks.
 * Untrusted: inputs, which programs choose, and names and results of the host.
 */
import type { MachineFacts, ToolCall } from "../messages.js";
import { ask, attempt, notify } from "./asking.js";
import { byId, button, element } from "./elements.js";
import { visible, visibleLine } from "./text.js";

const shownCalls = 50;

export class Tools {
  readonly #list = byId("tools", HTMLElement);
  readonly #types = byId("tool-types", HTMLElement);
  readonly #calls = byId("calls", HTMLElement);
  readonly #known = new Map<number, HTMLElement>();

  constructor() {
    const asks = byId("asks", HTMLInputElement);
    asks.addEventListener("change", () =>
      attempt(async () => void (await ask("approvals", { ask: asks.checked }))),
    );
  }

  machine({ tools, toolTypes }: MachineFacts): void {
    this.#list.replaceChildren(
      ...tools.map(({ name, description }) =>
        element("li", {}, element("code", {}, visibleLine(name)), ` ${visibleLine(description)}`),
      ),
    );
    this.#types.textContent = visible(toolTypes);
    this.#known.clear();
    this.#calls.replaceChildren();
  }

  show({ id, tool, state, input, result }: ToolCall): void {
    const row = element(
      "li",
      { className: state },
      element("strong", {}, `${visibleLine(tool)}: ${state}`),
      element("pre", {}, visible(input)),
    );
    if (result !== "") row.append(element("pre", {}, visible(result)));
    if (state === "asks") {
      const answer = (approve: boolean) => (): void =>
        attempt(async () => void (await ask("answer", { id, approve })));
      row.append(
        button("Allow", answer(true), `Allow this call of ${visibleLine(tool)}`),
        button("Refuse", answer(false), `Refuse this call of ${visibleLine(tool)}`),
      );
      notify(`A program calls the tool ${visibleLine(tool)} and waits for your answer.`);
    }
    const former = this.#known.get(id);
    if (former === undefined) this.#calls.prepend(row);
    else {
      // Whoever has answered stays where the answer was: the button is gone.
      const isHere = former.contains(document.activeElement);
      former.replaceWith(row);
      if (isHere) {
        row.tabIndex = -1;
        row.focus();
      }
    }
    this.#known.set(id, row);
    if (this.#known.size > shownCalls) {
      const [oldest, item] = this.#known.entries().next().value!;
      this.#known.delete(oldest);
      item.remove();
    }
  }
}
