/** Owns signal names and numbers as `trap`, `kill` and `$?` know them. */

const numbers =
  "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS".split(
    " ",
  );

/** Without "SIG"; "EXIT" is the end of the shell, 0. */
export type SignalName = string;
/** A signal, or one of bash's events. */
export type TrapName = string;

export const eventNames: readonly TrapName[] = ["DEBUG", "ERR", "RETURN"];

export const signalNames: readonly string[] = ["EXIT", ...numbers];

export const SIGINT = 2;
export const SIGQUIT = 3;
export const SIGPIPE = 13;
export const SIGXFSZ = 25;
export const SIGTERM = 15;
export const SIGCONT = 18;
export const SIGSTOP = 19;
export const SIGTSTP = 20;
export const SIGTTIN = 21;
export const SIGTTOU = 22;

export function signalNumber(name: SignalName): number {
  return signalNames.indexOf(name);
}

/** `INT`, `SIGINT`, `int` or `2`; `undefined` for anything else. */
export function parseSignal(text: string): SignalName | undefined {
  if (/^\d{1,2}$/.test(text)) return signalNames[Number(text)];
  const name = text.toUpperCase().replace(/^SIG/, "");
  return signalNames.includes(name) ? name : undefined;
}

/** What a shell prints of a job that a signal ended. */
export function describeSignal(signal: number): string {
  const texts: Readonly<Record<number, string>> = {
    1: "Hangup",
    2: "Interrupt",
    3: "Quit",
    4: "Illegal instruction",
    6: "Aborted",
    8: "Floating point exception",
    9: "Killed",
    11: "Segmentation fault",
    13: "Broken pipe",
    14: "Alarm clock",
    15: "Terminated",
    19: "Stopped (signal)",
    20: "Stopped",
    21: "Stopped (tty input)",
    22: "Stopped (tty output)",
    7: "Bus error",
    5: "Trace/breakpoint trap",
    10: "User defined signal 1",
    12: "User defined signal 2",
    16: "Stack fault",
    24: "CPU time limit exceeded",
    25: "File size limit exceeded",
    26: "Virtual timer expired",
    27: "Profiling timer expired",
    29: "I/O possible",
    30: "Power failure",
    31: "Bad system call",
  };
  return texts[signal] ?? `Signal ${signal}`;
}
