/** Owns `envsubst`: `$NAME` and `${NAME}` become what the environment says. */
import { CommandFailure, type Command } from "../command.js";
import { readAll, standardInput } from "../support/input.js";
import { parseOptions } from "../support/options.js";
import { byteString, toBytes } from "../support/text.js";

const reference = /\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))/g;

export const main: Command = (context) => {
  const options = parseOptions(context, "vhV", { variables: "v" });
  const [format, extra] = options.operands;
  if (extra !== undefined) throw new CommandFailure("too many arguments");
  const named = (text: string) =>
    [...text.matchAll(reference)].map((match) => match[1] ?? match[2]!);
  if (options.has("v")) {
    for (const name of named(format ?? "")) context.write(`${name}\n`);
    return 0;
  }
  const wanted = format === undefined ? undefined : new Set(named(format));
  const text = byteString(readAll(standardInput(context)));
  context.writeBytes(
    text.replace(reference, (whole, braced: string | undefined, bare: string) => {
      const name = braced ?? bare;
      if (wanted !== undefined && !wanted.has(name)) return whole;
      return toBytes(context.env[name] ?? "");
    }),
  );
  return 0;
};
