/** Owns jq's grammar: a filter as text becomes a tree. */
import { CommandFailure } from "../../command.js";
import type { Definition, Filter, Pattern } from "./filter.js";
import type { Json } from "./json.js";

const maxDepth = 400;
const tokenPattern =
  /\s+|#[^\n]*|\?\/\/=?|\|=|\/\/=|[-+*/%]=|==|!=|<=|>=|\.\.|\/\/|[-+*/%<>=|,.;:()[\]{}?$]|@[A-Za-z0-9]+|[A-Za-z_]\w*(?:::\w+)*|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?/y;

interface Token {
  text: string;
  kind: "word" | "number" | "operator" | "string" | "format" | "end";
  parts?: (string | Filter)[];
  spaced: boolean;
}

export function fail(message: string): CommandFailure {
  return new CommandFailure(`error: ${message}\njq: 1 compile error`, 3);
}

/**
 * `?` behind an index, a slice or `[]` forgives that one step only, as in jq's grammar; behind
 * anything else, or a second time, it tries the whole term.
 */
function optional(filter: Filter): Filter {
  const step = filter.kind === "index" || filter.kind === "slice" || filter.kind === "iterate";
  if (step && filter.optional !== true) return { ...filter, optional: true };
  return { kind: "try", body: filter, handler: undefined };
}

export class FilterParser {
  #at = 0;
  #depth = 0;
  #token: Token;

  constructor(private readonly text: string) {
    this.#token = this.#read();
  }

  /** Definitions alone, as in a library. */
  definitions(): Definition[] {
    const list: Definition[] = [];
    while (this.#is("def")) list.push(this.#definition());
    this.#end();
    return list;
  }

  parse(): Filter {
    if (this.#token.kind === "end") return { kind: "identity" };
    const filter = this.#pipe();
    this.#end();
    return filter;
  }

  #end(): void {
    if (this.#token.kind !== "end") throw this.#unexpected();
  }

  #unexpected(): CommandFailure {
    const what = this.#token.kind === "end" ? "end of file" : this.#token.text;
    return fail(`syntax error, unexpected ${what} at <top-level>, line 1:\n${this.text}`);
  }

  #read(): Token {
    let spaced = false;
    for (;;) {
      if (this.#at >= this.text.length) return { text: "", kind: "end", spaced };
      if (this.text[this.#at] === '"') {
        this.#at++;
        return { text: '"', kind: "string", parts: this.#stringParts(), spaced };
      }
      tokenPattern.lastIndex = this.#at;
      const text = tokenPattern.exec(this.text)?.[0];
      if (text === undefined)
        throw fail(
          `syntax error, unexpected INVALID_CHARACTER at <top-level>, line 1:\n${this.text}`,
        );
      this.#at += text.length;
      if (/^[\s#]/.test(text)) {
        spaced = true;
        continue;
      }
      const kind =
        text[0] === "@"
          ? "format"
          : /^[A-Za-z_]/.test(text)
            ? "word"
            : /^\.?\d/.test(text)
              ? "number"
              : "operator";
      return { text, kind, spaced };
    }
  }

  #stringParts(): (string | Filter)[] {
    const parts: (string | Filter)[] = [];
    let text = "";
    for (;;) {
      const char = this.text[this.#at++];
      if (char === undefined) throw fail("syntax error, unterminated string literal");
      if (char === '"') break;
      if (char !== "\\") {
        text += char;
        continue;
      }
      const next = this.text[this.#at++];
      if (next === "(") {
        parts.push(text);
        text = "";
        const saved = this.#token;
        this.#token = this.#read();
        parts.push(this.#pipe());
        // The closing parenthesis is the token at hand: the string goes on right behind it.
        if (this.#token.text !== ")" || this.#token.kind !== "operator") throw this.#unexpected();
        this.#token = saved;
      } else if (next === "u") {
        text += String.fromCharCode(parseInt(this.text.slice(this.#at, this.#at + 4), 16));
        this.#at += 4;
      } else {
        const simple = {
          n: "\n",
          t: "\t",
          r: "\r",
          b: "\b",
          f: "\f",
          "/": "/",
          "\\": "\\",
          '"': '"',
        }[next ?? ""];
        if (simple === undefined) throw fail("syntax error, invalid escape in string literal");
        text += simple;
      }
    }
    parts.push(text);
    return parts;
  }

  #is(text: string): boolean {
    return this.#token.text === text && this.#token.kind !== "string";
  }

  #advance(): Token {
    const token = this.#token;
    this.#token = this.#read();
    return token;
  }

  #accept(text: string): boolean {
    if (!this.#is(text)) return false;
    this.#advance();
    return true;
  }

  #expect(text: string): void {
    if (!this.#is(text)) throw this.#unexpected();
    this.#advance();
  }

  #word(): string {
    if (this.#token.kind !== "word") throw this.#unexpected();
    return this.#advance().text;
  }

  #definition(): Definition {
    this.#expect("def");
    const name = this.#word();
    const parameters: string[] = [];
    if (this.#accept("(")) {
      do {
        parameters.push(this.#accept("$") ? `$${this.#word()}` : this.#word());
      } while (this.#accept(";"));
      this.#expect(")");
    }
    this.#expect(":");
    const body = this.#pipe();
    this.#expect(";");
    return { name, parameters, body };
  }

  #pipe(): Filter {
    if (++this.#depth > maxDepth) throw fail("filter nested too deeply");
    try {
      if (this.#is("def")) {
        const definition = this.#definition();
        return { kind: "define", definition, body: this.#pipe() };
      }
      if (this.#accept("label")) {
        this.#expect("$");
        const name = this.#word();
        this.#expect("|");
        return { kind: "label", name, body: this.#pipe() };
      }
      const left = this.#comma();
      if (this.#accept("as")) {
        const patterns = [this.#pattern()];
        while (this.#accept("?//")) patterns.push(this.#pattern());
        this.#expect("|");
        return { kind: "bind", source: left, patterns, body: this.#pipe() };
      }
      return this.#accept("|") ? { kind: "pipe", left, right: this.#pipe() } : left;
    } finally {
      this.#depth--;
    }
  }

  #pattern(): Pattern {
    if (this.#accept("$")) return { kind: "name", name: this.#word() };
    if (this.#accept("[")) {
      const items: Pattern[] = [];
      do items.push(this.#pattern());
      while (this.#accept(","));
      this.#expect("]");
      return { kind: "list", items };
    }
    this.#expect("{");
    const entries: { key: Filter; variable?: string; pattern?: Pattern }[] = [];
    do {
      if (this.#accept("$")) {
        const variable = this.#word();
        const pattern = this.#accept(":") ? this.#pattern() : undefined;
        entries.push({
          key: { kind: "literal", value: variable },
          variable,
          ...(pattern && { pattern }),
        });
        continue;
      }
      let key: Filter;
      if (this.#accept("(")) {
        key = this.#pipe();
        this.#expect(")");
      } else if (this.#token.kind === "string")
        key = { kind: "string", format: "", parts: this.#advance().parts! };
      else key = { kind: "literal", value: this.#word() };
      this.#expect(":");
      entries.push({ key, pattern: this.#pattern() });
    } while (this.#accept(","));
    this.#expect("}");
    return { kind: "object", entries };
  }

  #comma(): Filter {
    let left = this.#alternative();
    while (this.#accept(",")) left = { kind: "comma", left, right: this.#alternative() };
    return left;
  }

  /** `//` is right-associative and binds less than assignment's right side does. */
  #alternative(): Filter {
    const left = this.#assignment();
    return this.#accept("//") ? { kind: "alternative", left, right: this.#alternative() } : left;
  }

  #assignment(): Filter {
    const left = this.#or();
    const operator = this.#token.text;
    if (
      this.#token.kind === "operator" &&
      ["=", "|=", "+=", "-=", "*=", "/=", "%=", "//="].includes(operator)
    ) {
      this.#advance();
      return { kind: "update", operator, left, right: this.#alternative() };
    }
    return left;
  }

  #or(): Filter {
    let left = this.#and();
    while (this.#accept("or")) left = { kind: "or", left, right: this.#and() };
    return left;
  }

  #and(): Filter {
    let left = this.#comparison();
    while (this.#accept("and")) left = { kind: "and", left, right: this.#comparison() };
    return left;
  }

  #binary(operators: string[], next: () => Filter): Filter {
    let left = next();
    while (this.#token.kind === "operator" && operators.includes(this.#token.text)) {
      const operator = this.#advance().text;
      left = { kind: "binary", operator, left, right: next() };
    }
    return left;
  }

  #comparison(): Filter {
    return this.#binary(["==", "!=", "<", "<=", ">", ">="], () => this.#additive());
  }

  #additive(): Filter {
    return this.#binary(["+", "-"], () => this.#binary(["*", "/", "%"], () => this.#postfix()));
  }

  #postfix(): Filter {
    if (++this.#depth > maxDepth) throw fail("filter nested too deeply");
    /** A term in parentheses is tried as a whole. */
    let whole = this.#is("(");
    let filter = this.#primary();
    for (;;) {
      if (this.#accept("?")) {
        filter = whole ? { kind: "try", body: filter, handler: undefined } : optional(filter);
        continue;
      }
      whole &&= !(this.#is("[") || this.#is("."));
      if (this.#is("[")) filter = this.#brackets(filter);
      else if (this.#is(".") && this.#token.kind === "operator") {
        this.#advance();
        const next: Token = this.#token;
        if (this.#is("[")) filter = this.#brackets(filter);
        else if (next.kind === "string")
          filter = {
            kind: "index",
            of: filter,
            key: { kind: "string", format: "", parts: this.#advance().parts! },
          };
        else filter = { kind: "index", of: filter, key: { kind: "literal", value: this.#word() } };
      } else break;
    }
    this.#depth--;
    return filter;
  }

  #brackets(of: Filter): Filter {
    this.#expect("[");
    if (this.#accept("]")) return { kind: "iterate", of };
    if (this.#accept(":")) {
      const to = this.#pipe();
      this.#expect("]");
      return { kind: "slice", of, from: undefined, to };
    }
    const key = this.#pipe();
    if (this.#accept(":")) {
      const to = this.#is("]") ? undefined : this.#pipe();
      this.#expect("]");
      return { kind: "slice", of, from: key, to };
    }
    this.#expect("]");
    return { kind: "index", of, key };
  }

  #primary(): Filter {
    const token = this.#token;
    if (token.kind === "number") {
      this.#advance();
      return { kind: "literal", value: Number(token.text) };
    }
    if (token.kind === "string") {
      this.#advance();
      return { kind: "string", format: "", parts: token.parts! };
    }
    if (token.kind === "format") {
      this.#advance();
      if (this.#token.kind === "string")
        return { kind: "string", format: token.text, parts: this.#advance().parts! };
      return { kind: "format", name: token.text };
    }
    if (token.kind === "word") return this.#wordPrimary(token.text);
    switch (token.text) {
      case ".": {
        this.#advance();
        const next: Token = this.#token;
        const identity: Filter = { kind: "identity" };
        if (next.kind === "string")
          return {
            kind: "index",
            of: identity,
            key: { kind: "string", format: "", parts: this.#advance().parts! },
          };
        if (next.kind === "word" && !next.spaced)
          return {
            kind: "index",
            of: identity,
            key: { kind: "literal", value: this.#advance().text },
          };
        return identity;
      }
      case "..":
        this.#advance();
        return { kind: "recurse" };
      case "$": {
        this.#advance();
        const name = this.#word();
        return name === "__loc__"
          ? {
              kind: "literal",
              value: new Map<string, Json>([
                ["file", "<top-level>"],
                ["line", 1],
              ]),
            }
          : { kind: "variable", name };
      }
      case "(": {
        this.#advance();
        const filter = this.#pipe();
        this.#expect(")");
        return filter;
      }
      case "[": {
        this.#advance();
        if (this.#accept("]")) return { kind: "array", of: undefined };
        const of = this.#pipe();
        this.#expect("]");
        return { kind: "array", of };
      }
      case "{":
        return this.#object();
      case "-":
        this.#advance();
        return { kind: "negate", of: this.#postfix() };
      default:
        throw this.#unexpected();
    }
  }

  #wordPrimary(word: string): Filter {
    switch (word) {
      case "if":
        this.#advance();
        return this.#if();
      case "try": {
        this.#advance();
        const body = this.#postfix();
        return { kind: "try", body, handler: this.#accept("catch") ? this.#postfix() : undefined };
      }
      case "reduce":
      case "foreach": {
        this.#advance();
        const source = this.#postfix();
        this.#expect("as");
        const pattern = this.#pattern();
        this.#expect("(");
        const initial = this.#pipe();
        this.#expect(";");
        const update = this.#pipe();
        const extract = word === "foreach" && this.#accept(";") ? this.#pipe() : undefined;
        this.#expect(")");
        return word === "reduce"
          ? { kind: "reduce", source, pattern, initial, update }
          : { kind: "foreach", source, pattern, initial, update, extract };
      }
      case "def": {
        const definition = this.#definition();
        return { kind: "define", definition, body: this.#pipe() };
      }
      case "break":
        this.#advance();
        this.#expect("$");
        return { kind: "break", name: this.#word() };
      case "true":
      case "false":
      case "null":
        this.#advance();
        return { kind: "literal", value: word === "null" ? null : word === "true" };
      case "then":
      case "else":
      case "elif":
      case "end":
      case "and":
      case "or":
      case "as":
      case "catch":
        throw this.#unexpected();
    }
    this.#advance();
    const args: Filter[] = [];
    if (this.#accept("(")) {
      do args.push(this.#pipe());
      while (this.#accept(";"));
      this.#expect(")");
    }
    return { kind: "call", name: word, args };
  }

  #if(): Filter {
    const test = this.#pipe();
    this.#expect("then");
    const yes = this.#pipe();
    if (this.#accept("elif")) return { kind: "if", test, yes, no: this.#if() };
    const no = this.#accept("else") ? this.#pipe() : undefined;
    this.#expect("end");
    return { kind: "if", test, yes, no };
  }

  #object(): Filter {
    this.#expect("{");
    const entries: { key: Filter; value: Filter }[] = [];
    while (!this.#is("}")) {
      const token = this.#token;
      let key: Filter;
      let value: Filter | undefined;
      if (this.#accept("$")) {
        const name = this.#word();
        key = { kind: "literal", value: name };
        value = { kind: "variable", name };
      } else if (this.#accept("(")) {
        key = this.#pipe();
        this.#expect(")");
      } else if (token.kind === "string")
        key = { kind: "string", format: "", parts: this.#advance().parts! };
      else if (token.kind === "format") {
        this.#advance();
        key = { kind: "string", format: token.text, parts: this.#advance().parts ?? [] };
      } else if (token.kind === "number") key = { kind: "literal", value: this.#advance().text };
      else key = { kind: "literal", value: this.#word() };
      if (this.#accept(":")) value = this.#objectValue();
      entries.push({ key, value: value ?? { kind: "index", of: { kind: "identity" }, key } });
      if (!this.#accept(",")) break;
    }
    this.#expect("}");
    return { kind: "object", entries };
  }

  /** Without commas; pipes join what stands between them. */
  #objectValue(): Filter {
    const left = this.#alternative();
    return this.#accept("|") ? { kind: "pipe", left, right: this.#objectValue() } : left;
  }
}
