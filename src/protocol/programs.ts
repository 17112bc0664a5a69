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

/** Commands under /usr/bin beside the shells. tests/userland holds the guest's table to it. */
export const commandNames: readonly string[] = Object.freeze(
  `[ arch awk base32 base64 basename cat chgrp chmod chown cksum clear cmp comm cp curl cut date dd df diff dir dirname du echo egrep env expand expr factor false fgrep find fold gawk grep groups gunzip gzip hd head hexdump hostname id install join jq kill ln ls mawk md5sum mkdir mktemp mv nice nl nohup nproc od paste printenv printf ps pwd readlink realpath rev rgrep rm rmdir sed seq sha1sum sha224sum sha256sum sha384sum sha512sum shuf sleep sort split stat sync tac tail tar tee test timeout touch tput tr true truncate uname unexpand uniq vdir wc wget which whoami xargs xxd yes zcat`.split(
    /\s+/,
  ),
);
