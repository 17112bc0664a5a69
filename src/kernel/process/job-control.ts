/**
 * Owns what terminals and processes have to do with each other: sessions, process groups in the
 * foreground and background, and the names under which a process opens its terminals.
 *
 * Invariant: only a process of the session that a terminal controls changes its foreground, and only
 * to a group of that session.
 * Untrusted: numbers, paths and flags.
 */
import { constants } from "node:os";
import { Errno } from "../../abi/errno.js";
import { O_NOCTTY } from "../../abi/fcntl.js";
import type { Stream } from "../io/stream.js";
import type { Terminal } from "../io/terminal.js";
import type { Process } from "./process.js";

const { SIGTTIN, SIGTTOU } = constants.signals;

/** A group that nobody of its session could continue: no member has a parent in another group of the session. */
export function isOrphaned(process: Process): boolean {
  const { processes } = process.vm;
  return !processes.values().some((member) => {
    if (member.processGroup !== process.processGroup || member.ended) return false;
    const parent = processes.get(member.ppid);
    return (
      parent !== undefined &&
      !parent.ended &&
      parent.processGroup !== member.processGroup &&
      parent.session === member.session
    );
  });
}

/** Whether `process` may use its terminal now: 0, or -errno; -EAGAIN after `signal` has stopped its group. */
export function mayUse(process: Process, terminal: Terminal, signal: number): number {
  const { foreground, session } = terminal;
  if (session === 0 || session !== process.session) return 0;
  if (foreground === 0 || foreground === process.processGroup) {
    // What a stopped process waits for is for the others.
    return process.stopped ? -Errno.EAGAIN : 0;
  }
  if (process.ignores(signal)) return signal === SIGTTIN ? -Errno.EIO : 0;
  if (process.stopped) return -Errno.EAGAIN;
  if (isOrphaned(process)) return -Errno.EIO;
  process.vm.processes.signalGroup(process.processGroup, signal);
  return -Errno.EAGAIN;
}

/** tcsetpgrp(3). */
export function setForeground(process: Process, terminal: Terminal, group: number): number {
  if (terminal.session === 0 || terminal.session !== process.session) return -Errno.ENOTTY;
  const inSession = process.vm.processes
    .values()
    .some((one) => one.processGroup === group && one.session === process.session);
  if (!inSession) return -Errno.EPERM;
  if (terminal.foreground !== process.processGroup && !process.handlesOrIgnores(SIGTTOU)) {
    const refused = mayUse(process, terminal, SIGTTOU);
    if (refused < 0 && terminal.foreground !== 0)
      return refused === -Errno.EAGAIN ? -Errno.EINTR : refused;
  }
  terminal.foreground = group;
  return 0;
}

/** Makes it the terminal of the caller's session, when neither has another; TIOCSCTTY. */
export function takeTerminal(process: Process, terminal: Terminal): void {
  const { terminals } = process.vm;
  if (process.session !== process.pid || terminal.session !== 0) return;
  if (terminals.controlling(process.session) !== undefined) return;
  terminal.session = process.session;
  terminal.foreground = process.processGroup;
}

const slavePath = /^\/dev\/pts\/(0|[1-9][0-9]{0,3})$/;

/** The terminal that `path` names, opened, or -errno; undefined when it names none. */
export function openTerminal(
  process: Process,
  path: string,
  flags: number,
): Stream | number | undefined {
  if (!path.startsWith("/dev/")) return undefined;
  const { terminals } = process.vm;
  if (path === "/dev/tty") {
    const terminal = terminals.controlling(process.session);
    return terminal === undefined ? -Errno.ENXIO : terminal.openSlave();
  }
  if (path === "/dev/ptmx" || path === "/dev/pts/ptmx") {
    const made = terminals.create({ rows: 0, columns: 0 });
    return typeof made === "number" ? made : made.master;
  }
  const match = slavePath.exec(path);
  if (match === null) return undefined;
  const terminal = terminals.get(Number(match[1]));
  if (terminal === undefined) return -Errno.ENOENT;
  const slave = terminal.openSlave();
  if (typeof slave !== "number" && (flags & O_NOCTTY) === 0) takeTerminal(process, terminal);
  return slave;
}
