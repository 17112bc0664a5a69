/** Owns pathspecs: which paths of the repository the words of a command line name, patterns and `:(magic)` among them. */
import { globRegex } from "../../support/glob.js";
import { fatal } from "./failures.js";
import type { Repository } from "./repository.js";

interface Part {
  readonly excludes: boolean;
  has(path: string): boolean;
}

/** Letters behind a colon; gitglossary(7). */
const shortMagic: ReadonlyMap<string, string> = new Map([
  ["/", "top"],
  ["!", "exclude"],
  ["^", "exclude"],
]);
const known = new Set(["top", "literal", "icase", "glob", "exclude"]);

function magicOf(word: string): { magic: Set<string>; rest: string } {
  const long = /^:\(([^)]*)\)(.*)$/s.exec(word);
  if (long !== null) {
    const magic = new Set(long[1]!.split(",").filter(Boolean));
    for (const one of magic)
      if (!known.has(one)) throw fatal(`Invalid pathspec magic '${one}' in '${word}'`);
    return { magic, rest: long[2]! };
  }
  const [, letters = "", rest = word] = /^:([/!^]+):?(.*)$/s.exec(word) ?? [];
  return { magic: new Set([...letters].map((one) => shortMagic.get(one)!)), rest };
}

/** `**` and a slash are any folders or none, where `*` stops at slashes. */
function deepRegex(pattern: string, ignoreCase: boolean): RegExp {
  const source = pattern
    .split(/(\*\*\/|\/\*\*$|\*\*)/)
    .map((piece) => {
      if (piece === "**/") return "(?:.*/)?";
      if (piece === "/**") return "/.*";
      if (piece === "**") return ".*";
      return globRegex(piece, { pathname: true }).source.slice("^(?:".length, -")$".length);
    })
    .join("");
  return new RegExp(`^(?:${source})$`, ignoreCase ? "isu" : "su");
}

function partOf(repository: Repository, word: string): Part {
  const { magic, rest } = magicOf(word);
  const below = magic.has("top") ? repository.dir : repository.context.cwd();
  const path = repository.pathOf(rest === "" ? "." : rest, below).replace(/\/+$/, "");
  const excludes = magic.has("exclude");
  if (path === ".") return { excludes, has: () => true };
  const ignoreCase = magic.has("icase");
  const same = (text: string): string => (ignoreCase ? text.toLowerCase() : text);
  const within = (each: string): boolean =>
    same(each) === same(path) || same(each).startsWith(`${same(path)}/`);
  if (magic.has("literal") || !/[*?[]/.test(path)) return { excludes, has: within };
  const pattern = magic.has("glob") ? deepRegex(path, ignoreCase) : globRegex(path, { ignoreCase });
  return { excludes, has: (each) => within(each) || pattern.test(each) };
}

/** Whether a path is named; everything is where no word names anything. */
export function pathspec(
  repository: Repository,
  words: readonly string[],
): (path: string) => boolean {
  const parts = words.map((word) => partOf(repository, word));
  const wanted = parts.filter(({ excludes }) => !excludes);
  const left = parts.filter(({ excludes }) => excludes);
  return (path) =>
    (wanted.length === 0 || wanted.some((part) => part.has(path))) &&
    !left.some((part) => part.has(path));
}

/** Whether a word is more than the name of one path. */
export const isPattern = (word: string): boolean => /^:[(/!^]/.test(word) || /[*?[]/.test(word);
