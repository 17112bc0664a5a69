/**
 * Owns work over sizes that a guest chose: it is done in steps, a slice of them per turn of the
 * kernel's loop, so that nobody else waits for longer than a slice.
 *
 * Invariants: one slice runs between two looks at the kernel's sockets, whosever it is; VMs take
 * turns, whatever number of tasks each has; a cancelled task ends at its last step, its clean-up
 * included. Work is a generator: it yields wherever what it has done is consistent, and yields a `Wait`
 * where it cannot go on yet. Before its first yield it is a part of the call that begins it.
 * Untrusted: how much work there is. A single step must be bounded by whoever writes it.
 */
import { Errno } from "../../abi/errno.js";
import { attempted } from "./attempt.js";
import { Deferred } from "./deferred.js";

/** A slice of work that nobody has waited for yet, in the call itself, and every later one. */
const firstSliceMs = 1;
const sliceMs = 2;

/** What a piece of work waits for. */
interface Wait {
  begin(goOn: () => void): void;
  cancel(): void;
}

export type Steps<R> = Generator<Wait | undefined, R | number, void>;

/** In work: the answer, once it is there. */
export function* settled<R>(answer: R | number | Deferred<R>): Generator<Wait, R | number, void> {
  if (!(answer instanceof Deferred)) return answer;
  let result: R | number = -Errno.EIO;
  yield {
    begin: (goOn) =>
      answer.whenSettled((late) => {
        result = late;
        goOn();
      }),
    cancel: () => answer.cancel(),
  };
  return result;
}

/** In work, after its first step: what `step` comes to, which may have to ask outside. */
export function step<R>(work: () => R): Generator<Wait, R | number, void> {
  return settled(attempted(work));
}

/** A task answers true when nothing of it is left to do now. */
type Task = () => boolean;

/** Tasks by VM, in the order in which VMs have their turns. */
const queues = new Map<object, Set<Task>>();
let scheduled = false;

function schedule(): void {
  if (scheduled || queues.size === 0) return;
  scheduled = true;
  setImmediate(() => {
    scheduled = false;
    turn();
    schedule();
  });
}

function enqueue(owner: object, task: Task): void {
  const tasks = queues.get(owner);
  if (tasks === undefined) queues.set(owner, new Set([task]));
  else tasks.add(task);
  schedule();
}

function turn(): void {
  const next = queues.entries().next();
  if (next.done === true) return;
  const [owner, tasks] = next.value;
  queues.delete(owner);
  const [task] = tasks;
  tasks.delete(task!);
  if (!task!()) tasks.add(task!);
  const added = queues.get(owner);
  if (added !== undefined) for (const one of added) tasks.add(one);
  // Behind the others.
  queues.delete(owner);
  if (tasks.size > 0) queues.set(owner, tasks);
}

type Step<R> = IteratorResult<Wait | undefined, R | number>;

/** Works until the time is over, or it has to wait; the result when there is one. */
function work<R>(steps: Steps<R>, forMs: number): Step<R> {
  const until = performance.now() + forMs;
  for (;;) {
    const one = steps.next();
    if (one.done === true || one.value !== undefined || performance.now() >= until) return one;
  }
}

/** The result of `steps`: at once when they are few, otherwise later. `owner` is the VM's account. */
export function inSteps<R>(owner: object, steps: Steps<R>): R | number | Deferred<R> {
  return goOn(owner, steps, work(steps, firstSliceMs));
}

function goOn<R>(owner: object, steps: Steps<R>, first: Step<R>): R | number | Deferred<R> {
  if (first.done === true) return first.value;
  const deferred = new Deferred<R>();
  let running = false;
  let cancelWait: (() => void) | undefined;
  const task: Task = () => {
    running = true;
    let waits = false;
    try {
      const one = work(steps, sliceMs);
      if (one.done === true) deferred.settle(one.value);
      else if (one.value !== undefined) waits = wait(one.value);
    } catch {
      // Of one call, not of everybody's kernel.
      deferred.settle(-Errno.EIO);
    }
    running = false;
    if (deferred.settled) steps.return(0);
    return waits || deferred.settled;
  };
  const wait = (one: Wait): true => {
    cancelWait = () => one.cancel();
    one.begin(() => {
      cancelWait = undefined;
      if (!deferred.settled) enqueue(owner, task);
    });
    return true;
  };
  deferred.onCancel(() => {
    cancelWait?.();
    const own = queues.get(owner);
    if (own?.delete(task) === true && own.size === 0) queues.delete(owner);
    if (!running) steps.return(0);
  });
  if (first.value === undefined) enqueue(owner, task);
  else wait(first.value);
  return deferred;
}

/** All of it now, where sizes are known and nothing has to be waited for. */
export function atOnce<R>(steps: Steps<R>): R | number {
  for (;;) {
    const one = steps.next();
    if (one.done === true) return one.value;
    if (one.value !== undefined) {
      one.value.cancel();
      steps.return(0);
      return -Errno.EIO;
    }
  }
}
