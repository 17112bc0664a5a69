/**
 * Owns the one place from which a guest's main script runs: a callback of the event loop
 * with no JavaScript below it, as plain Node's C++ calls its main script. So an uncaught
 * error meets no `catch` of ours on its way out and keeps the place where it was thrown,
 * and ticks and microtasks run when the script has returned.
 *
 * The engine calls a function of JavaScript for all immediates; for one call it is another.
 */
import { loopStarts } from "./identity.js";

export type StartMain = (main: () => void) => void;

const noop = (): void => {};

/**
 * In the zygote: the way to run a function once the loop runs. Unless it is the first of all in its process,
 * the count of asynchronous resources goes on.
 */
export function prepareFirstCallback(
  internalBinding: (name: string) => any,
  requireBuiltin: (id: string) => any,
  firstOfAll: boolean,
): StartMain {
  const { setupTimers } = internalBinding("timers");
  const { setImmediate, clearImmediate } = requireBuiltin("timers");
  const { async_id_fields: ids, constants } = internalBinding("async_wrap");
  // The closures over Node's own lists are new ones; the lists are those of the module.
  const { processImmediate, processTimers } = requireBuiltin("internal/timers").getTimerCallbacks(
    (process as unknown as { _tickCallback: () => void })._tickCallback,
  );
  /** What a main script runs in, and where plain Node's count stands by then; src/api/environment.cc. */
  const mainAsyncId = 1;
  return (main) => {
    const woken = setImmediate(noop);
    setupTimers(() => {
      setupTimers(processImmediate, processTimers);
      clearImmediate(woken);
      if (firstOfAll) ids[constants.kAsyncIdCounter] = mainAsyncId;
      ids[constants.kExecutionAsyncId] = mainAsyncId;
      main();
      // Not in a `finally`: an uncaught error is reported in the script's own context.
      ids[constants.kExecutionAsyncId] = 0;
      loopStarts();
    }, processTimers);
  };
}
