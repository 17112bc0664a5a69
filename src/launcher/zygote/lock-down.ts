/**
 * Owns the order of the outer wall's installation. What can be done once is done
 * in the zygote; the rest in each child, before it reads the first byte that a
 * guest could have chosen. Every step that fails ends the process.
 */
import * as libc from "../../sandbox/libc.js";
import { applyFixedRlimits, dataBytes, limitData } from "../../sandbox/rlimits.js";
import { buildStage2, install, prepareStage2 } from "../../sandbox/seccomp.js";
import { selfTest } from "../../sandbox/self-test.js";
import { IsolationUnavailable } from "../../sandbox/unavailable.js";

/** The overflow uid and gid, which own nothing; Documentation/admin-guide/sysctl/fs.rst. */
const nobody = 65534;

function must(step: string, result: number): void {
  if (result < 0) throw new IsolationUnavailable(step, `errno ${-result}`);
}

/** What the zygote has in use, which a guest's budget comes on top of. */
let baseBytes = 0;

/** In the zygote, whenever it has grown. */
export function measureBase(): void {
  baseBytes = dataBytes();
}

/** In the zygote: gives up root where it has it, and sets what every child inherits. */
export function prepareLockDown(): void {
  if (libc.geteuid() === 0) {
    must("setgroups", libc.setgroups([]));
    must("setresgid", libc.setresgid(nobody, nobody, nobody));
    must("setresuid", libc.setresuid(nobody, nobody, nobody));
  }
  // The one directory that a guest may see the name of.
  must("chdir", libc.chdir("/"));
  must("no_new_privs", libc.setNoNewPrivs());
  must("dumpable", libc.setDumpable(false));
  must("pdeathsig", libc.setParentDeathSignal(libc.SIGKILL));
  prepareStage2();
  applyFixedRlimits();
  measureBase();
}

export interface LockDownOptions {
  /** Budget for heap, buffers and WebAssembly together, on top of what the zygote has. */
  memoryBytes: number;
  /** What the zygote may raise it to afterwards; nothing in the guest can. */
  mostMemoryBytes: number;
}

/** In the zygote, before its first guest: throws unless a guest would be locked in. */
export function proveLockDown(options: LockDownOptions): void {
  selfTest(() => lockDown(options));
}

/** In the child. Afterwards only memory, threads, clocks and the guest's socket are left. */
export function lockDown(options: LockDownOptions): void {
  limitData(options.memoryBytes, baseBytes, options.mostMemoryBytes);
  install(buildStage2({ pid: libc.getpid() }));
}
