/** Owns what `process` has beyond what is documented: C++ and Node's own JavaScript find each other there. */

interface EngineProcess {
  reallyExit(code?: number): never;
  /** Runs ticks and microtasks. */
  _tickCallback(): void;
  _rawDebug(...args: unknown[]): void;
  /** C++ calls it for an error that nobody caught. */
  _fatalException: unknown;
  binding: unknown;
  /** In a slot that has a private symbol for a name. */
  [slot: symbol]: unknown;
}

export const engineProcess = process as unknown as EngineProcess;
