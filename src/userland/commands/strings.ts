/** Owns `strings`: runs of text in any file. */
import { CommandFailure, type Command } from "../command.js";
import { eachInput } from "../support/input.js";
import { parseOptions } from "../support/options.js";
import { toBytes } from "../support/text.js";

export const main: Command = (context) => {
  const options = parseOptions(
    context,
    "ade:fn:os:t:TwU:",
    {
      all: "a",
      data: "d",
      "print-file-name": "f",
      "bytes=": "n",
      "radix=": "t",
      "encoding=": "e",
      "include-all-whitespace": "w",
      "output-separator=": "s",
    },
    { numberOption: "n" },
  );
  const least = Number(options.get("n") ?? 4);
  if (!Number.isInteger(least) || least < 1) {
    throw new CommandFailure(`invalid minimum string length ${options.get("n")}`);
  }
  const radix = options.has("o") ? "o" : options.get("t");
  if (radix !== undefined && !/^[odx]$/.test(radix))
    throw new CommandFailure(`invalid radix ${radix}`);
  const base = { o: 8, d: 10, x: 16 }[radix ?? "d"]!;
  const separator = toBytes(options.get("s") ?? "\n");
  const blank = options.has("w");
  const wide = options.get("e") === "S";
  const isText = (byte: number) =>
    (byte >= 32 && byte < 127) ||
    byte === 9 ||
    (wide && byte > 127) ||
    (blank && byte >= 10 && byte <= 13);
  const good = eachInput(
    context,
    options.operands,
    (source, name) => {
      let run = "";
      let at = 0;
      const end = () => {
        if (run.length >= least) {
          const file = options.has("f")
            ? `${toBytes(name === "-" ? "{standard input}" : name)}: `
            : "";
          const place =
            radix === undefined ? "" : `${(at - run.length).toString(base).padStart(7)} `;
          context.writeBytes(file + place + run + separator);
        }
        run = "";
      };
      for (;;) {
        const chunk = source.read();
        if (chunk.length === 0) break;
        for (const byte of chunk) {
          if (isText(byte)) run += String.fromCharCode(byte);
          else end();
          at++;
        }
      }
      end();
    },
    (name, reason) =>
      reason === "No such file or directory" ? `'${name}': No such file` : `${name}: ${reason}`,
  );
  return good ? 0 : 1;
};
