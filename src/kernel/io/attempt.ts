/**
 * Owns calls that need answers from outside the kernel process before they can be served: where one is
 * missing, the call is given up as a `Suspension`, and run again from its start when the answer is there.
 *
 * Invariants: a call changes nothing of the kernel's own before its last question is answered; an answer
 * is given to the question that it was asked for, in the order in which they were asked, or not at all; a
 * change that was made outside is not asked for twice: where a call finds itself elsewhere after one, it
 * ends with EIO. What was decided on the way is not decided once more. Where no call runs, questions
 * are answered EIO.
 * Untrusted: how many questions a call leads to, which is bounded.
 */
import { Errno } from "../../abi/errno.js";
import { limits } from "../limits.js";
import { Deferred } from "./deferred.js";

interface Question {
  /** What is asked, or how to tell it: most calls are never run again. An object by what JSON has of it. */
  readonly key: string | (() => string) | object;
  /** Whether it changes something outside. */
  readonly changes: boolean;
}

/** Thrown where an answer is missing. Who holds something meanwhile gives it back and throws it on. */
class Suspension {
  readonly question: Question;
  readonly answer: Deferred<unknown>;

  constructor(question: Question, answer: Deferred<unknown>) {
    this.question = question;
    this.answer = answer;
  }
}

function textOf({ key }: Question): string {
  if (typeof key === "string") return key;
  return typeof key === "function" ? (key as () => string)() : JSON.stringify(key);
}

/** One call, and what it has been answered so far. */
class Attempt {
  readonly #log: (Question & { readonly answer: unknown })[] = [];
  /** What its first run said before anything else. Most calls say one thing and are never run again: no log is made for that. */
  #said: object | undefined;
  /** How much of the log the present run has used. */
  #at = 0;

  /** Runs `work`; a `Suspension` when an answer is missing, which goes to `learn` once it is there. */
  run<R>(work: () => R): R | Suspension {
    this.#at = 0;
    return within(this, work);
  }

  learn({ question }: Suspension, answer: unknown): void {
    this.#unpack();
    this.#log.push({ ...question, answer });
  }

  ask<R>(question: Question, begin: () => R | number | Deferred<R>): R | number {
    this.#unpack();
    const known = this.#next(question);
    if (known !== undefined) return known.answer as R | number;
    if (this.#log.length > this.#at || this.#log.length >= limits.questionsOfCall)
      return -Errno.EIO;
    const answer = begin();
    if (answer instanceof Deferred) throw new Suspension(question, answer as Deferred<unknown>);
    this.#keep(question, answer);
    return answer;
  }

  decide<R>(question: Question, decision: () => R | Deferred<R>): R | Deferred<R> {
    this.#unpack();
    const known = this.#next(question);
    if (known !== undefined) return known.answer as R;
    const answer = decision();
    if (this.#log.length === this.#at && !(answer instanceof Deferred))
      this.#keep(question, answer);
    return answer;
  }

  /** Whether no earlier run has said this at this place. */
  isNew(said: object): boolean {
    if (this.#log.length === 0 && this.#said === undefined) {
      this.#said = said;
      return true;
    }
    this.#unpack();
    if (this.#log.length > this.#at && this.#next({ key: said, changes: false }) !== undefined)
      return false;
    if (this.#log.length === this.#at) {
      this.#log.push({ key: said, changes: false, answer: 0 });
      this.#at++;
    }
    return true;
  }

  /** Puts what was said first where it belongs, before anything else is looked up or put there. */
  #unpack(): void {
    if (this.#said === undefined) return;
    this.#log.push({ key: this.#said, changes: false, answer: 0 });
    this.#at++;
    this.#said = undefined;
  }

  #keep({ key, changes }: Question, answer: unknown): void {
    this.#log.push({ key, changes, answer });
    this.#at++;
  }

  /** What `question` was answered in an earlier run. */
  #next(question: Question): { readonly answer: unknown } | undefined {
    const known = this.#log[this.#at];
    if (known === undefined) return undefined;
    if (textOf(known) === textOf(question)) {
      this.#at++;
      return known;
    }
    // It goes another way than before: names stand for something else by now. After a change there is no other.
    if (!this.#log.slice(this.#at).some(({ changes }) => changes)) this.#log.length = this.#at;
    return undefined;
  }
}

let current: Attempt | undefined;

function within<R>(attempt: Attempt, work: () => R): R | Suspension {
  const before = current;
  current = attempt;
  try {
    return work();
  } catch (error) {
    if (error instanceof Suspension) return error;
    throw error;
  } finally {
    current = before;
  }
}

/** What `begin` answers, which is asked once per call. */
export function ask<R>(
  key: string,
  changes: boolean,
  begin: () => R | number | Deferred<R>,
): R | number {
  return current === undefined ? -Errno.EIO : current.ask({ key, changes }, begin);
}

/** What `decision` comes to, once per call where it is there at once. */
export function decidedOnce<R>(
  key: () => string,
  decision: () => R | Deferred<R>,
): R | Deferred<R> {
  return current === undefined ? decision() : current.decide({ key, changes: false }, decision);
}

/** Whether `said` is said for the first time by the call that runs. */
export function isNew(said: object): boolean {
  return current === undefined || current.isNew(said);
}

/** What `work` answers, which is run again as often as it is suspended. */
export function attempted<R>(work: () => R): R | Deferred<R> {
  const attempt = new Attempt();
  const first = attempt.run(work);
  if (!(first instanceof Suspension)) return first;
  const later = new Deferred<R>();
  const wait = (suspension: Suspension): void => {
    later.onCancel(() => suspension.answer.cancel());
    suspension.answer.whenSettled((answer) => {
      attempt.learn(suspension, answer);
      let next: R | Suspension | number;
      try {
        next = attempt.run(work);
      } catch {
        // Of one call, not of everybody's kernel.
        next = -Errno.EIO;
      }
      if (next instanceof Suspension) wait(next);
      else later.follow(next);
    });
  };
  wait(first);
  return later;
}

/** As `attempted`, for calls of the host, whose failures are thrown. */
export function attemptedForHost<R>(work: () => R | Promise<R>): R | Promise<R> {
  const attempt = new Attempt();
  const first = attempt.run(work);
  if (!(first instanceof Suspension)) return first;
  return new Promise<R>((resolve, reject) => {
    const wait = (suspension: Suspension): void =>
      suspension.answer.whenSettled((answer) => {
        attempt.learn(suspension, answer);
        try {
          const next = attempt.run(work);
          if (next instanceof Suspension) wait(next);
          else resolve(next);
        } catch (error) {
          reject(error as Error);
        }
      });
    wait(first);
  });
}
