/** `getopts`. */
import { validName } from "../variables.js";
import type { Builtin, BuiltinCall } from "./builtin.js";

async function getopts(call: BuiltinCall): Promise<number> {
  const { env, args } = call;
  const [letters, variable, ...given] = args;
  if (letters === undefined || variable === undefined) {
    return call.fail("Usage: getopts optstring var [arg]");
  }
  if (!validName.test(variable)) return call.fail(`${variable}: bad variable name`);
  const words = args.length > 2 ? given : env.positional;
  const silent = letters.startsWith(":");
  const state = env.getopts;
  const current = env.variables.get("OPTIND");
  // Somebody assigned OPTIND: start afresh there.
  if (state.optind !== current) state.offset = 0;
  let index = Math.max(Number(current?.value ?? 1) || 1, 1);

  const finish = (name: string, argument: string | undefined, status: number): number => {
    env.assign("OPTIND", String(index));
    state.optind = env.variables.get("OPTIND");
    if (argument === undefined) env.variables.unset("OPTARG");
    else env.assign("OPTARG", argument);
    env.assign(variable, name);
    return status;
  };

  let word = words[index - 1];
  if (state.offset === 0) {
    if (word === undefined || !word.startsWith("-") || word === "-") return finish("?", undefined, 1);
    if (word === "--") {
      index += 1;
      return finish("?", undefined, 1);
    }
    state.offset = 1;
  }
  const letter = word?.[state.offset] ?? "";
  state.offset += 1;
  const at = letter === ":" || letter === "" ? -1 : letters.indexOf(letter);
  const wordDone = state.offset >= (word?.length ?? 0);
  if (at >= 0 && letters[at + 1] === ":") {
    let argument: string | undefined = word!.slice(state.offset);
    index += 1;
    state.offset = 0;
    if (argument === "") {
      argument = words[index - 1];
      index += 1;
    }
    if (argument !== undefined) return finish(letter, argument, 0);
    index -= 1;
    if (silent) return finish(":", letter, 0);
    await complain(call, `No arg for -${letter} option`);
    return finish("?", undefined, 0);
  }
  if (wordDone) {
    index += 1;
    state.offset = 0;
  }
  if (at >= 0) return finish(letter, undefined, 0);
  if (silent) return finish("?", letter, 0);
  word = letter;
  await complain(call, `Illegal option -${word}`);
  return finish("?", undefined, 0);
}

/** Without a line number: the message is the script's to its user. */
async function complain(call: BuiltinCall, message: string): Promise<void> {
  const text = `${message}\n`;
  await call.env.descriptors.get(2)?.write(new TextEncoder().encode(text));
}

export const getoptsBuiltins: Record<string, Builtin> = { getopts: { run: getopts } };
