/** Owns `stty`: the size of the terminal and raw mode, as far as the machine's terminals have them. */
import { ReadStream, WriteStream } from "node:tty";
import { CommandFailure, type Command } from "../command.js";

const sane = ["speed 38400 baud; line = 0;", "-brkint -imaxbel iutf8"];

export const main: Command = (context) => {
  const words = context.argv.slice(1);
  if (words[0] === "-F" || words[0] === "--file") words.splice(0, 2);
  if (!context.isTerminal(0)) {
    throw new CommandFailure("'standard input': Inappropriate ioctl for device");
  }
  const size = sizeOf(context.isTerminal(1) ? 1 : 0);
  const [first] = words;
  if (first === undefined || first === "-a" || first === "--all") {
    const rows = first === undefined ? "" : ` rows ${size.rows}; columns ${size.columns};`;
    context.write(
      `${sane[0]!.replace(" line", `${rows} line`)}\n${first === undefined ? `${sane[1]}\n` : ""}`,
    );
    return 0;
  }
  if (first === "-g" || first === "--save") {
    context.write(
      "500:5:bf:8a3b:3:1c:7f:15:4:0:1:0:11:13:1a:0:12:f:17:16:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0\n",
    );
    return 0;
  }
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!;
    if (word === "size") context.write(`${size.rows} ${size.columns}\n`);
    else if (word === "speed") context.write("38400\n");
    else if (
      word === "rows" ||
      word === "cols" ||
      word === "columns" ||
      word === "min" ||
      word === "time"
    )
      at++;
    else if (["raw", "-icanon", "cbreak"].includes(word)) setRaw(true);
    else if (["-raw", "icanon", "-cbreak", "cooked", "sane"].includes(word)) setRaw(false);
    // The line discipline is the machine's: what it does not have is taken as said.
    else if (/^[0-9a-f]+(?::[0-9a-f]+)+$/.test(word)) setRaw(false);
    else if (!/^-?[a-z0-9]+$/.test(word))
      throw new CommandFailure(
        `invalid argument '${word}'`,
        1,
        "Try 'stty --help' for more information.\n",
      );
  }
  return 0;
};

function sizeOf(fd: number): { rows: number; columns: number } {
  try {
    const [columns, rows] = new WriteStream(fd).getWindowSize();
    return { rows, columns };
  } catch {
    return { rows: 0, columns: 0 };
  }
}

function setRaw(raw: boolean): void {
  try {
    const stream = new ReadStream(0);
    stream.setRawMode(raw);
    stream.unref();
  } catch {
    throw new CommandFailure("'standard input': unable to perform all requested operations");
  }
}
