/** Owns `tput`, for a terminal of the xterm family. */
import { CommandFailure, type Command } from "../command.js";

const sequences = new Map([
  ["clear", "\x1b[H\x1b[2J\x1b[3J"],
  ["bold", "\x1b[1m"],
  ["dim", "\x1b[2m"],
  ["sitm", "\x1b[3m"],
  ["smul", "\x1b[4m"],
  ["rmul", "\x1b[24m"],
  ["blink", "\x1b[5m"],
  ["rev", "\x1b[7m"],
  ["smso", "\x1b[7m"],
  ["rmso", "\x1b[27m"],
  ["sgr0", "\x1b(B\x1b[m"],
  ["reset", "\x1bc"],
  ["el", "\x1b[K"],
  ["ed", "\x1b[J"],
  ["home", "\x1b[H"],
  ["civis", "\x1b[?25l"],
  ["cnorm", "\x1b[?12l\x1b[?25h"],
  ["smcup", "\x1b[?1049h\x1b[22;0;0t"],
  ["rmcup", "\x1b[?1049l\x1b[23;0;0t"],
  ["sc", "\x1b7"],
  ["rc", "\x1b8"],
  ["op", "\x1b[39;49m"],
]);

export const main: Command = (context) => {
  const words = context.argv.slice(1);
  if (words[0] === "-T") words.splice(0, 2);
  const [name, first = "0", second = "0"] = words;
  if (name === undefined)
    throw new CommandFailure("usage: tput [-V] [-S] [-x] [-T terminal] capability", 2);
  const sequence = sequences.get(name);
  const number = Number(first);
  const color = (base: number) =>
    number < 8
      ? `\x1b[${base + number}m`
      : number < 16
        ? `\x1b[${base + 52 + number}m`
        : `\x1b[${base + 8};5;${number}m`;
  if (sequence !== undefined) context.write(sequence);
  else if (name === "cols")
    context.write(`${context.env["COLUMNS"] ?? process.stdout.columns ?? 80}\n`);
  else if (name === "lines")
    context.write(`${context.env["LINES"] ?? process.stdout.rows ?? 24}\n`);
  else if (name === "colors") context.write("256\n");
  else if (name === "setaf") context.write(color(30));
  else if (name === "setab") context.write(color(40));
  else if (name === "cup") context.write(`\x1b[${number + 1};${Number(second) + 1}H`);
  else if (name === "init") return 0;
  else throw new CommandFailure(`unknown terminfo capability '${name}'`, 4);
  return 0;
};
