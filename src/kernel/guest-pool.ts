/**
 * Owns the kernel's guests: locks this process down as far as guests must inherit
 * it and starts their zygote, both as soon as this module is loaded.
 */
import { fileURLToPath } from "node:url";
import { GuestPool } from "../launcher/pool.js";
import { disownInherited } from "../sandbox/descriptors.js";
import * as libc from "../sandbox/libc.js";
import { buildStage1, install } from "../sandbox/seccomp.js";
import { sayLastWords } from "./last-words.js";

/** The socket to the SDK is the last that this process was handed. */
const lastHandedFd = 3;

disownInherited(lastHandedFd + 1);
libc.setParentDeathSignal(libc.SIGKILL);
libc.setNoNewPrivs();
try {
  install(buildStage1());
} catch (error) {
  sayLastWords(error);
}

export const pool = new GuestPool({
  enginePath: process.execPath,
  bundlePath: fileURLToPath(new URL("../guest.json", import.meta.url)),
  programsPath: fileURLToPath(new URL("../programs.json", import.meta.url)),
  aheadTarget: 3,
  parallelForks: 2,
  refillDelayMs: 10,
  // What all guests of one zygote have in common, such as addresses, is in use for no longer.
  recycleForks: 10_000,
  recycleMs: 6 * 60 * 60 * 1000,
});
// Its failure is reported to whoever awaits the start.
pool.start().catch(() => undefined);
