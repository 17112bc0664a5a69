/** `getopts`. */
import { encodeText } from "../text.js";
import { validName } from "../variables.js";
import type { Builtin, BuiltinCall } from "./builtin.js";

async function getopts(call: BuiltinCall): Promise<number> {
  const { env, args, shell } = call;
  const [letters, variable, ...given] = args;
  if (letters === undefined || variable === undefined) {
    if (shell.bash) return call.misuse();
    return call.fail("Usage: getopts optstring var [arg]");
  }
  if (!validName.test(variable)) {
    return call.fail(`${variable}: bad variable name`, 2, {
      message: `\`${variable}': not a valid identifier`,
    });
  }
  const words = args.length > 2 ? given : env.positional;
  const silent = letters.startsWith(":");
  const state = env.getopts;
  const optind = env.variables.get("OPTIND");
  let { index, offset } = state;
  if (state.optind !== optind) {
    // Somebody assigned OPTIND: start afresh there.
    index = Math.max(Number(optind?.value ?? 1) || 1, 1);
    offset = 0;
  }
  if (index > words.length + 1) {
    index = 1;
    offset = 0;
  }

  const finish = (name: string, argument: string | undefined, status: number): number => {
    // Inside a group of letters, dash's OPTIND is already behind it, bash's still on it.
    env.assign("OPTIND", String(offset > 0 && !shell.bash ? index + 1 : index));
    env.getopts = { index, offset, optind: env.variables.get("OPTIND") };
    if (argument !== undefined) env.assign("OPTARG", argument);
    else if (shell.bash || status !== 0) env.variables.unset("OPTARG");
    else env.assign("OPTARG", "");
    env.assign(variable, name);
    return status;
  };

  const word = words[index - 1];
  if (offset === 0) {
    if (word === undefined || !word.startsWith("-") || word === "-")
      return finish("?", undefined, 1);
    if (word === "--") {
      index += 1;
      return finish("?", undefined, 1);
    }
    offset = 1;
  }
  const letter = word?.[offset] ?? "";
  offset += 1;
  const at = letter === ":" || letter === "" ? -1 : letters.indexOf(letter);
  let argument: string | undefined;
  const wanted = at >= 0 && letters[at + 1] === ":";
  if (wanted && offset < word!.length) argument = word!.slice(offset);
  if (wanted || offset >= (word?.length ?? 0)) {
    index += 1;
    offset = 0;
  }
  if (at < 0) {
    if (silent) return finish("?", letter, 0);
    await tell(call, `Illegal option -${letter}`, `illegal option -- ${letter}`);
    return finish("?", undefined, 0);
  }
  if (!wanted) return finish(letter, undefined, 0);
  if (argument === undefined) {
    argument = words[index - 1];
    if (argument !== undefined) index += 1;
  }
  if (argument !== undefined) return finish(letter, argument, 0);
  if (silent) return finish(":", letter, 0);
  await tell(call, `No arg for -${letter} option`, `option requires an argument -- ${letter}`);
  return finish("?", undefined, 0);
}

/** Without the shell's name and line: the message is the script's to its user. */
async function tell({ env, shell }: BuiltinCall, message: string, bash: string): Promise<void> {
  if (shell.bash && env.variables.value("OPTERR") === "0") return;
  const text = shell.bash ? `${env.name}: ${bash}` : message;
  await env.descriptors.get(2)?.write(encodeText(`${text}\n`));
}

export const getoptsBuiltins: Record<string, Builtin> = { getopts: { run: getopts } };
