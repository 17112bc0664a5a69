/** Owns `tr`: a table of 256 bytes. */
import { CommandFailure, type Command, type CommandContext } from "../command.js";
import { characterClass } from "../support/regex-parse.js";
import { parseOptions, usageFailure } from "../support/options.js";
import { quoted, readEscape, toBytes } from "../support/text.js";

/** A repeat that fills up the second set. */
const fill = -1;

export const main: Command = (context) => {
  const options = parseOptions(
    context,
    "cCdst",
    { complement: "c", delete: "d", "squeeze-repeats": "s", "truncate-set1": "t" },
    { stopAtOperand: true },
  );
  const [first, second, extra] = options.operands;
  const [complement, remove, squeeze] = [options.has("c", "C"), options.has("d"), options.has("s")];
  if (first === undefined) throw usageFailure(context, "missing operand");
  const needsTwo = remove === squeeze;
  if (second === undefined && needsTwo) {
    throw new CommandFailure(
      `missing operand after ${quoted(first)}`,
      1,
      `Two strings must be given when ${squeeze ? "both deleting and squeezing repeats" : "translating"}.\nTry 'tr --help' for more information.\n`,
    );
  }
  if (extra !== undefined || (remove && !squeeze && second !== undefined)) {
    throw usageFailure(
      context,
      `extra operand ${quoted(extra ?? second!)}` +
        (extra === undefined
          ? "\nOnly one string may be given when deleting without squeezing repeats."
          : ""),
    );
  }
  let from = expand(toBytes(first), false).codes;
  if (complement) {
    const members = new Set(from);
    from = Array.from({ length: 256 }, (_, code) => code).filter((code) => !members.has(code));
  }
  const translate = !remove && second !== undefined;
  const table = Uint8Array.from({ length: 256 }, (_, code) => code);
  const removed = new Uint8Array(256);
  const squeezed = new Uint8Array(256);
  if (remove) for (const code of from) removed[code] = 1;
  let to: number[] = [];
  if (second !== undefined) {
    const expanded = expand(toBytes(second), true);
    to = filled(expanded.codes, from.length);
    if (translate) {
      if (to.length === 0 && !options.has("t")) {
        throw new CommandFailure("when not truncating set1, string2 must be non-empty");
      }
      const last = to.at(-1);
      from.forEach((code, at) => {
        const target = to[at] ?? (options.has("t") ? undefined : last);
        if (target !== undefined) table[code] = target;
      });
    }
  }
  if (squeeze) for (const code of second === undefined ? from : to) squeezed[code] = 1;
  run(context, table, removed, squeezed, squeeze);
  return 0;
};

function run(
  context: CommandContext,
  table: Uint8Array,
  removed: Uint8Array,
  squeezed: Uint8Array,
  squeeze: boolean,
): void {
  let last = -1;
  for (;;) {
    const chunk = context.readInput();
    if (chunk.length === 0) return;
    const output = Buffer.allocUnsafe(chunk.length);
    let length = 0;
    for (const byte of chunk) {
      if (removed[byte]) continue;
      const code = table[byte]!;
      if (squeeze && code === last && squeezed[code]) continue;
      last = code;
      output[length++] = code;
    }
    context.write(output.subarray(0, length));
  }
}

function filled(codes: number[], wanted: number): number[] {
  const at = codes.findIndex((code) => code < 0);
  if (at === -1) return codes;
  const missing = Math.max(0, wanted - (codes.length - 1));
  const code = -codes[at]! + fill;
  return [
    ...codes.slice(0, at),
    ...Array.from({ length: missing }, () => code),
    ...codes.slice(at + 1),
  ];
}

/** `[c*]` is kept as a negative number, -(code + 1), until the length of the other set is known. */
function expand(text: string, second: boolean): { codes: number[] } {
  const codes: number[] = [];
  let at = 0;
  const single = (): number => {
    const escape = text[at] === "\\" ? readEscape(text, at) : undefined;
    if (escape !== undefined && !/[eEuUx]/.test(text[at + 1]!)) {
      at = escape.end;
      return escape.value.charCodeAt(0);
    }
    if (text[at] === "\\" && at + 1 < text.length) at++;
    return text.charCodeAt(at++);
  };
  while (at < text.length) {
    const group = /^\[:([a-z]*):\]|^\[=([^])=\]|^\[(\\?[^])\*(\d*)\]/.exec(text.slice(at));
    if (group !== null && group[1] !== undefined) {
      const members = characterClass(group[1]);
      if (members === undefined) {
        throw new CommandFailure(`invalid character class ${quoted(group[1])}`);
      }
      members.forEach((bit, code) => bit && codes.push(code));
      at += group[0].length;
      continue;
    }
    if (group !== null && group[2] !== undefined) {
      codes.push(group[2].charCodeAt(0));
      at += group[0].length;
      continue;
    }
    if (group !== null && group[3] !== undefined && second) {
      const code = group[3].at(-1)!.charCodeAt(0);
      const count = group[4] === "" ? 0 : parseInt(group[4]!, group[4]!.startsWith("0") ? 8 : 10);
      if (count === 0) codes.push(-(code + 1));
      else codes.push(...Array.from({ length: Math.min(count, 65536) }, () => code));
      at += group[0].length;
      continue;
    }
    const low = single();
    if (text[at] === "-" && at + 1 < text.length) {
      at++;
      const high = single();
      if (high < low) {
        const show = (code: number) => String.fromCharCode(code);
        throw new CommandFailure(
          `range-endpoints of '${show(low)}-${show(high)}' are in reverse collating sequence order`,
        );
      }
      for (let code = low; code <= high; code++) codes.push(code);
    } else codes.push(low);
  }
  return { codes };
}
