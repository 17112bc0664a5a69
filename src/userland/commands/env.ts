/** Owns `env`. */
import type { Command } from "../command.js";
import { codeText } from "../support/errors.js";
import { parseOptions, usageFailure } from "../support/options.js";
import { quoted } from "../support/text.js";

export const main: Command = async (context) => {
  const options = parseOptions(
    context,
    "iu:0C:S:v",
    {
      "ignore-environment": "i",
      "unset=": "u",
      null: "0",
      "chdir=": "C",
      "split-string=": "S",
      debug: "v",
    },
    { stopAtOperand: true, status: 125 },
  );
  const split = options.get("S");
  const operands = [
    ...(split === undefined ? [] : split.split(/\s+/).filter((word) => word !== "")),
    ...options.operands,
  ];
  let fresh = options.has("i");
  if (operands[0] === "-") {
    operands.shift();
    fresh = true;
  }
  const env: Record<string, string | undefined> = fresh ? {} : { ...context.env };
  for (const name of options.all("u")) {
    if (name === "" || name.includes("=")) {
      throw usageFailure(context, `cannot unset ${quoted(name)}: Invalid argument`, 125);
    }
    delete env[name];
  }
  while (operands[0]?.includes("=")) {
    const assignment = operands.shift()!;
    const equals = assignment.indexOf("=");
    env[assignment.slice(0, equals)] = assignment.slice(equals + 1);
  }
  const end = options.has("0") ? "\0" : "\n";
  const [file, ...args] = operands;
  if (file === undefined) {
    for (const [name, value] of Object.entries(env)) {
      if (value !== undefined) context.write(`${name}=${value}${end}`);
    }
    return 0;
  }
  if (options.has("0")) {
    throw usageFailure(context, "cannot specify --null (-0) with command", 125);
  }
  const cwd = options.get("C");
  const { code, error } = await context.spawn(file, args, {
    env,
    ...(cwd === undefined ? {} : { cwd }),
  });
  if (error !== undefined) context.writeError(`env: ${quoted(file)}: ${codeText(error)}\n`);
  return code;
};
