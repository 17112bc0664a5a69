/** Owns `xxd` and, in its -C form, `hexdump`. */
import { CommandFailure, type Command, type CommandContext } from "../command.js";
import { errorText } from "../support/errors.js";
import { openInput, readAll } from "../support/input.js";
import { parseOptions } from "../support/options.js";
import { byteString } from "../support/text.js";

export const main: Command = (context) => {
  if (context.name !== "xxd") return hexdump(context);
  const options = parseOptions(context, "rpbeuc:g:l:s:i", {
    plain: "p",
    ps: "p",
    revert: "r",
    bits: "b",
    cols: "c",
    len: "l",
    include: "i",
    seek: "s",
    groupsize: "g",
    uppercase: "u",
  });
  const [name = "-"] = options.operands;
  const all = input(context, name);
  if (options.has("r")) {
    context.write(revert(byteString(all), options.has("p")));
    return 0;
  }
  const skip = Number(options.get("s") ?? 0);
  const start = skip < 0 ? Math.max(0, all.length + skip) : skip;
  const data = all.subarray(start, start + Number(options.get("l") ?? Infinity));
  if (options.has("i")) {
    context.write(included(data, name, options.has("u")));
    return 0;
  }
  const digits = (byte: number) => {
    const text = options.has("b")
      ? byte.toString(2).padStart(8, "0")
      : byte.toString(16).padStart(2, "0");
    return options.has("u") ? text.toUpperCase() : text;
  };
  const columns =
    Number(options.get("c") ?? (options.has("p") ? 30 : options.has("b") ? 6 : 16)) || 16;
  const group = Number(options.get("g") ?? (options.has("b") ? 1 : 2)) || columns;
  for (let at = 0; at < data.length; at += columns) {
    const line = data.subarray(at, at + columns);
    if (options.has("p")) {
      context.write(`${[...line].map(digits).join("")}\n`);
      continue;
    }
    let text = "";
    for (let from = 0; from < line.length; from += group) {
      text += `${[...line.subarray(from, from + group)].map(digits).join("")} `;
    }
    const width = columns * (options.has("b") ? 8 : 2) + Math.ceil(columns / group);
    const address = (start + at).toString(16).padStart(8, "0");
    context.write(
      `${address}: ${text.padEnd(width)} ${line.toString("latin1").replace(/[^ -~]/g, ".")}\n`,
    );
  }
  return 0;
};

function input(context: CommandContext, name: string): Buffer {
  try {
    return readAll(openInput(context, name));
  } catch (error) {
    throw new CommandFailure(`${name}: ${errorText(error)}`, 2);
  }
}

/** -i: an array of C; of a file with the names that C has for it. */
function included(data: Buffer, name: string, upper: boolean): string {
  const rows: string[] = [];
  for (let at = 0; at < data.length; at += 12) {
    const row = [...data.subarray(at, at + 12)].map((byte) => {
      const text = byte.toString(16).padStart(2, "0");
      return upper ? `0X${text.toUpperCase()}` : `0x${text}`;
    });
    rows.push(`  ${row.join(", ")}`);
  }
  const body = rows.length === 0 ? "" : `${rows.join(",\n")}\n`;
  if (name === "-") return body;
  const own = name.replace(/[^A-Za-z0-9]/g, "_").replace(/^(?=\d)/, "__");
  return `unsigned char ${own}[] = {\n${body}};\nunsigned int ${own}_len = ${data.length};\n`;
}

function revert(text: string, plain: boolean): Buffer {
  if (plain) return Buffer.from(text.replace(/[^0-9a-fA-F]/g, ""), "hex");
  const parts: Buffer[] = [];
  for (const line of text.split("\n")) {
    const match = /^[0-9a-fA-F]+: ?((?:[0-9a-fA-F]{2,} ?)+)/.exec(line);
    if (match !== null) parts.push(Buffer.from(match[1]!.replace(/ /g, ""), "hex"));
  }
  return Buffer.concat(parts);
}

function hexdump(context: CommandContext): number {
  const options = parseOptions(context, "Cvn:s:", {
    canonical: "C",
    "no-squeezing": "v",
    "length=": "n",
    "skip=": "s",
  });
  const skip = Number(options.get("s") ?? 0);
  const names = options.operands.length === 0 ? ["-"] : options.operands;
  const data = Buffer.concat(names.map((name) => input(context, name))).subarray(
    skip,
    skip + Number(options.get("n") ?? Infinity),
  );
  const canonical = options.has("C") || context.name === "hd";
  const width = canonical ? 8 : 7;
  const address = (at: number) => (at + skip).toString(16).padStart(width, "0");
  let before = "";
  let starred = false;
  for (let at = 0; at < data.length; at += 16) {
    const line = data.subarray(at, at + 16);
    const key = line.toString("latin1");
    if (!options.has("v") && key === before && line.length === 16) {
      if (!starred) context.write("*\n");
      starred = true;
      continue;
    }
    starred = false;
    before = key;
    const bytes = [...line].map((byte) => byte.toString(16).padStart(2, "0"));
    if (canonical) {
      const left = bytes.slice(0, 8).join(" ").padEnd(23);
      const right = bytes.slice(8).join(" ").padEnd(23);
      context.write(`${address(at)}  ${left}  ${right}  |${key.replace(/[^ -~]/g, ".")}|\n`);
    } else {
      const words: string[] = [];
      for (let from = 0; from < line.length; from += 2)
        words.push((bytes[from + 1] ?? "00") + bytes[from]!);
      context.write(`${`${address(at)} ${words.join(" ")}`.padEnd(47)}\n`);
    }
  }
  if (data.length > 0) context.write(`${address(data.length)}\n`);
  return 0;
}
