/** Owns the hand-over of an interactive shell's terminal to its jobs. */

/**
 * A foreground job as it runs: one process group with the terminal. Its processes are started by
 * several environments at once, which share this.
 */
export class ForegroundJob {
  /** The first process's pid, once there is one. */
  group = 0;
  #stopped: ((signal: number) => void) | undefined;

  /** Resolves with the signal, the next time one of its processes stops. */
  nextStop(): Promise<number> {
    return new Promise((resolve) => (this.#stopped = resolve));
  }

  stopped(signal: number): void {
    this.#stopped?.(signal);
  }
}
