/**
 * Owns the snippets of a resident runner: each is an ES module of its own, globals are what
 * they share, and an error that nobody handles belongs to the snippet that made it.
 *
 * Invariants: every snippet is answered once, when its module has been evaluated or its first
 * error went unhandled, whichever comes first: there, plain Node would have ended. The process
 * outlives both. An error that comes later has no answer to be in and is dropped.
 * Untrusted: snippets share a realm; whose an error is, they can forge.
 */
import type { StartOptions } from "../protocol/guest-calls.js";
import type { EngineTools } from "./environment.js";
import type { Channel } from "./channel.js";
import type { Leaving } from "./leaving.js";
import { stripTypes } from "./type-script.js";

export interface ResidentTools extends EngineTools {
  channel: Channel;
  leaving: Leaving;
}

interface Snippet {
  sequence: number;
  failed: boolean;
  answered: boolean;
}

/** Evaluates what the kernel sends as modules below `base`, a URL. */
export function runResident(
  { channel, leaving, internalBinding, requireBuiltin }: ResidentTools,
  { language }: Pick<StartOptions, "language">,
  base: string,
): void {
  const loader = requireBuiltin("internal/modules/esm/loader").getOrInitializeCascadedLoader();
  const { addUncaughtExceptionCaptureCallback } = requireBuiltin("internal/process/execution");
  const { getErrorSourcePositions } = internalBinding("errors");
  const { setImmediate } = requireBuiltin("timers");
  const author = new (requireBuiltin("async_hooks").AsyncLocalStorage)();
  let latest: Snippet | undefined;
  const urlOf = (sequence: number): string => `${base}?snippet=${sequence}`;

  const answer = (snippet: Snippet): void => {
    if (snippet.answered) return;
    snippet.answered = true;
    const { sequence, failed } = snippet;
    // Modules of finished snippets must not pile up in the loader's cache.
    loader.loadCache.delete(urlOf(sequence));
    channel.event("residentDone", { sequence, exitCode: failed ? 1 : 0 });
  };
  const fail = (snippet: Snippet, error: unknown): void => {
    if (snippet.failed || snippet.answered) return;
    snippet.failed = true;
    channel.writeErrorReport(leaving.report(error));
  };

  /** A promise knows where it was made; what a timer throws has left its context, but not its script. */
  const authorOf = (error: unknown): Snippet | undefined => {
    const known = author.getStore() as Snippet | undefined;
    if (known !== undefined || latest === undefined) return known;
    const { scriptResourceName: script } = getErrorSourcePositions(error) ?? {};
    const elsewhere = String(script).startsWith(urlOf(0).slice(0, -1));
    return elsewhere && script !== urlOf(latest.sequence) ? undefined : latest;
  };
  addUncaughtExceptionCaptureCallback((error: unknown): boolean => {
    if (process.listenerCount("uncaughtException") > 0) return false;
    const snippet = authorOf(error);
    if (snippet !== undefined) {
      fail(snippet, error);
      setImmediate(answer, snippet);
    }
    return true;
  });

  channel.ref();
  channel.on("residentExec", ({ sequence, source }) => {
    const snippet: Snippet = { sequence, failed: false, answered: false };
    latest = snippet;
    const evaluate = (): Promise<unknown> =>
      loader.eval(
        language === "ts" ? stripTypes(requireBuiltin, source) : source,
        urlOf(sequence),
        false,
      );
    // Rejections that nobody handles by the end of the turn come before the answer.
    const finish = (): void => void setImmediate(answer, snippet);
    author
      .run(snippet, async () => evaluate())
      .then(finish, (error: unknown) => {
        fail(snippet, error);
        finish();
      });
  });
}
