/** `echo`: dash's under the name of sh, bash's under its own. */
import { echoEscape, unescaped } from "../escapes.js";
import type { Builtin, BuiltinCall } from "./builtin.js";

/** Text with its escapes replaced, and whether `\c` cut it off. */
export function unescapeEcho(
  text: string,
  bash: boolean,
  /** bash's `%b` also takes `\101`, and quotes. */
  isConversion = false,
): { text: string; stopped: boolean } {
  if (!text.includes("\\")) return { text, stopped: false };
  return unescaped(text, (at) => echoEscape(text, at, bash, isConversion));
}

function echo(call: BuiltinCall): Promise<number> {
  const { bash } = call.shell;
  let args = call.args;
  let newline = true;
  let escapes = !bash || call.env.shellOptions.has("xpg_echo");
  if (bash) {
    for (; args[0] !== undefined && /^-[neE]+$/.test(args[0]); args = args.slice(1)) {
      for (const letter of args[0].slice(1)) {
        if (letter === "n") newline = false;
        else escapes = letter === "e";
      }
    }
  } else if (args[0] === "-n") {
    newline = false;
    args = args.slice(1);
  }
  const joined = args.join(" ");
  if (!escapes) return call.print(newline ? `${joined}\n` : joined);
  const { text, stopped } = unescapeEcho(joined, bash);
  return call.print(newline && !stopped ? `${text}\n` : text);
}

export const echoBuiltins: Record<string, Builtin> = { echo: { run: echo } };
