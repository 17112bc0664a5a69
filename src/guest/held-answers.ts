/**
 * Owns the answers of a channel that is held: one whose program is told of things in the order in which it
 * asked for them, and not in which they come. See deterministic/loop.ts.
 *
 * Invariant: an answer is handed on after those of all calls made before it, but for calls that wait for
 * somebody else; those are events.
 */

/** Calls that wait for somebody else to do something, however much time that takes. */
const patient: ReadonlySet<string> = new Set(["accept", "receiveFrom", "wait", "waitState"]);

/** Whether a call waits for what is typed or sent to the process. */
const isInput = (name: string, args: { fd?: number }): boolean =>
  name === "readLine" || (name === "read" && args.fd === 0);

export class HeldAnswers {
  /** Calls in the order in which they were made, and what each is answered. */
  #asked: { answer?: () => void }[] = [];
  #unanswered = 0;
  #inputs = 0;

  /** Whether calls that are answered soon have no answer yet. */
  get awaitsAny(): boolean {
    return this.#unanswered > 0;
  }

  /** Whether the program waits for its stdin. */
  get readsInput(): boolean {
    return this.#inputs > 0;
  }

  /** A call is made: answers what is to be given its answer. `late` takes that of one who waits for others. */
  ask(
    name: string,
    args: { fd?: number },
    late: (answer: () => void) => void,
  ): (answer: () => void) => void {
    const input = isInput(name, args);
    if (input) this.#inputs++;
    if (input || patient.has(name))
      return (answer) => {
        if (input) this.#inputs--;
        late(answer);
      };
    const asked: { answer?: () => void } = {};
    this.#asked.push(asked);
    this.#unanswered++;
    return (answer) => {
      asked.answer = answer;
      this.#unanswered--;
    };
  }

  /** All answers, once none is awaited. */
  take(): (() => void)[] {
    return this.#asked.splice(0).map(({ answer }) => answer!);
  }
}
