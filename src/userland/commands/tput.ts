/** Owns `tput`: the xterm family, what is like it, and terminals that can nothing. */
import { CommandFailure, type Command, type CommandContext } from "../command.js";

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

/** Colours of the terminals that are known, by how their names begin; -1 for those without. */
const terminals: readonly (readonly [name: RegExp, colors: number])[] = [
  [/^(?:xterm|screen|tmux|rxvt|linux|vte|putty)[^ ]*-256color$/, 256],
  [/^(?:xterm|screen|tmux|rxvt|linux|ansi|vte|putty|cygwin|konsole|gnome|alacritty|foot)/, 8],
  [/^(?:dumb|unknown|vt\d+)/, -1],
];

/** Of the terminal, of a window that is one, or of the environment. */
function sizeOf(context: CommandContext, name: "cols" | "lines"): number {
  const given = Number(context.env[name === "cols" ? "COLUMNS" : "LINES"]);
  if (Number.isInteger(given) && given > 0) return given;
  const fd = [1, 2, 0].find((one) => context.isTerminal(one));
  const size = fd === undefined ? undefined : context.terminal?.size(fd);
  return (name === "cols" ? size?.columns : size?.rows) || (name === "cols" ? 80 : 24);
}

/** What a capability stands for, -1 or "" where the terminal has none of it, undefined where nobody has. */
function capability(
  context: CommandContext,
  colors: number,
  [name = "", first = "0", second = "0"]: readonly string[],
): string | number | undefined {
  if (name === "cols" || name === "lines") return sizeOf(context, name);
  if (name === "colors") return colors;
  if (name === "it") return 8;
  const number = Number(first);
  const color = (base: number): string =>
    colors < 0
      ? ""
      : number < 8
        ? `\x1b[${base + number}m`
        : number < 16 && colors > 8
          ? `\x1b[${base + 52 + number}m`
          : `\x1b[${base + 8};5;${number}m`;
  if (name === "setaf") return color(30);
  if (name === "setab") return color(40);
  if (name === "init") return "";
  const sequence =
    name === "cup" ? `\x1b[${number + 1};${Number(second) + 1}H` : sequences.get(name);
  return sequence !== undefined && colors < 0 && name !== "bel" ? "" : sequence;
}

export const main: Command = (context) => {
  const words = context.argv.slice(1);
  let terminal = context.env["TERM"] ?? "";
  if (words[0] === "-V" || words[0] === "--version") {
    context.write("ncurses 6.4.20221231\n");
    return 0;
  }
  if (words[0]?.startsWith("-T")) {
    const [word] = words.splice(0, words[0] === "-T" ? 2 : 1);
    terminal = word === "-T" ? (context.argv[2] ?? "") : word!.slice(2);
  }
  if (words.length === 0)
    throw new CommandFailure("usage: tput [-V] [-S] [-x] [-T terminal] capability", 2);
  if (terminal === "") throw new CommandFailure("No value for $TERM and no -T specified", 2);
  const colors = terminals.find(([name]) => name.test(terminal))?.[1];
  if (colors === undefined) throw new CommandFailure(`unknown terminal "${terminal}"`, 3);
  const value = capability(context, colors, words);
  if (value === undefined) throw new CommandFailure(`unknown terminfo capability '${words[0]}'`, 4);
  if (value === "") return words[0] === "init" ? 0 : 1;
  context.write(typeof value === "number" ? `${value}\n` : value);
  return 0;
};
