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
export const commandNames: readonly string[] = Object.freeze(
  `[ arch awk base32 base64 basename cat chgrp chmod chown cksum clear cp cut date dd dir dirname echo egrep env false fgrep find gawk grep groups head hostname id kill ln ls mawk md5sum mkdir mktemp mv nice nohup nproc printenv printf pwd readlink realpath rgrep rm rmdir sed seq sha1sum sha224sum sha256sum sha384sum sha512sum sleep sort stat sync tail tee test timeout touch tput tr true truncate uname uniq vdir wc which whoami xargs yes`.split(
    /\s+/,
  ),
);
