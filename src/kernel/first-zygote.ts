/**
 * Owns the first steps of the kernel process: locks it down as far as guests must inherit it, makes the spawner of
 * zygotes and starts the first one, where that was not begun beside its own engine's start. An engine's start is most of what a host
 * waits for, so all else of the kernel is loaded beside that, and what is imported here is a script of its own (modules.cts).
 *
 * Invariants: it happens once, before anything of the host's is read; no zygote is started by a process that is not locked down.
 * Untrusted: nothing.
 */
import { fileURLToPath } from "node:url";
import { takeBegunZygote } from "../launcher/begun-zygote.js";
import type { BegunZygote } from "../launcher/begun-zygote.js";
import { DescriptorsExhausted } from "../launcher/descriptors.js";
import { startZygoteProcess, zygoteSpawner } from "../launcher/zygote-process.js";
import type { ZygoteProcess } from "../launcher/zygote-process.js";
import { disownInherited } from "../sandbox/descriptors.js";
import * as libc from "../sandbox/libc.js";
import { buildStage1, install } from "../sandbox/seccomp.js";
import { SpawnerGone } from "../sandbox/spawner.js";
import type { Spawner } from "../sandbox/spawner.js";
import { confineSignals } from "./lock-down.js";
import { sayLastWords } from "./last-words.js";

/** The socket to the SDK is the last that this process keeps of what it was handed. */
const lastHandedFd = 3;

interface First {
  readonly spawner: Spawner;
  /** None where it could not be started: whoever needs one tries again, and says why not. */
  readonly zygote: ZygoteProcess | undefined;
}

let first: First | undefined;

/** Does so once; from then on answers what was started. */
export function startFirstZygote(): First {
  first ??= start();
  return first;
}

function lockDown(begun: BegunZygote | undefined): void {
  const kept = begun === undefined ? [] : [begun.zygote.control, begun.zygote.words];
  disownInherited(lastHandedFd + 1, kept);
  libc.setParentDeathSignal(libc.SIGKILL);
  libc.setNoNewPrivs();
  try {
    install(buildStage1());
    confineSignals(begun?.confined);
  } catch (error) {
    sayLastWords(error);
  }
}

function start(): First {
  const begun = takeBegunZygote();
  lockDown(begun);
  const spawner = zygoteSpawner({
    enginePath: process.execPath,
    bundlePath: fileURLToPath(new URL("../guest.json", import.meta.url)),
    programsPath: fileURLToPath(new URL("../programs.json", import.meta.url)),
  });
  try {
    return { spawner, zygote: begun?.zygote ?? startZygoteProcess(spawner, "zygote") };
  } catch (error) {
    if (error instanceof DescriptorsExhausted || error instanceof SpawnerGone)
      return { spawner, zygote: undefined };
    throw error;
  }
}
