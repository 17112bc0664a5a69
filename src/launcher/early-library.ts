/**
 * In the build, on the engine: the library that begins the first zygote, as dist/ has it. What a zygote is started with is the
 * same for all of them. Untrusted: nothing.
 */
import { earlyLibrary } from "../sandbox/early-start.js";
import { buildStage1 } from "../sandbox/seccomp.js";
import { kinds } from "./zygote/bootstrap.js";
import { reservedEnvironment, zygoteArguments } from "./zygote-process.js";

/** Undefined where the code for this processor was never run. */
export function earlyZygoteLibrary(): Buffer | undefined {
  if (process.arch !== "x64") return undefined;
  return earlyLibrary({
    argv: zygoteArguments,
    environment: reservedEnvironment,
    filter: buildStage1(),
    kind: kinds.zygote,
  });
}
