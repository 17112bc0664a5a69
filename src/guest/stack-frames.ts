/**
 * Owns that stacks show a program's frames and Node's, and none of the modules of this
 * runtime that stand in for C++: they lie below the main script, where plain Node has
 * nothing, or between two of Node's frames, where it has native code.
 *
 * It hides nothing of worth; whoever looks for the frames in their own thread may find them.
 */
import { ownScripts } from "./loader.js";
import type { InternalBinding, RequireBuiltin } from "./engine-types.js";

const { apply } = Reflect;

export const isOwnScript = (name: unknown): boolean =>
  typeof name === "string" && name.startsWith(ownScripts);

interface Frame {
  getFileName(): unknown;
  getEvalOrigin(): unknown;
}

/** Once per thread, before a program runs in it. */
export function hideOwnFrames(
  internalBinding: InternalBinding,
  requireBuiltin: RequireBuiltin,
): void {
  const { prepareStackTraceCallback } = requireBuiltin("internal/errors");
  const isOwn = (frame: Frame): boolean => isOwnScript(frame.getFileName());
  internalBinding("errors").setPrepareStackTraceCallback(
    (realm: unknown, error: unknown, frames: Frame[]): unknown => {
      let shown = frames;
      for (let at = 0; at < frames.length; at++) {
        if (!isOwn(frames[at]!)) continue;
        shown = [];
        for (let each = 0; each < frames.length; each++)
          if (!isOwn(frames[each]!)) shown[shown.length] = frames[each]!;
        break;
      }
      return prepareStackTraceCallback(realm, error, shown);
    },
  );

  const util = internalBinding("util");
  const { getCallSites } = util;
  /** More than are ever below or between a program's. */
  const ownAtMost = 16;
  const most = 200;
  util.getCallSites = (count: number): { scriptName: string }[] => {
    const sites = apply(getCallSites, util, [Math.min(most, count + 1 + ownAtMost)]) as {
      scriptName: string;
    }[];
    // The engine leaves out who calls it, which is this function now: so is this function's caller.
    const below = sites.slice(1).filter((site) => !isOwnScript(site.scriptName));
    return below.slice(0, count);
  };
}
