/** Owns matching a line against several patterns of any of grep's four syntaxes. */
import { CommandFailure } from "../command.js";
import { decode, decodeWithPositions, hasWide, isMultibyte } from "./characters.js";
import { afterCharacter, PosixRegex, RegexError } from "./regex.js";

export interface MatcherOptions {
  syntax: "E" | "F" | "G" | "P";
  ignoreCase: boolean;
  whole: "line" | "word" | undefined;
}

export interface Span {
  index: number;
  end: number;
}

export interface LineMatcher {
  test(line: string): boolean;
  /** From left to right without overlap; empty matches are left out. */
  all(line: string): Span[];
}

interface Matcher {
  test(line: string): boolean;
  exec(line: string, from: number): Span | undefined;
}

export function lineMatcher(patterns: string[], options: MatcherOptions): LineMatcher {
  let matchers: Matcher[];
  try {
    matchers = compile(patterns, options);
  } catch (error) {
    if (!(error instanceof RegexError)) throw error;
    throw new CommandFailure(error.message, 2);
  }
  const [only] = matchers;
  return {
    test:
      matchers.length === 1 && only !== undefined
        ? (line) => only.test(line)
        : (line) => matchers.some((matcher) => matcher.test(line)),
    all(line) {
      const spans: Span[] = [];
      for (let from = 0; from <= line.length;) {
        let best: Span | undefined;
        for (const matcher of matchers) {
          const span = matcher.exec(line, from);
          if (span === undefined) continue;
          const better =
            best === undefined ||
            span.index < best.index ||
            (span.index === best.index && span.end > best.end);
          if (better) best = span;
        }
        if (best === undefined) break;
        if (best.end > best.index) spans.push(best);
        from = best.end > best.index ? best.end : afterCharacter(line, best.end);
      }
      return spans;
    },
  };
}

function compile(patterns: string[], options: MatcherOptions): Matcher[] {
  const { syntax, ignoreCase, whole } = options;
  if (syntax === "P") return patterns.map((pattern) => perl(pattern, options));
  if (syntax === "F") {
    if (!ignoreCase && whole === undefined) {
      return patterns.map((pattern) => ({
        test: (line) => line.includes(pattern),
        exec(line, from) {
          const index = line.indexOf(pattern, from);
          return index === -1 ? undefined : { index, end: index + pattern.length };
        },
      }));
    }
    const escaped = patterns.map((pattern) => pattern.replace(/[\\^$.*[\]]/g, "\\$&"));
    return escaped.map((pattern) => posix(pattern, { ...options, syntax: "G" }));
  }
  return patterns.map((pattern) => posix(pattern, options));
}

function posix(pattern: string, options: MatcherOptions): Matcher {
  const regex = new PosixRegex(pattern, {
    extended: options.syntax === "E",
    ignoreCase: options.ignoreCase,
    looseIntervals: true,
    ...(options.whole === undefined ? {} : { whole: options.whole }),
  });
  return { test: (line) => regex.test(line), exec: (line, from) => regex.exec(line, from) };
}

/** What the names of POSIX stand for between brackets of JavaScript. */
export const posixClass: Record<string, string> = {
  alpha: "A-Za-z",
  digit: "0-9",
  alnum: "A-Za-z0-9",
  upper: "A-Z",
  lower: "a-z",
  space: "\\s",
  blank: " \\t",
  punct: "!-\\/:-@\\[-`{-~",
  xdigit: "0-9A-Fa-f",
  word: "\\w",
};

/** Perl's syntax is JavaScript's for all that is used in practice; these few are rewritten. */
function perl(pattern: string, { ignoreCase, whole }: MatcherOptions): Matcher {
  let kept = false;
  let flags = ignoreCase ? "gi" : "g";
  let source = pattern
    .replace(/^\(\?([imsx]+)\)/, (_, letters: string) => {
      for (const letter of letters)
        if ("ims".includes(letter) && !flags.includes(letter)) flags += letter;
      return "";
    })
    .replace(/\[:(\w+):\]/g, (text, name: string) => posixClass[name] ?? text)
    .replace(/\\K/g, () => ((kept = true), "(?<kept>)"))
    .replace(
      /\\([hAzZR])/g,
      (_, letter: string) =>
        ({ h: "[ \\t]", A: "^", z: "$", Z: "$", R: "(?:\\r\\n|\\n)" })[letter]!,
    )
    .replace(/\(\?P</g, "(?<")
    .replace(/\\Q(.*?)(?:\\E|$)/g, (_, text: string) =>
      text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"),
    )
    .replace(/((?:^|[^\\])(?:[*+?}]))\+/g, "$1");
  if (whole === "line") source = `^(?:${source})$`;
  if (whole === "word") source = `(?<!\\w)(?:${source})(?!\\w)`;
  const regex = perlRegex(source, kept ? `${flags}d` : flags);
  const exec = (line: string, from: number): Span | undefined => {
    regex.lastIndex = from;
    const found = regex.exec(line);
    if (found === null) return undefined;
    const end = found.index + found[0].length;
    return { index: kept ? found.indices!.groups!["kept"]![0] : found.index, end };
  };
  return {
    test(line) {
      regex.lastIndex = 0;
      return regex.test(hasWide(line) ? decode(line) : line);
    },
    exec(line, from) {
      if (!hasWide(line)) return exec(line, from);
      const { text, toByte, fromByte } = decodeWithPositions(line);
      const span = exec(text, fromByte[from]!);
      if (span === undefined) return undefined;
      return { index: toByte[span.index]!, end: toByte[span.end]! };
    },
  };
}

/** Characters need the u flag, which refuses escapes that Perl lets pass: those go without. */
function perlRegex(source: string, flags: string): RegExp {
  if (isMultibyte()) {
    try {
      return new RegExp(decode(source), `${flags}u`);
    } catch {
      // The pattern may still be one without the flag.
    }
  }
  try {
    return new RegExp(isMultibyte() ? decode(source) : source, flags);
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace(/^.*: /s, "").toLowerCase() : "";
    throw new CommandFailure(reason || "invalid pattern", 2);
  }
}

/** The line with its matches in a colour, which is an escape of terminals. */
export function paintedMatches(matcher: LineMatcher, text: string, color: string): string {
  let output = "";
  let at = 0;
  for (const { index, end } of matcher.all(text)) {
    if (end === index) continue;
    output += `${text.slice(at, index)}${color}${text.slice(index, end)}\x1b[m\x1b[K`;
    at = end;
  }
  return output + text.slice(at);
}
