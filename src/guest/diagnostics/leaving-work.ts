/**
 * Owns what diagnostics have to do before a guest leaves. The process ends by _exit,
 * so nothing of C++ does it. Runs in the guest, once; a task that fails is said on stderr
 * and keeps none of the others from running.
 */

interface Task {
  name: string;
  run(): void;
}

const beforeExit: Task[] = [];
const onFatal: ((error: unknown) => void)[] = [];

/** `run` is called after the last listener of `exit`. */
export function atLeaving(name: string, run: () => void): void {
  beforeExit.push({ name, run });
}

/** Told of an error that nobody caught, before it is reported. */
export function atFatalError(run: (error: unknown) => void): void {
  onFatal.push(run);
}

export const hasLeavingWork = (): boolean => beforeExit.length > 0;

export function leavingWork(complain: (text: string) => void): void {
  for (let task = beforeExit.shift(); task !== undefined; task = beforeExit.shift()) {
    try {
      task.run();
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      complain(`${task.name}: ${why}\n`);
    }
  }
}

export function fatalWork(error: unknown): void {
  onFatal.forEach((run) => run(error));
}
