/** Owns `getconf`. */
import { availableParallelism } from "node:os";
import type { Command, CommandContext } from "../command.js";
import { memoryKb } from "../support/processes.js";

const pageBytes = 4096;

/** Values of Linux and glibc for a 64-bit machine. */
const fixed: Record<string, string> = {
  ARG_MAX: "2097152",
  CHAR_BIT: "8",
  CHAR_MAX: "127",
  CHAR_MIN: "-128",
  INT_MAX: "2147483647",
  INT_MIN: "-2147483648",
  LONG_BIT: "64",
  LONG_MAX: "9223372036854775807",
  UINT_MAX: "4294967295",
  ULONG_MAX: "18446744073709551615",
  SSIZE_MAX: "32767",
  CLK_TCK: "100",
  PAGESIZE: String(pageBytes),
  PAGE_SIZE: String(pageBytes),
  OPEN_MAX: "256",
  CHILD_MAX: "256",
  HOST_NAME_MAX: "64",
  LOGIN_NAME_MAX: "256",
  IOV_MAX: "1024",
  LINE_MAX: "2048",
  NGROUPS_MAX: "65536",
  RE_DUP_MAX: "32767",
  SYMLOOP_MAX: "",
  TTY_NAME_MAX: "32",
  NAME_MAX: "255",
  PATH_MAX: "4096",
  PIPE_BUF: "4096",
  LINK_MAX: "127",
  MAX_CANON: "255",
  MAX_INPUT: "255",
  FILESIZEBITS: "64",
  LEVEL1_DCACHE_LINESIZE: "64",
  GNU_LIBC_VERSION: "glibc 2.36",
  NPTL_VERSION: "NPTL 2.36",
  PATH: "/bin:/usr/bin",
  CS_PATH: "/bin:/usr/bin",
  POSIX_VERSION: "200809",
  _POSIX_VERSION: "200809",
  POSIX2_VERSION: "200809",
  _POSIX2_VERSION: "200809",
  _XOPEN_VERSION: "700",
  WORD_BIT: "32",
  _POSIX_V7_LP64_OFF64: "1",
};

function valueOf(context: CommandContext, name: string): string | undefined {
  switch (name.replace(/^_?SC_/, "")) {
    case "_NPROCESSORS_ONLN":
    case "_NPROCESSORS_CONF":
    case "NPROCESSORS_ONLN":
    case "NPROCESSORS_CONF":
      return String(availableParallelism());
    case "_PHYS_PAGES":
      return String(Math.floor((memoryKb(context, "MemTotal") * 1024) / pageBytes));
    case "_AVPHYS_PAGES":
      return String(Math.floor((memoryKb(context, "MemAvailable") * 1024) / pageBytes));
  }
  return Object.hasOwn(fixed, name) ? fixed[name] : undefined;
}

export const main: Command = (context) => {
  const words = context.argv.slice(1);
  if (words[0] === "-v") words.splice(0, 2);
  if (words[0] === "-a") {
    for (const name of [...Object.keys(fixed), "_NPROCESSORS_ONLN", "_PHYS_PAGES"]) {
      context.write(`${name.padEnd(34)} ${valueOf(context, name) ?? ""}\n`);
    }
    return 0;
  }
  const [name] = words;
  if (name === undefined) {
    context.writeError(
      "Usage: getconf [-v specification] variable_name [pathname]\n       getconf -a [pathname]\n",
    );
    return 2;
  }
  const value = valueOf(context, name);
  if (value === undefined) {
    context.writeError(`getconf: Unrecognized variable \`${name}'\n`);
    return 2;
  }
  context.write(`${value || "undefined"}\n`);
  return 0;
};
