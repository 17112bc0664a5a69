/**
 * System calls about terminals: decode → call → encode. Untrusted: every field of `args`.
 */
import { Errno } from "../../abi/errno.js";
import { controlCharacterCount } from "../../abi/termios.js";
import type { terminalCalls } from "../../protocol/terminal-calls.js";
import { terminalOf } from "../io/terminal.js";
import type { Terminal } from "../io/terminal.js";
import { mayUse, setForeground } from "../process/job-control.js";
import type { Process } from "../process/process.js";
import type { Handlers } from "./dispatch.js";

const SIGTTOU = 22;
/** struct winsize has 16 bits for each. */
const mostCells = 0xffff;

function terminalAt(process: Process, fd: number): Terminal | number {
  const description = process.descriptors.get(fd);
  if (description === undefined) return -Errno.EBADF;
  return terminalOf(description) ?? -Errno.ENOTTY;
}

/** A change by the background stops it; tcsetattr(3). */
function mayChange(process: Process, terminal: Terminal): number {
  if (process.handlesOrIgnores(SIGTTOU)) return 0;
  const refused = mayUse(process, terminal, SIGTTOU);
  return refused === -Errno.EAGAIN ? -Errno.EINTR : refused;
}

export const terminalHandlers: Pick<Handlers, keyof typeof terminalCalls> = {
  waitState(process, { pid, options }) {
    return process.vm.processes.waitState(process, pid, options);
  },

  terminalGet(process, { fd }) {
    const terminal = terminalAt(process, fd);
    if (typeof terminal === "number") return terminal;
    const { cc, ...flags } = terminal.discipline.attributes;
    const { foreground, number, session } = terminal;
    return { ...flags, cc: Uint8Array.from(cc), ...terminal.size, foreground, session, number };
  },

  terminalSet(process, { fd, cc, flush, untilEnd, ...flags }) {
    const terminal = terminalAt(process, fd);
    if (typeof terminal === "number") return terminal;
    if (cc.length !== controlCharacterCount) return -Errno.EINVAL;
    const refused = mayChange(process, terminal);
    if (refused < 0) return refused;
    process.rememberTerminal(terminal, untilEnd);
    if (flush) terminal.discipline.flushInput();
    terminal.discipline.attributes = { ...flags, cc: Uint8Array.from(cc) };
    return {};
  },

  terminalResize(process, { fd, rows, columns }) {
    const terminal = terminalAt(process, fd);
    if (typeof terminal === "number") return terminal;
    if (rows > mostCells || columns > mostCells) return -Errno.EINVAL;
    terminal.resize({ rows, columns });
    return {};
  },

  terminalForeground(process, { fd, group }) {
    const terminal = terminalAt(process, fd);
    if (typeof terminal === "number") return terminal;
    const result = setForeground(process, terminal, group);
    return result < 0 ? result : {};
  },
};
