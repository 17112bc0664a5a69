/** `mapfile` and `readarray`. */
import { decodeText, encodeText } from "../text.js";
import { ShellArray, validName } from "../variables.js";
import { quoteAlways } from "../quoting.js";
import type { Builtin, BuiltinCall } from "./builtin.js";
import type { Input } from "./read.js";
import { inputOf, readInput } from "./read.js";

const NEWLINE = 10;
/** Lines between two calls of the callback, unless `-c` says. */
const QUANTUM = 5000;

async function mapfile(call: BuiltinCall): Promise<number> {
  const { env, shell } = call;
  const { flags, operands } = call.options("tn:s:u:d:O:C:c:");
  const name = operands[0] ?? "MAPFILE";
  if (!validName.test(name)) return call.complain(`\`${name}': not a valid identifier`);
  if (env.variables.get(name)?.array?.associative === true) {
    return call.complain(`${name}: not an indexed array`);
  }
  const from = await inputOf(call, flags.get("u"));
  if (from === undefined) return 1;
  const number = (letter: string, otherwise: number): number => {
    const text = flags.get(letter);
    return text === undefined ? otherwise : call.number(text, `${text}: invalid line count`);
  };
  const delimiter = flags.has("d") ? (encodeText(flags.get("d")!)[0] ?? 0) : NEWLINE;
  const ending = flags.has("t") || delimiter === 0 ? "" : String.fromCharCode(delimiter);
  const skip = number("s", 0);
  const most = number("n", 0) || Infinity;
  const quantum = number("c", QUANTUM) || QUANTUM;
  const callback = flags.get("C");
  let at = number("O", 0);
  if (!flags.has("O")) env.variables.setArray(name, new ShellArray(false, []));
  const lines = env.variables.array(name);
  const input: Input = { from, delimiter, count: undefined, deadlineMs: undefined };
  for (let index = 0, taken = 0; taken < most; index++) {
    const { bytes, end } = await readInput(call, input);
    if (end === "eof" && bytes.length === 0) break;
    const text = decodeText(bytes).replaceAll("\0", "") + (end === "delimiter" ? ending : "");
    if (index >= skip) {
      taken += 1;
      if (callback !== undefined && taken % quantum === 0) {
        await shell.runText(env, `${callback} ${at} ${quoteAlways(text)}`);
      }
      lines.set(at++, text);
    }
    if (end === "eof") break;
  }
  return 0;
}

export const mapfileBuiltins: Record<string, Builtin> = {
  mapfile: { run: mapfile, bashOnly: true },
  readarray: { run: mapfile, bashOnly: true },
};
