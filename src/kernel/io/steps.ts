/**
 * Owns work over sizes that a guest chose: it is done in steps, a slice of them per turn of the
 * kernel's loop, so that nobody else waits for longer than a slice.
 *
 * Invariants: one slice runs between two looks at the kernel's sockets, whosever it is; VMs take
 * turns, whatever number of tasks each has; a cancelled task ends at its last step, its clean-up
 * included. Work is a generator: it yields wherever what it has done is consistent.
 * Untrusted: how much work there is. A single step must be bounded by whoever writes it.
 */
import { Errno } from "../../abi/errno.js";
import { Deferred } from "./deferred.js";

/** A slice of work that nobody has waited for yet, in the call itself, and every later one. */
const firstSliceMs = 1;
const sliceMs = 2;

export type Steps<R> = Generator<void, R | number, void>;

interface Task {
  /** Works for a while; true when it is done. */
  slice(): boolean;
}

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

function turn(): void {
  const next = queues.entries().next();
  if (next.done === true) return;
  const [owner, tasks] = next.value;
  queues.delete(owner);
  const [task] = tasks;
  tasks.delete(task!);
  if (!task!.slice()) tasks.add(task!);
  const added = queues.get(owner);
  if (added !== undefined) for (const one of added) tasks.add(one);
  // Behind the others.
  queues.delete(owner);
  if (tasks.size > 0) queues.set(owner, tasks);
}

/** Works until the time is over; the result when there is one. */
function work<R>(steps: Steps<R>, forMs: number): IteratorResult<void, R | number> {
  const until = performance.now() + forMs;
  for (;;) {
    const step = steps.next();
    if (step.done === true || performance.now() >= until) return step;
  }
}

/** The result of `steps`: at once when they are few, otherwise later. `owner` is the VM's account. */
export function inSteps<R>(owner: object, steps: Steps<R>): R | number | Deferred<R> {
  const first = work(steps, firstSliceMs);
  if (first.done === true) return first.value;
  const deferred = new Deferred<R>();
  let running = false;
  const task: Task = {
    slice() {
      running = true;
      try {
        const { done, value } = work(steps, sliceMs);
        if (done === true) deferred.settle(value as R | number);
      } catch {
        // Of one call, not of everybody's kernel.
        deferred.settle(-Errno.EIO);
      }
      running = false;
      if (deferred.settled) steps.return(0);
      return deferred.settled;
    },
  };
  const tasks = queues.get(owner);
  if (tasks === undefined) queues.set(owner, new Set([task]));
  else tasks.add(task);
  deferred.onCancel(() => {
    const own = queues.get(owner);
    if (own?.delete(task) === true && own.size === 0) queues.delete(owner);
    if (!running) steps.return(0);
  });
  schedule();
  return deferred;
}

/** All of it now: for the host's own calls, and where sizes are known. */
export function atOnce<R>(steps: Steps<R>): R | number {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}
