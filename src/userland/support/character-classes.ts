/** Owns what the classes of POSIX hold, such as `[:alpha:]`: among bytes, and among characters beyond ASCII. */
/** Members beyond ASCII, as the inside of a JavaScript class with the v flag. */
export interface WideSet {
  items: string;
  negated: boolean;
}

const classes: Record<string, (code: number) => boolean> = {
  alpha: (c) => (c >= 65 && c <= 90) || (c >= 97 && c <= 122),
  digit: (c) => c >= 48 && c <= 57,
  alnum: (c) => (c >= 65 && c <= 90) || (c >= 97 && c <= 122) || (c >= 48 && c <= 57),
  upper: (c) => c >= 65 && c <= 90,
  lower: (c) => c >= 97 && c <= 122,
  space: (c) => c === 32 || (c >= 9 && c <= 13),
  blank: (c) => c === 32 || c === 9,
  punct: (c) => c > 32 && c < 127 && !/[A-Za-z0-9]/.test(String.fromCharCode(c)),
  print: (c) => c >= 32 && c < 127,
  graph: (c) => c > 32 && c < 127,
  cntrl: (c) => c < 32 || c === 127,
  xdigit: (c) => /[0-9A-Fa-f]/.test(String.fromCharCode(c)),
};

/** The same beyond ASCII, as glibc derives them from Unicode: digits of other scripts are letters. */
export const wideClasses: Record<string, string> = {
  alpha: "\\p{Alphabetic}[\\p{Nd}--[0-9]]",
  digit: "",
  alnum: "\\p{Alphabetic}\\p{Nd}",
  upper: "\\p{Changes_When_Lowercased}",
  lower: "\\p{Changes_When_Uppercased}",
  space: "\\u1680\\u2000-\\u2006\\u2008-\\u200a\\u2028\\u2029\\u205f\\u3000",
  blank: "\\u1680\\u2000-\\u2006\\u2008-\\u200a\\u205f\\u3000",
  punct: "[[^\\p{Cn}\\p{Cc}\\p{Cs}\\p{Z}\\p{Alphabetic}\\p{Nd}]\\u00a0\\u2007\\u202f]",
  print: "[^\\p{Cn}\\p{Cc}\\p{Cs}\\u2028\\u2029]",
  graph: "[[^\\p{Cn}\\p{Cc}\\p{Cs}\\p{Z}]\\u00a0\\u2007\\u202f]",
  cntrl: "\\u0080-\\u009f\\u2028\\u2029",
  xdigit: "",
};

export const wideWord: WideSet = { items: wideClasses["alnum"]!, negated: false };

/** Whether a character beyond ASCII, decoded, is of a class; undefined when there is no such class. */
export function wideClass(name: string): RegExp | undefined {
  const items = Object.hasOwn(wideClasses, name) ? wideClasses[name] : undefined;
  return items === undefined ? undefined : new RegExp(`^[${items}]$`, "v");
}

export function characterClass(name: string): Uint8Array | undefined {
  const test = Object.hasOwn(classes, name) ? classes[name] : undefined;
  return test === undefined ? undefined : setOf(test);
}

function setOf(test: (code: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, code) => (test(code) ? 1 : 0));
}

export const wordSet = setOf((c) => c === 95 || classes["alnum"]!(c));
export const spaceSet = setOf(classes["space"]!);
export const complement = (set: Uint8Array) => set.map((bit) => 1 - bit);
export const anything = setOf(() => true);
export const upperHalf = setOf((c) => c > 127);
