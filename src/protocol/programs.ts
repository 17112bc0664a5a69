/**
 * The programs that every VM has on its PATH, by name. The kernel lays them out
 * as executable files and resolves them; the guest holds what they do.
 */

/** First bytes of an executable that stands for a program of ours; the program's kind follows. */
export const programMagic = "\x7fSX ";

export const programKinds = Object.freeze(["node", "command", "tool"] as const);
export type ProgramKind = (typeof programKinds)[number];

/** Shells are one program under two names. */
export const shellNames: readonly string[] = Object.freeze(["sh", "bash"]);

/** Commands under /usr/bin beside the shells. tests/guest/programs holds the guest's table to it. */
export const commandNames: readonly string[] = Object.freeze([]);
