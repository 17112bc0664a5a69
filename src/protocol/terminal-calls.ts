/**
 * System calls about terminals and the jobs on them: termios(3), ioctl_tty(2), and the waits that see
 * a process stop. Numbers 26–34.
 */

export const terminalCalls = {
  /**
   * waitpid(2). `options` are bits of `WaitOptions`; `state` is the signal that stopped the child, SIGCONT when
   * it goes on, 0 when it has ended and is reaped. `pid` 0 in the result: none, with `noHang`.
   */
  waitState: {
    nr: 26,
    args: { pid: "i32", options: "u8" },
    result: { pid: "u32", code: "i32", signal: "u8", state: "u8" },
  },
  /**
   * What a terminal is set to, on either of its sides. `cc` are the 19 control characters. `session` and
   * `foreground` are 0 when it controls none; `number` is N of /dev/pts/N.
   */
  terminalGet: {
    nr: 30,
    args: { fd: "i32" },
    result: {
      iflag: "u32",
      oflag: "u32",
      cflag: "u32",
      lflag: "u32",
      cc: "bytes",
      rows: "u32",
      columns: "u32",
      foreground: "u32",
      session: "u32",
      number: "u32",
    },
  },
  /**
   * tcsetattr(3). `flush` drops what was typed and not read: TCSAFLUSH. With `untilEnd` the terminal is as it was
   * before once the process has ended, however it ends, unless it says so itself without `untilEnd`.
   */
  terminalSet: {
    nr: 31,
    args: {
      fd: "i32",
      iflag: "u32",
      oflag: "u32",
      cflag: "u32",
      lflag: "u32",
      cc: "bytes",
      flush: "bool",
      untilEnd: "bool",
    },
    result: {},
  },
  /** TIOCSWINSZ: SIGWINCH goes to the foreground when the size is another. */
  terminalResize: { nr: 32, args: { fd: "i32", rows: "u32", columns: "u32" }, result: {} },
  /** tcsetpgrp(3). */
  terminalForeground: { nr: 33, args: { fd: "i32", group: "u32" }, result: {} },
} as const;

export const WaitOptions = Object.freeze({
  noHang: 1,
  /** WUNTRACED */
  stopped: 2,
  /** WCONTINUED, in bits of its own. */
  continued: 8,
} as const);
