/**
 * Owns the order of the outer wall's installation. What can be done once is done
 * in the zygote; the rest in each child, before it reads the first byte that a
 * guest could have chosen. Every step that fails ends the process.
 */
import * as libc from "../../sandbox/libc.js";
import { applyRlimits } from "../../sandbox/rlimits.js";
import { buildStage2, install, prepareStage2 } from "../../sandbox/seccomp.js";

/** The overflow uid and gid, which own nothing; Documentation/admin-guide/sysctl/fs.rst. */
const nobody = 65534;

function must(step: string, result: number): void {
  if (result < 0) throw new Error(`lock-down step ${step} failed with errno ${-result}`);
}

export interface LockDownOptions {
  /** Budget for heap, buffers and WebAssembly together, on top of what the process has now. */
  memoryBytes: number;
}

/** In the zygote, as its last step: gives up root where it has it, and sets what every child inherits. */
export function prepareLockDown(options: LockDownOptions): void {
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
  applyRlimits({ memoryBytes: options.memoryBytes });
}

/** In the child. Afterwards only memory, threads, clocks and the guest's socket are left. */
export function lockDown(): void {
  install(buildStage2({ pid: libc.getpid() }));
}
