/** Owns prompts: the backslash escapes of PS1 and PS4 and of `${v@P}`, then expansions as in double quotes. */
import type { Environment } from "./environment.js";
import { expandText } from "./expansion.js";
import type { Interpreter } from "./interpreter.js";
import { Parser } from "./parser.js";
import { formatTime } from "./time.js";
import { versionText } from "./version.js";

const days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

export async function expandPrompt(
  shell: Interpreter,
  env: Environment,
  text: string,
): Promise<string> {
  const unescaped = shell.bash
    ? text.replace(/\\([0-7]{1,3}|[\s\S])/g, (_, letter: string) => escape(env, letter))
    : text;
  return expandDoubleQuoted(shell, env, unescaped);
}

/** A text as a here-document's body would be expanded. */
export async function expandDoubleQuoted(
  shell: Interpreter,
  env: Environment,
  text: string,
): Promise<string> {
  if (!/[\\$`]/.test(text)) return text;
  const { aliases, shellOptions } = env;
  const options = { bash: shell.bash, aliases, shellOptions, final: true, line: env.line };
  return expandText(shell, env, new Parser(text, options).lexer.words.hereDocument());
}

function escape(env: Environment, letter: string): string {
  const { system } = env.shell;
  const now = new Date(system.nowMs());
  const home = env.variables.value("HOME");
  const shownDirectory =
    home !== undefined && home !== "/" && (env.cwd === home || env.cwd.startsWith(`${home}/`))
      ? `~${env.cwd.slice(home.length)}`
      : env.cwd;
  switch (letter) {
    case "a":
      return "\u0007";
    case "d":
      return `${days[now.getDay()]} ${formatTime("%b %d", now)}`;
    case "e":
      return "\u001b";
    case "h":
      return (env.variables.value("HOSTNAME") ?? "").split(".")[0]!;
    case "H":
      return env.variables.value("HOSTNAME") ?? "";
    case "j":
      return String(env.jobs.all().length);
    case "l":
      return "tty";
    case "n":
      return "\n";
    case "r":
      return "\r";
    case "s":
      return env.name.replace(/^.*\//, "");
    case "t":
      return formatTime("%H:%M:%S", now);
    case "T":
      return formatTime("%I:%M:%S", now);
    case "@":
      return formatTime("%I:%M %p", now);
    case "A":
      return formatTime("%H:%M", now);
    case "u":
      return system.identity?.user ?? "root";
    case "v":
    case "V":
      return letter === "v"
        ? versionText.split(".").slice(0, 2).join(".")
        : versionText.split("(")[0]!;
    case "w":
      return shownDirectory;
    case "W":
      return shownDirectory === "/" || shownDirectory === "~"
        ? shownDirectory
        : shownDirectory.replace(/^.*\//, "");
    case "!":
    case "#":
      return "1";
    case "$":
      return (system.identity?.uid ?? 0) === 0 ? "#" : "\\$";
    case "\\":
      return "\\\\";
    case "[":
    case "]":
      return "";
    default:
      if (/^[0-7]/.test(letter)) return String.fromCharCode(Number.parseInt(letter, 8) & 0xff);
      return `\\${letter}`;
  }
}
