/** Owns `echo`. */
import type { Command } from "../command.js";
import { readEscape, toBytes } from "../support/text.js";

export const main: Command = (context) => {
  let index = 1;
  let newline = true;
  let escapes = false;
  for (; index < context.argv.length; index++) {
    const word = context.argv[index]!;
    if (!/^-[neE]+$/.test(word)) break;
    for (const letter of word.slice(1)) {
      if (letter === "n") newline = false;
      else escapes = letter === "e";
    }
  }
  const text = toBytes(context.argv.slice(index).join(" "));
  const { output, stopped } = escapes ? interpret(text) : { output: text, stopped: false };
  context.writeBytes(newline && !stopped ? `${output}\n` : output);
  return 0;
};

function interpret(text: string): { output: string; stopped: boolean } {
  let output = "";
  for (let at = 0; at < text.length;) {
    if (text[at] !== "\\") {
      output += text[at++];
      continue;
    }
    if (text[at + 1] === "c") return { output, stopped: true };
    const octal = /^\\0([0-7]{1,3})/.exec(text.slice(at, at + 5));
    if (octal !== null) {
      output += String.fromCharCode(parseInt(octal[1]!, 8) & 255);
      at += octal[0].length;
      continue;
    }
    const escape = readEscape(text, at);
    output += escape?.value ?? "\\";
    at = escape?.end ?? at + 1;
  }
  return { output, stopped: false };
}
