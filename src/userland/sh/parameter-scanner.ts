/** Owns the syntax of `${…}`. */
import type { ParameterOperation, ParameterPart, Word } from "./ast.js";
import { emptyWord } from "./ast.js";
import type { WordScanner } from "./word-scanner.js";

const parameterName = /[A-Za-z_]\w*|[0-9]+|[@*#?$!-]/y;
const lengthOf = /#(?=(?:[A-Za-z_]\w*|[0-9]+|[@*?$!-]|#(?=\}))[}[])/y;
const indirectName = /!(?=[A-Za-z_]|[0-9]|[#@*]\})/y;
const transformOperator = /@[UuLQEPAKak](?=\})/y;
const testOperator = /:?[-=?+]/y;

const tests = { "-": "default", "=": "assign", "?": "error", "+": "alternate" } as const;
const changes = { "^": "upper", ",": "lower", "~": "toggle" } as const;
const places = { "/": "all", "#": "prefix", "%": "suffix" } as const;

/** The scanner stands on `{`. */
export function scanParameter(words: WordScanner, quoted: boolean): ParameterPart {
  const { scanner } = words;
  const from = scanner.position;
  scanner.position += 1;
  const length = scanner.match(lengthOf) !== undefined;
  const indirect = !length && scanner.match(indirectName) !== undefined;
  const name = scanner.match(parameterName);
  if (name === undefined) return bad(words, quoted, from);
  const index = scanner.peek() === "[" && /^[A-Za-z_]/.test(name) ? subscript(words) : undefined;
  const named = { kind: "parameter" as const, name, quoted, ...(index && { index }) };
  if (scanner.peek() === "") scanner.failAtEnd("Missing '}'", { quote: "}" });
  if (length) {
    if (scanner.peek() !== "}") return bad(words, quoted, from);
    scanner.position += 1;
    return { ...named, operation: { type: "length" } };
  }
  if (indirect) {
    const keys = typeof index === "string" && scanner.match(/\}/y) !== undefined;
    const names = index === undefined ? scanner.match(/[*@]\}/y) : undefined;
    if (keys || names !== undefined) {
      const star = index === "*" || names?.[0] === "*";
      return { ...named, operation: { type: "names", star } };
    }
  }
  const part = indirect ? { ...named, indirect: true as const } : named;
  if (scanner.peek() === "}") {
    scanner.position += 1;
    return part;
  }
  const operation = scanOperation(words, quoted);
  return operation === undefined ? bad(words, quoted, from) : { ...part, operation };
}

function subscript(words: WordScanner): Word | "@" | "*" {
  const { scanner } = words;
  const all = scanner.match(/\[[@*]\]/y);
  if (all !== undefined) return all[1] as "@" | "*";
  scanner.position += 1;
  return words.closedBy("]", false);
}

/** From the operator to behind the `}`; `undefined` when there is no such operator. */
function scanOperation(words: WordScanner, quoted: boolean): ParameterOperation | undefined {
  const { scanner } = words;
  const test = scanner.match(testOperator);
  if (test !== undefined) {
    const type = tests[test.at(-1) as keyof typeof tests];
    return { type, colon: test.length === 2, word: words.closedBy("}", quoted) };
  }
  const operator = scanner.peek();
  const doubled = scanner.peek(1) === operator;
  switch (operator) {
    case "#":
    case "%": {
      scanner.position += doubled ? 2 : 1;
      const side = operator === "#" ? "prefix" : "suffix";
      return { type: "trim", side, longest: doubled, pattern: words.closedBy("}", false) };
    }
    case "/": {
      scanner.position += 1;
      const where = places[scanner.peek() as keyof typeof places];
      if (where !== undefined) scanner.position += 1;
      const pattern = words.until("}/", false);
      const replaces = scanner.peek() === "/";
      scanner.position += 1;
      const replacement = replaces ? words.closedBy("}", false) : emptyWord;
      return { type: "replace", where: where ?? "first", pattern, replacement };
    }
    case ":": {
      scanner.position += 1;
      const offset = words.until("}:", true);
      const limited = scanner.peek() === ":";
      scanner.position += 1;
      if (!limited) return { type: "slice", offset };
      return { type: "slice", offset, length: words.closedBy("}", true) };
    }
    case "^":
    case ",":
    case "~": {
      scanner.position += doubled ? 2 : 1;
      const change = changes[operator];
      return { type: "case", change, all: doubled, pattern: words.closedBy("}", false) };
    }
    case "@": {
      const transform = scanner.match(transformOperator);
      if (transform === undefined) return undefined;
      scanner.position += 1;
      return { type: "transform", operator: transform[1]! };
    }
    default:
      return undefined;
  }
}

/** Skips to the matching brace; the error is reported when the word is expanded, as dash does. */
function bad(words: WordScanner, quoted: boolean, from: number): ParameterPart {
  words.closedBy("}", quoted);
  const source = `$${words.scanner.text.slice(from, words.scanner.position)}`;
  return { kind: "parameter", name: "", operation: { type: "bad", source }, quoted };
}
