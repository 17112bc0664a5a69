/**
 * Owns the permissions of the machine and the table of decisions as they fall.
 *
 * Invariant: the table has a bound; what is not in it is counted.
 * Untrusted: resources and names of processes, which programs choose.
 */
import type { DecisionRow, MachineFacts } from "../messages.js";
import { ask, attempt, notify } from "./asking.js";
import { byId, element } from "./elements.js";
import { visibleLine } from "./text.js";

const shownRows = 500;

export class Permissions {
  readonly #text = byId("permissions", HTMLTextAreaElement);
  readonly #learns = byId("learns", HTMLInputElement);
  readonly #learned = byId("learned-form", HTMLElement);
  readonly #rows = byId("decisions", HTMLElement);
  readonly #count = byId("decisions-count", HTMLElement);
  readonly #onlyDenied = byId("only-denied", HTMLInputElement);
  #made: DecisionRow[] = [];
  #unshown = 0;

  constructor() {
    byId("new-machine", HTMLButtonElement).addEventListener("click", () => this.#apply());
    byId("show-learned", HTMLButtonElement).addEventListener("click", () => this.#showLearned());
    this.#onlyDenied.addEventListener("change", () => this.#draw());
  }

  #apply(): void {
    attempt(async () => {
      await ask("machine", { permissions: this.#text.value, learns: this.#learns.checked });
      notify("A new machine is there.");
    });
  }

  #showLearned(): void {
    attempt(async () => {
      const { permissions } = await ask("learned", { generalize: false });
      this.#text.value = permissions;
      this.#learns.checked = false;
      notify("What was learned is in the field; make a new machine to try it.");
    });
  }

  machine({ permissions, learns }: MachineFacts): void {
    if (!learns) this.#text.value = permissions;
    this.#learns.checked = learns;
    this.#learned.hidden = !learns;
    this.#made = [];
    this.#unshown = 0;
    this.#draw();
  }

  add(rows: readonly DecisionRow[], skipped: number): void {
    this.#made.push(...rows);
    this.#unshown += skipped;
    const over = this.#made.length - shownRows;
    if (over > 0) {
      this.#made.splice(0, over);
      this.#unshown += over;
    }
    this.#draw();
  }

  #draw(): void {
    const wanted = this.#onlyDenied.checked
      ? this.#made.filter(({ answer }) => answer !== "allow")
      : this.#made;
    // The newest first: nobody has to scroll to see what happens.
    this.#rows.replaceChildren(...wanted.toReversed().map(rowOf));
    const denied = this.#made.filter(({ answer }) => answer !== "allow").length;
    const earlier = this.#unshown > 0 ? `, and ${this.#unshown} that are not shown` : "";
    this.#count.textContent = `${this.#made.length} decisions, ${denied} of them denials${earlier}`;
  }
}

function rowOf({ answer, operation, resource, rule, by }: DecisionRow): HTMLElement {
  return element(
    "tr",
    { className: answer.replace(" ", "-") },
    element("td", {}, answer),
    element("td", {}, visibleLine(operation)),
    element("td", { className: "resource" }, visibleLine(resource)),
    element("td", {}, visibleLine(rule)),
    element("td", {}, visibleLine(by)),
  );
}
