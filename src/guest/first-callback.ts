/**
 * Owns the one place from which a guest's main script runs: a callback of the event loop
 * with no JavaScript below it, as plain Node's C++ calls its main script. So an uncaught
 * error meets no `catch` of ours on its way out and keeps the place where it was thrown,
 * and ticks and microtasks run when the script has returned.
 */
import { loopStarts } from "./identity.js";
import { insteadOfTurns } from "./turns.js";
import type { InternalBinding } from "./engine-types.js";

export type StartMain = (main: () => void) => void;

/**
 * In the zygote: the way to run a function once the loop runs. Unless it is the first of all in its process,
 * the count of asynchronous resources goes on.
 */
export function prepareFirstCallback(
  internalBinding: InternalBinding,
  firstOfAll: boolean,
): StartMain {
  const { async_id_fields: ids, constants } = internalBinding("async_wrap");
  /** What a main script runs in, and where plain Node's count stands by then; src/api/environment.cc. */
  const mainAsyncId = 1;
  return (main) => {
    insteadOfTurns(() => {
      if (firstOfAll) ids[constants.kAsyncIdCounter] = mainAsyncId;
      ids[constants.kExecutionAsyncId] = mainAsyncId;
      main();
      // Not in a `finally`: an uncaught error is reported in the script's own context.
      ids[constants.kExecutionAsyncId] = 0;
      loopStarts();
    });
  };
}
