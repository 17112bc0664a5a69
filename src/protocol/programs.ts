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
  `[ arch awk b2sum base32 base64 basename basenc bc bunzip2 bzcat bzip2 cat chgrp chmod chown cksum clear cmp column comm cp csplit curl cut date dd df diff dir dirname du echo egrep env envsubst expand expr factor false fgrep file find flock fmt fold free gawk getconf getent getopt git grep groups gunzip gzip hd head hexdump hostname iconv id install join jq kill killall less link ln locale logger ls lscpu lzma mawk md5sum mkdir mkfifo mknod mktemp more mountpoint mv nice nl nohup npm nproc npx numfmt od openssl paste patch perl pgrep pidof pkill pr printenv printf ps pwd python3 readlink realpath rev rg rgrep rm rmdir scp script sed seq setsid sftp sha1sum sha224sum sha256sum sha384sum sha512sum shred shuf sleep sort split ss ssh stat stdbuf strings stty sum sync tac tail tar tee test timeout top touch tput tr tree true truncate tsort tty uname unexpand uniq unlink unlzma unxz unzip unzstd uptime users vdir watch wc wget which who whoami xargs xxd xz xzcat yes zcat zip zipinfo zstd zstdcat`.split(
    /\s+/,
  ),
);

/**
 * Commands that a shell may run in its own process: they start nothing, keep nothing, and wait for nobody but the
 * files that they are given. Which of them it does run there is a question of their arguments: userland/sh/here.ts.
 */
export const plainCommands: ReadonlySet<string> = new Set(
  `basename cat chmod cp cut dirname egrep fgrep grep head ln ls mkdir mktemp mv readlink realpath rm rmdir sed seq sort stat tail touch tr uniq wc`.split(
    " ",
  ),
);
