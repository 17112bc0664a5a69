/**
 * What an interactive shell needs of its terminal, and the hand-over of that terminal to jobs. Pure:
 * everything goes through `ShellTerminal`, which a system without terminals leaves out.
 */
import type { TerminalAttributes } from "../../abi/termios.js";

/** What a wait saw: `stopSignal` is 0 when the child has ended. */
export interface ChildChange {
  readonly code: number;
  readonly signal: number;
  readonly stopSignal: number;
}

/** Numbers are results or `-errno`. */
export interface ShellTerminal {
  attributes(fd: number): TerminalAttributes | number;
  setAttributes(fd: number, attributes: TerminalAttributes): number;
  size(fd: number): { readonly rows: number; readonly columns: number };
  resize(fd: number, rows: number, columns: number): number;
  foreground(fd: number): number;
  setForeground(fd: number, group: number): number;
  setProcessGroup(pid: number, group: number): number;
  /** Resolves when the child has ended, which is told once, or has stopped. */
  waitForChange(pid: number): Promise<ChildChange>;
}

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
