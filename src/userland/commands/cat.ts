/** Owns `cat`. */
import type { Command, CommandContext } from "../command.js";
import { chunkBytes, eachInput, type ByteSource } from "../support/input.js";
import { parseOptions } from "../support/options.js";
import { byteString } from "../support/text.js";

export const main: Command = (context) => {
  const options = parseOptions(context, "AbeEnstTuv", {
    "show-all": "A",
    "number-nonblank": "b",
    "show-ends": "E",
    number: "n",
    "squeeze-blank": "s",
    "show-tabs": "T",
    "show-nonprinting": "v",
  });
  const style: Style = {
    numbers: options.has("b") ? "nonblank" : options.has("n") ? "all" : "none",
    ends: options.has("E", "A", "e"),
    squeeze: options.has("s"),
    tabs: options.has("T", "A", "t"),
    nonprinting: options.has("v", "A", "e", "t"),
  };
  const plain =
    style.numbers === "none" && !style.ends && !style.squeeze && !style.tabs && !style.nonprinting;
  const show = plain ? (source: ByteSource) => copy(context, source) : styled(context, style);
  return eachInput(context, options.operands, show) ? 0 : 1;
};

interface Style {
  numbers: "none" | "all" | "nonblank";
  ends: boolean;
  squeeze: boolean;
  tabs: boolean;
  nonprinting: boolean;
}

function copy(context: CommandContext, source: ByteSource): void {
  for (;;) {
    const chunk = source.read();
    if (chunk.length === 0) return;
    context.write(chunk);
    // Whoever reads a pipe of ours slowly must see what a slow writer of ours wrote.
    if (chunk.length < chunkBytes) context.flush();
  }
}

function caret(char: string, tabs: boolean): string {
  const code = char.charCodeAt(0);
  if (char === "\t") return tabs ? "^I" : char;
  if (code < 32) return `^${String.fromCharCode(code + 64)}`;
  if (code === 127) return "^?";
  if (code < 128) return char;
  return `M-${caret(String.fromCharCode(code - 128), true)}`;
}

function styled(context: CommandContext, style: Style): (source: ByteSource) => void {
  let line = 0;
  let blank = 0;
  let atStart = true;
  return (source) => {
    for (;;) {
      const chunk = byteString(source.read());
      if (chunk === "") return;
      let from = 0;
      while (from < chunk.length) {
        const newline = chunk.indexOf("\n", from);
        let text = chunk.slice(from, newline === -1 ? undefined : newline);
        from = newline === -1 ? chunk.length : newline + 1;
        const empty = atStart && text === "" && newline !== -1;
        blank = empty ? blank + 1 : 0;
        if (style.squeeze && blank > 1) continue;
        const counted = style.numbers === "all" || (style.numbers === "nonblank" && !empty);
        const prefix = atStart && counted ? `${String(++line).padStart(6)}\t` : "";
        if (style.nonprinting)
          // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
          text = text.replace(/[\x00-\x1f\x7f-\xff]/g, (c) => caret(c, style.tabs));
        else if (style.tabs) text = text.replaceAll("\t", "^I");
        const end = newline === -1 ? "" : style.ends ? "$\n" : "\n";
        context.writeBytes(prefix + text + end);
        atStart = newline !== -1;
      }
    }
  };
}
