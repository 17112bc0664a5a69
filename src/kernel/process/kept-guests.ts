/**
 * Owns the guests of a machine whose command has ended: the next command of the same program may have one, in the place
 * of a new process of the OS. Which command that is the kernel decides; that it is fit for another a guest says of itself.
 *
 * Why that is as safe as a new one: a guest holds nothing but its socket, and what comes by it is judged as the process's
 * that it is then. It has been commands of the machine's own alone, of one program, as one user, in one run. Who gets power over it by
 * what such a command reads has power over the next one's input and output, which are of the same program, and over no
 * other process: not the host's, no program's, nobody's of another machine.
 *
 * Invariants: a guest that is kept belongs to no process, and whatever it says ends it; it is kept for `keptMs` at
 * most, and no longer than the program lives; few are kept, of little memory each, and the machine's account holds them.
 * Untrusted: when a guest says that it is fit.
 */
import { availableParallelism } from "node:os";
import type { Guest } from "../../launcher/fork.js";
import { statusNumber, statusOf } from "../../launcher/process-status.js";
import { processCpuTimeMs } from "../../sandbox/libc.js";
import type { Account } from "../machine/account.js";
import type { Process } from "./process.js";

/** A script's next command comes at once, or its program has other things to do. */
const keptMs = 1000;
const mostOfMachine = 4;
/**
 * Kept or in use again, of all machines: who is no new process waits for no fork, and more of them at work than there are
 * processors for would hold up everybody else's.
 */
const mostOfAll = Math.max(mostOfMachine, 2 * availableParallelism());
/** What a process leaves behind in the engine grows. */
const mostLives = 500;
/** Beyond what it had when it was ready. */
const mostOwnBytes = 16 * 1024 * 1024;
/** A quarter of those bytes cannot be written in it. */
const shortUs = 1000;
const livesPerLook = 8;

interface Kept {
  /** Whose commands it may be; see `programOf`. */
  readonly program: Process;
  /** What it was: that is loaded. */
  readonly image: string;
  readonly uid: number;
  readonly gid: number;
  readonly untilMs: number;
}

let livingOfAll = 0;

export class KeptGuests {
  readonly #account: Account;
  /** The one that was kept last is last. */
  readonly #kept = new Map<Guest, Kept>();
  #looks = false;

  constructor(account: Account) {
    this.#account = account;
  }

  get size(): number {
    return this.#kept.size;
  }

  /** Whether the guest of a command may be kept when that has ended: one that a process has started, not the host. */
  static mayBeOf({ vm, ppid }: Process): boolean {
    // What is random in a deterministic run is one process's, from its start.
    return vm.deterministic === undefined && vm.processes.get(ppid) !== undefined;
  }

  /** Keeps the guest of `command`, which has ended and has let go of it; otherwise answers false. */
  keep(guest: Guest, command: Process): boolean {
    const { vm } = command;
    const { uid, gid } = command.credentials;
    const program = programOf(command);
    if (program === undefined || vm.disposed || !guest.isWaiting) return false;
    // Its next command stands in line with them.
    if (this.#kept.size >= mostOfMachine || vm.othersWait) return false;
    if (guest.lives === 1 && livingOfAll >= mostOfAll) return false;
    if (guest.lives >= mostLives || !isSmall(guest, command)) return false;
    guest.usedBeforeMs = processCpuTimeMs(guest.pid);
    this.#account.force("guest");
    const image = command.startOptions?.image ?? "";
    this.#kept.set(guest, { program, image, uid, gid, untilMs: performance.now() + keptMs });
    if (guest.lives === 1) this.#countUntilGone(guest);
    this.#lookIn(keptMs);
    return true;
  }

  /** One that `command`, which is to be `image`, may have: one that was that as well, if there is one. */
  take(command: Process, image: string): Guest | undefined {
    if (this.#kept.size === 0) return undefined;
    const { credentials, limits } = command;
    const program = programOf(command);
    let found: Guest | undefined;
    for (const [guest, kept] of this.#kept) {
      if (kept.program !== program || guest.memoryBytes !== limits.memoryBytes) continue;
      if (kept.uid !== credentials.uid || kept.gid !== credentials.gid) continue;
      if (!guest.isWaiting) continue;
      found = guest;
      if (kept.image === image) break;
    }
    if (found !== undefined) this.#forget(found);
    return found;
  }

  processEnded(process: Process): void {
    for (const [guest, kept] of this.#kept) if (kept.program === process) guest.end();
  }

  endAll(): void {
    for (const guest of this.#kept.keys()) guest.end();
  }

  #countUntilGone(guest: Guest): void {
    livingOfAll++;
    guest.onGone(() => {
      livingOfAll--;
      this.#forget(guest);
    });
  }

  /** It is somebody's again, or gone. */
  #forget(guest: Guest): void {
    if (this.#kept.delete(guest)) this.#account.give("guest");
  }

  #lookIn(pauseMs: number): void {
    if (this.#looks) return;
    this.#looks = true;
    setTimeout(() => this.#look(), pauseMs).unref();
  }

  #look(): void {
    this.#looks = false;
    const nowMs = performance.now();
    let nextMs = Infinity;
    for (const [guest, { untilMs }] of this.#kept) {
      if (untilMs <= nowMs) guest.end();
      else nextMs = Math.min(nextMs, untilMs - nowMs);
    }
    if (nextMs < Infinity) this.#lookIn(nextMs);
  }
}

/** Whom commands are of: the nearest of those above one that is no command itself, or the first of all; none of who has ended. */
function programOf({ vm, ppid }: Process): Process | undefined {
  let program = vm.processes.get(ppid);
  while (program?.startOptions?.mode === "command") {
    const above = vm.processes.get(program.ppid);
    if (above === undefined) break;
    program = above;
  }
  return program?.ended === false ? program : undefined;
}

/** Who has had a processor for so short a time has not written much; looked at it costs as much as a command. */
function isSmall({ lives, pid, resting }: Guest, command: Process): boolean {
  const { userUs, systemUs } = command.usage();
  if (userUs + systemUs < shortUs && lives % livesPerLook !== 0) return true;
  const anonymousBytes = statusNumber(statusOf(pid), "RssAnon");
  return anonymousBytes > 0 && anonymousBytes - resting.anonymousBytes <= mostOwnBytes;
}
