/** Owns `tr`: characters become others, go, or lose their repetitions. */
import { CommandFailure, type Command, type CommandContext } from "../command.js";
import { decode, encode, hasWide, isMultibyte, wholeCharacters } from "../support/characters.js";
import { characterClass, wideClass } from "../support/character-classes.js";
import { parseOptions, usageFailure } from "../support/options.js";
import { byteString, quoted, readEscape, toBytes } from "../support/text.js";

/** What one character code comes to. */
interface Plan {
  removes(code: number): boolean;
  translate(code: number): number;
  squeezes(code: number): boolean;
}

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
  const from = expand(characters(first), false);
  const to = second === undefined ? undefined : expand(characters(second), true);
  run(context, planOf(from, to, { complement, remove, squeeze, truncate: options.has("t") }));
  return 0;
};

function planOf(
  from: CharacterSet,
  to: CharacterSet | undefined,
  how: { complement: boolean; remove: boolean; squeeze: boolean; truncate: boolean },
): Plan {
  const inFirst = memberOf(from, how.complement);
  const never = () => false;
  const same = (code: number) => code;
  const removes = how.remove ? inFirst : never;
  if (to === undefined) {
    return { removes, translate: same, squeezes: how.squeeze ? inFirst : never };
  }
  // All that is not in the first set is taken in order; beyond one byte it becomes the last of the other.
  const sources = how.complement ? complementOf(from) : from.codes;
  const targets = filled(to, sources.length);
  const squeezes = how.squeeze ? memberOf({ codes: targets, wide: to.wide }, false) : never;
  if (how.remove) return { removes, translate: same, squeezes };
  if (targets.length === 0 && !how.truncate) {
    throw new CommandFailure("when not truncating set1, string2 must be non-empty");
  }
  const last = targets.at(-1);
  const table = new Map<number, number>();
  sources.forEach((code, at) => {
    const target = targets[at] ?? (how.truncate ? undefined : last);
    if (target !== undefined) table.set(code, target);
  });
  const caseChange = changeOfCase(from, to);
  const translate = (code: number): number => {
    const target = table.get(code);
    if (target !== undefined) return target;
    if (code < 0x80 || !isMultibyte()) return code;
    if (caseChange !== undefined) return caseChange(code);
    return last !== undefined && !how.truncate && inFirst(code) ? last : code;
  };
  return { removes, translate, squeezes };
}

/** `[:lower:]` to `[:upper:]` or back, for what is beyond the table. */
function changeOfCase(
  from: CharacterSet,
  to: CharacterSet,
): ((code: number) => number) | undefined {
  const pair = `${from.className ?? ""} ${to.className ?? ""}`;
  if (pair !== "lower upper" && pair !== "upper lower") return undefined;
  return (code) => {
    const char = String.fromCodePoint(code);
    const other = pair === "lower upper" ? char.toUpperCase() : char.toLowerCase();
    const changed = other.codePointAt(0)!;
    return String.fromCodePoint(changed) === other ? changed : code;
  };
}

function memberOf(set: CharacterSet, complement: boolean): (code: number) => boolean {
  const codes = new Set(set.codes);
  const { wide } = set;
  return (code) => {
    const member =
      codes.has(code) ||
      (code > 0x7f && wide.some((each) => each.test(String.fromCodePoint(code))));
    return member !== complement;
  };
}

function complementOf(set: CharacterSet): number[] {
  const members = memberOf(set, false);
  const size = isMultibyte() ? 128 : 256;
  return Array.from({ length: size }, (_, code) => code).filter((code) => !members(code));
}

function run(context: CommandContext, plan: Plan): void {
  const { removes, translate, squeezes } = plan;
  // What happens to the first codes is worked out once.
  const size = isMultibyte() ? 128 : 256;
  const codes = Array.from({ length: size }, (_, code) => code);
  const removed = Uint8Array.from(codes, (code) => (removes(code) ? 1 : 0));
  const table = Uint32Array.from(codes, translate);
  const squeezed = Uint8Array.from(codes, (code) => (squeezes(code) ? 1 : 0));
  const bytesStayBytes = table.every((code) => code < size);
  let last = -1;
  /** The code that is left of one, or -1. */
  const step = (code: number): number => {
    if (code < size ? removed[code] : removes(code)) return -1;
    const next = code < size ? table[code]! : translate(code);
    if (next === last && (next < size ? squeezed[next] : squeezes(next))) return -1;
    last = next;
    return next;
  };
  let cut = "";
  for (;;) {
    const chunk = context.readInput();
    const bytes = cut + byteString(chunk);
    if (bytesStayBytes && !hasWide(bytes)) {
      const output = Buffer.allocUnsafe(chunk.length);
      let length = 0;
      for (const byte of chunk) {
        const code = step(byte);
        if (code >= 0) output[length++] = code;
      }
      context.write(output.subarray(0, length));
    } else {
      const end = chunk.length === 0 ? bytes.length : wholeCharacters(bytes);
      cut = bytes.slice(end);
      let output = "";
      for (const char of decode(bytes.slice(0, end))) {
        const code = step(char.codePointAt(0)!);
        if (code >= 0) output += String.fromCodePoint(code);
      }
      context.writeBytes(encode(output));
    }
    if (chunk.length === 0) return;
  }
}

/** A set as it was given: codes in order, and what classes hold beyond ASCII. */
interface CharacterSet {
  codes: number[];
  wide: RegExp[];
  /** The class that is all of the set. */
  className?: string;
}

/** `[c*]` is a negative number, -(code + 1), until the length of the other set is known. */
function filled(set: CharacterSet, wanted: number): number[] {
  const { codes } = set;
  const at = codes.findIndex((code) => code < 0);
  if (at === -1) return codes;
  const missing = Math.max(0, wanted - (codes.length - 1));
  const code = -codes[at]! - 1;
  return [
    ...codes.slice(0, at),
    ...Array.from({ length: missing }, () => code),
    ...codes.slice(at + 1),
  ];
}

/** A word of the command line: bytes one by one, or characters. */
function characters(word: string): string {
  return isMultibyte() ? word : toBytes(word);
}

/** A range may not name more than Unicode has; it is written out. */
function expand(text: string, second: boolean): CharacterSet {
  const set: CharacterSet = { codes: [], wide: [] };
  const { codes } = set;
  let at = 0;
  const single = (): number => {
    const escape = text[at] === "\\" ? readEscape(text, at) : undefined;
    if (escape !== undefined && !/[eEuUx]/.test(text[at + 1]!)) {
      at = escape.end;
      const code = escape.value.charCodeAt(0);
      // A byte beyond ASCII is a stray one, as decoded text holds it.
      return isMultibyte() && code > 0x7f ? decode(escape.value).codePointAt(0)! : code;
    }
    if (text[at] === "\\" && at + 1 < text.length) at++;
    const code = text.codePointAt(at)!;
    at += code > 0xffff ? 2 : 1;
    return code;
  };
  while (at < text.length) {
    const group = /^\[:([a-z]*):\]|^\[=([^])=\]|^\[(\\[0-7]{1,3}|\\?[^])\*(\d*)\]/u.exec(
      text.slice(at),
    );
    if (group !== null && group[1] !== undefined) {
      const members = characterClass(group[1]);
      if (members === undefined) {
        throw new CommandFailure(`invalid character class ${quoted(group[1])}`);
      }
      members.forEach((bit, code) => bit && codes.push(code));
      if (isMultibyte()) set.wide.push(wideClass(group[1])!);
      if (group[0].length === text.length) set.className = group[1];
      at += group[0].length;
      continue;
    }
    if (group !== null && group[2] !== undefined) {
      codes.push(group[2].codePointAt(0)!);
      at += group[0].length;
      continue;
    }
    if (group !== null && group[3] !== undefined && second) {
      at++;
      const code = single();
      const count = group[4] === "" ? 0 : parseInt(group[4]!, group[4]!.startsWith("0") ? 8 : 10);
      if (count === 0) codes.push(-(code + 1));
      else for (let left = Math.min(count, 65536); left > 0; left--) codes.push(code);
      at += 2 + group[4]!.length;
      continue;
    }
    const low = single();
    if (text[at] === "-" && at + 1 < text.length) {
      at++;
      const high = single();
      if (high < low) {
        const show = (code: number) => String.fromCodePoint(code);
        throw new CommandFailure(
          `range-endpoints of '${show(low)}-${show(high)}' are in reverse collating sequence order`,
        );
      }
      for (let code = low; code <= high; code++) codes.push(code);
    } else codes.push(low);
  }
  return set;
}
