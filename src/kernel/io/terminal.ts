/**
 * Owns the terminals of one VM: pseudo-terminals, each with a master, which is the host or a
 * process, and a slave, which programs take for their terminal.
 *
 * Invariants: a terminal is on the account until both its sides are gone, and its number is free
 * then; what waits in it is bounded; it controls at most one session, and a session has at most one.
 * Untrusted: every byte, and attributes and sizes, which guests choose.
 */
import { Errno } from "../../abi/errno.js";
import { S_IFCHR } from "../../abi/fcntl.js";
import { ptmxDevice, ptySlaveMajor } from "../../abi/termios.js";
import type { FileStat } from "../fs/index.js";
import { limits } from "../limits.js";
import type { Account } from "../machine/account.js";
import { ByteBuffer, reserveBytes } from "./byte-buffer.js";
import { LineDiscipline, inputBytes } from "./line-discipline.js";
import { Stream, streamStat } from "./stream.js";

const [SIGHUP, SIGCONT, SIGWINCH] = [1, 18, 28];
/** A terminal's own memory: its input, and a line that is being edited. */
const terminalBytes = 2 * inputBytes + reserveBytes;

export interface WindowSize {
  rows: number;
  columns: number;
}

/** What terminals need of their machine. */
export interface TerminalOwner {
  readonly account: Account;
  /** Terminals it may have. */
  readonly limit: number;
  /** Signals a process group. */
  signalGroup(group: number, signal: number): void;
  /** Signals the leader of a session. */
  signalLeader(session: number, signal: number): void;
}

export class Terminal {
  /** N of /dev/pts/N. */
  readonly number: number;
  readonly discipline: LineDiscipline;
  readonly master: TerminalMaster;
  /** The session that it controls, or 0. */
  session = 0;
  #foreground = 0;
  #size: WindowSize;
  readonly #owner: TerminalOwner;
  readonly #gone: () => void;
  readonly #output: ByteBuffer;
  readonly #slaves = new Set<TerminalSlave>();
  /** Somebody has had it open since it was made. */
  #wasOpen = false;
  #masterGone = false;
  #counted = true;

  constructor(owner: TerminalOwner, number: number, size: WindowSize, gone: () => void) {
    this.number = number;
    this.#owner = owner;
    this.#size = size;
    this.#gone = gone;
    // Forced: a transformed byte must not be half taken. The number of terminals bounds it.
    this.#output = new ByteBuffer(limits.terminalOutputBytes, owner.account, true);
    this.master = new TerminalMaster(this);
    this.discipline = new LineDiscipline({
      echo: (bytes) => this.#echo(bytes),
      signal: (signal) => {
        if (this.#foreground !== 0) owner.signalGroup(this.#foreground, signal);
      },
      flushOutput: () => this.flushOutput(),
      readable: () => this.wakeReaders(),
      started: () => this.#wakeWriters(),
    });
  }

  /** The process group that may read it, or 0. */
  get foreground(): number {
    return this.#foreground;
  }

  set foreground(group: number) {
    this.#foreground = group;
    this.wakeReaders();
    this.#wakeWriters();
  }

  get size(): WindowSize {
    return { ...this.#size };
  }

  /** TIOCSWINSZ: who is in the foreground hears of a change. */
  resize({ rows, columns }: WindowSize): void {
    if (rows === this.#size.rows && columns === this.#size.columns) return;
    this.#size = { rows, columns };
    if (this.#foreground !== 0) this.#owner.signalGroup(this.#foreground, SIGWINCH);
  }

  /** A new open file description of the slave, or -EIO when the master is gone. */
  openSlave(): TerminalSlave | number {
    if (this.#masterGone) return -Errno.EIO;
    const slave = new TerminalSlave(this);
    this.#slaves.add(slave);
    this.#wasOpen = true;
    return slave;
  }

  slaveClosed(slave: TerminalSlave): void {
    this.#slaves.delete(slave);
    this.#released();
    if (this.#slaves.size === 0) this.master.readable.wakeAll();
  }

  masterClosed(): void {
    if (this.#masterGone) return;
    this.#masterGone = true;
    this.#output.clear();
    this.hangUp();
    this.#released();
  }

  #released(): void {
    if (!this.#masterGone || this.#slaves.size > 0 || !this.#counted) return;
    this.#counted = false;
    this.#owner.account.give("terminal", terminalBytes);
    this.#gone();
  }

  static fits(account: Account): boolean {
    return account.take("terminal", terminalBytes);
  }

  /** The line is cut: its session is told, and whoever has it open reads the end. */
  hangUp(): void {
    const { session } = this;
    const group = this.#foreground;
    this.session = 0;
    this.#foreground = 0;
    for (const slave of this.#slaves) slave.hungUp = true;
    if (session !== 0) {
      this.#owner.signalLeader(session, SIGHUP);
      this.#owner.signalLeader(session, SIGCONT);
    }
    if (group !== 0) {
      this.#owner.signalGroup(group, SIGHUP);
      this.#owner.signalGroup(group, SIGCONT);
    }
    this.wakeReaders();
    this.#wakeWriters();
    this.master.readable.wakeAll();
  }

  wakeReaders(): void {
    for (const slave of this.#slaves) slave.readable.wakeAll();
    this.master.writable.wakeAll();
  }

  #wakeWriters(): void {
    for (const slave of this.#slaves) slave.writable.wakeAll();
  }

  #echo(bytes: Uint8Array): void {
    if (this.#masterGone || this.#output.capacityBytes - this.#output.length < bytes.length) return;
    this.#output.push(bytes);
    this.master.readable.wakeAll();
  }

  flushOutput(): void {
    this.#output.clear();
    this.#wakeWriters();
  }

  /** What a program writes: how much of it was taken, or -errno. */
  write(data: Uint8Array): number {
    if (this.#masterGone) return -Errno.EIO;
    if (data.byteLength === 0) return 0;
    if (this.discipline.outputStopped) return -Errno.EAGAIN;
    const room = this.#output.capacityBytes - this.#output.length;
    const most = Math.floor(room / this.discipline.outputGrowth);
    if (most === 0) return -Errno.EAGAIN;
    const part = data.subarray(0, most);
    this.#output.push(this.discipline.output(part));
    this.master.readable.wakeAll();
    return part.byteLength;
  }

  /** What the terminal's screen is to show; -EIO once nobody has the slave any more. */
  takeOutput(maxBytes: number): Uint8Array | number {
    if (this.#output.length > 0) {
      const data = this.#output.take(maxBytes);
      this.#wakeWriters();
      return data;
    }
    return this.#slaves.size === 0 && this.#wasOpen ? -Errno.EIO : -Errno.EAGAIN;
  }

  hasOutput(): boolean {
    return this.#output.length > 0 || (this.#slaves.size === 0 && this.#wasOpen);
  }
}

/** The side of whoever shows the terminal and types. */
class TerminalMaster extends Stream {
  readonly kind = "tty";
  readonly terminal: Terminal;

  constructor(terminal: Terminal) {
    super();
    this.terminal = terminal;
  }

  read(maxBytes: number): Uint8Array | number {
    return this.terminal.takeOutput(maxBytes);
  }

  override hasInput(): boolean {
    return this.terminal.hasOutput();
  }

  write(data: Uint8Array): number {
    if (data.byteLength === 0) return 0;
    const taken = this.terminal.discipline.type(data);
    return taken === 0 ? -Errno.EAGAIN : taken;
  }

  stat(): FileStat {
    return { ...streamStat(S_IFCHR), rdev: ptmxDevice };
  }

  protected released(): void {
    this.terminal.masterClosed();
  }
}

/** One open file description of /dev/pts/N. */
export class TerminalSlave extends Stream {
  readonly kind = "tty";
  override readonly isShared = true;
  readonly terminal: Terminal;
  hungUp = false;
  /** When a read with VMIN 0 gives up; a wait has begun. */
  #deadline: NodeJS.Timeout | undefined;
  #timedOut = false;

  constructor(terminal: Terminal) {
    super();
    this.terminal = terminal;
  }

  read(maxBytes: number): Uint8Array | number {
    if (this.hungUp) return new Uint8Array(0);
    const { discipline } = this.terminal;
    const data = discipline.read(maxBytes);
    if (data === undefined) return this.#nothing();
    this.#stopTimer();
    // There is room again for what is typed.
    this.terminal.master.writable.wakeAll();
    return data;
  }

  /** VMIN 0: a read waits for VTIME at most. */
  #nothing(): Uint8Array | number {
    const { isPolled, pollMs } = this.terminal.discipline;
    if (!isPolled) return -Errno.EAGAIN;
    if (pollMs === 0 || this.#timedOut) {
      this.#stopTimer();
      return new Uint8Array(0);
    }
    this.#deadline ??= setTimeout(() => {
      this.#timedOut = true;
      this.readable.wakeAll();
    }, pollMs);
    return -Errno.EAGAIN;
  }

  #stopTimer(): void {
    clearTimeout(this.#deadline);
    this.#deadline = undefined;
    this.#timedOut = false;
  }

  override readLine(maxBytes: number): Uint8Array | number {
    // A terminal gives a line at a time already; raw, a byte at a time finds the newline.
    return this.read(this.terminal.discipline.isCanonical ? maxBytes : Math.min(1, maxBytes));
  }

  override hasInput(): boolean {
    return this.hungUp || this.terminal.discipline.hasInput();
  }

  write(data: Uint8Array): number {
    return this.hungUp ? -Errno.EIO : this.terminal.write(data);
  }

  stat(): FileStat {
    const rdev = (ptySlaveMajor << 8) | this.terminal.number;
    return { ...streamStat(S_IFCHR), mode: S_IFCHR | 0o620, rdev };
  }

  protected released(): void {
    this.#stopTimer();
    this.terminal.slaveClosed(this);
  }
}

/** The terminal behind a stream, whichever side it is. */
export function terminalOf(stream: unknown): Terminal | undefined {
  return stream instanceof TerminalSlave || stream instanceof TerminalMaster
    ? stream.terminal
    : undefined;
}

export class TerminalTable {
  readonly #owner: TerminalOwner;
  readonly #terminals = new Map<number, Terminal>();

  constructor(owner: TerminalOwner) {
    this.#owner = owner;
  }

  /** A new one with the lowest free number; -ENOSPC when there are as many as may be. */
  create(size: WindowSize): Terminal | number {
    if (this.#terminals.size >= this.#owner.limit || !Terminal.fits(this.#owner.account))
      return -Errno.ENOSPC;
    let number = 0;
    while (this.#terminals.has(number)) number++;
    const terminal = new Terminal(this.#owner, number, size, () => {
      this.#terminals.delete(number);
    });
    this.#terminals.set(number, terminal);
    return terminal;
  }

  get(number: number): Terminal | undefined {
    return this.#terminals.get(number);
  }

  numbers(): number[] {
    return [...this.#terminals.keys()].sort((a, b) => a - b);
  }

  /** The one that controls a session. */
  controlling(session: number): Terminal | undefined {
    for (const terminal of this.#terminals.values())
      if (terminal.session === session && session !== 0) return terminal;
    return undefined;
  }

  /** Stopped readers that go on look again. */
  recheck(): void {
    for (const terminal of this.#terminals.values()) terminal.wakeReaders();
  }

  /** The leader of a session has ended. */
  leaderEnded(session: number): void {
    const terminal = this.controlling(session);
    if (terminal === undefined) return;
    terminal.hangUp();
  }
}
