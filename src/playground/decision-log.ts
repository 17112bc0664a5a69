/**
 * Owns decisions on their way to the page: gathered for a moment, and of a flood the first of each moment.
 *
 * Invariants: what is not shown is counted; nothing is kept longer than a moment.
 * Untrusted: the resources, which programs name.
 */
import type { NodeRuntimeDecision } from "../index.js";
import type { DecisionRow } from "./messages.js";

const momentMs = 50;
const rowsPerMoment = 100;
const resourceChars = 500;

export class DecisionLog {
  readonly #tell: (rows: DecisionRow[], skipped: number) => void;
  #rows: DecisionRow[] = [];
  #skipped = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(tell: (rows: DecisionRow[], skipped: number) => void) {
    this.#tell = tell;
  }

  add(made: NodeRuntimeDecision): void {
    const { time, scope, operation, resource, decision, wouldDeny, rule, process } = made;
    this.#timer ??= setTimeout(() => this.flush(), momentMs);
    if (this.#rows.length >= rowsPerMoment) {
      this.#skipped++;
      return;
    }
    this.#rows.push({
      time,
      answer: wouldDeny === true ? "would deny" : decision,
      operation: `${scope}.${operation}`,
      resource: resource.slice(0, resourceChars),
      rule: String(rule),
      by: `${process.argv0.slice(0, resourceChars)} (${process.pid})`,
    });
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const [rows, skipped] = [this.#rows, this.#skipped];
    this.clear();
    if (rows.length > 0) this.#tell(rows, skipped);
  }

  clear(): void {
    this.#rows = [];
    this.#skipped = 0;
  }
}
