/** Owns jq's grammar: a filter as text becomes a tree. */
import { optional, type Definition, type Filter, type Pattern } from "./filter.js";
import type { Json } from "./json.js";
import { fail, Tokens, type Token } from "./tokens.js";

const maxDepth = 400;

export class FilterParser {
  readonly #tokens: Tokens;
  #depth = 0;

  constructor(text: string) {
    this.#tokens = new Tokens(text, () => this.#pipe());
    this.#tokens.advance();
  }

  /** Definitions alone, as in a library. */
  definitions(): Definition[] {
    const list: Definition[] = [];
    while (this.#tokens.is("def")) list.push(this.#definition());
    this.#tokens.end();
    return list;
  }

  parse(): Filter {
    if (this.#tokens.token.kind === "end") return { kind: "identity" };
    const filter = this.#pipe();
    this.#tokens.end();
    return filter;
  }

  #definition(): Definition {
    this.#tokens.expect("def");
    const name = this.#tokens.word();
    const parameters: string[] = [];
    if (this.#tokens.accept("(")) {
      do {
        parameters.push(this.#tokens.accept("$") ? `$${this.#tokens.word()}` : this.#tokens.word());
      } while (this.#tokens.accept(";"));
      this.#tokens.expect(")");
    }
    this.#tokens.expect(":");
    const body = this.#pipe();
    this.#tokens.expect(";");
    return { name, parameters, body };
  }

  #pipe(): Filter {
    if (++this.#depth > maxDepth) throw fail("filter nested too deeply");
    try {
      if (this.#tokens.is("def")) {
        const definition = this.#definition();
        return { kind: "define", definition, body: this.#pipe() };
      }
      if (this.#tokens.accept("label")) {
        this.#tokens.expect("$");
        const name = this.#tokens.word();
        this.#tokens.expect("|");
        return { kind: "label", name, body: this.#pipe() };
      }
      const left = this.#comma();
      if (this.#tokens.accept("as")) {
        const patterns = [this.#pattern()];
        while (this.#tokens.accept("?//")) patterns.push(this.#pattern());
        this.#tokens.expect("|");
        return { kind: "bind", source: left, patterns, body: this.#pipe() };
      }
      return this.#tokens.accept("|") ? { kind: "pipe", left, right: this.#pipe() } : left;
    } finally {
      this.#depth--;
    }
  }

  #pattern(): Pattern {
    if (this.#tokens.accept("$")) return { kind: "name", name: this.#tokens.word() };
    if (this.#tokens.accept("[")) {
      const items: Pattern[] = [];
      do items.push(this.#pattern());
      while (this.#tokens.accept(","));
      this.#tokens.expect("]");
      return { kind: "list", items };
    }
    this.#tokens.expect("{");
    const entries: { key: Filter; variable?: string; pattern?: Pattern }[] = [];
    do {
      if (this.#tokens.accept("$")) {
        const variable = this.#tokens.word();
        const pattern = this.#tokens.accept(":") ? this.#pattern() : undefined;
        entries.push({
          key: { kind: "literal", value: variable },
          variable,
          ...(pattern && { pattern }),
        });
        continue;
      }
      let key: Filter;
      if (this.#tokens.accept("(")) {
        key = this.#pipe();
        this.#tokens.expect(")");
      } else if (this.#tokens.token.kind === "string") key = this.#text();
      else key = { kind: "literal", value: this.#tokens.word() };
      this.#tokens.expect(":");
      entries.push({ key, pattern: this.#pattern() });
    } while (this.#tokens.accept(","));
    this.#tokens.expect("}");
    return { kind: "object", entries };
  }

  #comma(): Filter {
    let left = this.#alternative();
    while (this.#tokens.accept(",")) left = { kind: "comma", left, right: this.#alternative() };
    return left;
  }

  /** `//` is right-associative and binds less than assignment's right side does. */
  #alternative(): Filter {
    const left = this.#assignment();
    return this.#tokens.accept("//")
      ? { kind: "alternative", left, right: this.#alternative() }
      : left;
  }

  #assignment(): Filter {
    const left = this.#or();
    const operator = this.#tokens.token.text;
    if (
      this.#tokens.token.kind === "operator" &&
      ["=", "|=", "+=", "-=", "*=", "/=", "%=", "//="].includes(operator)
    ) {
      this.#tokens.advance();
      return { kind: "update", operator, left, right: this.#alternative() };
    }
    return left;
  }

  #or(): Filter {
    let left = this.#and();
    while (this.#tokens.accept("or")) left = { kind: "or", left, right: this.#and() };
    return left;
  }

  #and(): Filter {
    let left = this.#comparison();
    while (this.#tokens.accept("and")) left = { kind: "and", left, right: this.#comparison() };
    return left;
  }

  #binary(operators: string[], next: () => Filter): Filter {
    let left = next();
    while (this.#tokens.token.kind === "operator" && operators.includes(this.#tokens.token.text)) {
      const operator = this.#tokens.advance().text;
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
    let whole = this.#tokens.is("(");
    let filter = this.#primary();
    for (;;) {
      if (this.#tokens.accept("?")) {
        filter = whole ? { kind: "try", body: filter, handler: undefined } : optional(filter);
        continue;
      }
      whole &&= !(this.#tokens.is("[") || this.#tokens.is("."));
      if (this.#tokens.is("[")) filter = this.#brackets(filter);
      else if (this.#tokens.is(".") && this.#tokens.token.kind === "operator") {
        this.#tokens.advance();
        const next: Token = this.#tokens.token;
        if (this.#tokens.is("[")) filter = this.#brackets(filter);
        else if (next.kind === "string")
          filter = {
            kind: "index",
            of: filter,
            key: this.#text(),
          };
        else
          filter = {
            kind: "index",
            of: filter,
            key: { kind: "literal", value: this.#tokens.word() },
          };
      } else break;
    }
    this.#depth--;
    return filter;
  }

  #brackets(of: Filter): Filter {
    this.#tokens.expect("[");
    if (this.#tokens.accept("]")) return { kind: "iterate", of };
    if (this.#tokens.accept(":")) {
      const to = this.#pipe();
      this.#tokens.expect("]");
      return { kind: "slice", of, from: undefined, to };
    }
    const key = this.#pipe();
    if (this.#tokens.accept(":")) {
      const to = this.#tokens.is("]") ? undefined : this.#pipe();
      this.#tokens.expect("]");
      return { kind: "slice", of, from: key, to };
    }
    this.#tokens.expect("]");
    return { kind: "index", of, key };
  }

  #primary(): Filter {
    const token = this.#tokens.token;
    if (token.kind === "number") {
      this.#tokens.advance();
      return { kind: "literal", value: Number(token.text) };
    }
    if (token.kind === "string") return this.#text();
    if (token.kind === "format") {
      this.#tokens.advance();
      if (this.#tokens.token.kind === "string")
        return { kind: "string", format: token.text, parts: this.#tokens.advance().parts! };
      return { kind: "format", name: token.text };
    }
    if (token.kind === "word") return this.#wordPrimary(token.text);
    switch (token.text) {
      case ".": {
        this.#tokens.advance();
        const next: Token = this.#tokens.token;
        const identity: Filter = { kind: "identity" };
        if (next.kind === "string")
          return {
            kind: "index",
            of: identity,
            key: this.#text(),
          };
        if (next.kind === "word" && !next.spaced)
          return {
            kind: "index",
            of: identity,
            key: { kind: "literal", value: this.#tokens.advance().text },
          };
        return identity;
      }
      case "..":
        this.#tokens.advance();
        return { kind: "recurse" };
      case "$": {
        this.#tokens.advance();
        const name = this.#tokens.word();
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
        this.#tokens.advance();
        const filter = this.#pipe();
        this.#tokens.expect(")");
        return filter;
      }
      case "[": {
        this.#tokens.advance();
        const of = this.#tokens.is("]") ? undefined : this.#pipe();
        this.#tokens.expect("]");
        return { kind: "array", of };
      }
      case "{":
        return this.#object();
      case "-":
        this.#tokens.advance();
        return { kind: "negate", of: this.#postfix() };
      default:
        throw this.#tokens.unexpected();
    }
  }

  /** A string, with what is between its quotes. */
  #text(): Filter {
    return { kind: "string", format: "", parts: this.#tokens.advance().parts! };
  }

  #wordPrimary(word: string): Filter {
    switch (word) {
      case "if":
        this.#tokens.advance();
        return this.#if();
      case "try": {
        this.#tokens.advance();
        const body = this.#postfix();
        return {
          kind: "try",
          body,
          handler: this.#tokens.accept("catch") ? this.#postfix() : undefined,
        };
      }
      case "reduce":
      case "foreach": {
        this.#tokens.advance();
        const source = this.#postfix();
        this.#tokens.expect("as");
        const pattern = this.#pattern();
        this.#tokens.expect("(");
        const initial = this.#pipe();
        this.#tokens.expect(";");
        const update = this.#pipe();
        const extract = word === "foreach" && this.#tokens.accept(";") ? this.#pipe() : undefined;
        this.#tokens.expect(")");
        return word === "reduce"
          ? { kind: "reduce", source, pattern, initial, update }
          : { kind: "foreach", source, pattern, initial, update, extract };
      }
      case "def": {
        const definition = this.#definition();
        return { kind: "define", definition, body: this.#pipe() };
      }
      case "break":
        this.#tokens.advance();
        this.#tokens.expect("$");
        return { kind: "break", name: this.#tokens.word() };
      case "true":
      case "false":
      case "null":
        this.#tokens.advance();
        return { kind: "literal", value: word === "null" ? null : word === "true" };
      case "then":
      case "else":
      case "elif":
      case "end":
      case "and":
      case "or":
      case "as":
      case "catch":
        throw this.#tokens.unexpected();
    }
    this.#tokens.advance();
    const args: Filter[] = [];
    if (this.#tokens.accept("(")) {
      do args.push(this.#pipe());
      while (this.#tokens.accept(";"));
      this.#tokens.expect(")");
    }
    return { kind: "call", name: word, args };
  }

  #if(): Filter {
    const test = this.#pipe();
    this.#tokens.expect("then");
    const yes = this.#pipe();
    if (this.#tokens.accept("elif")) return { kind: "if", test, yes, no: this.#if() };
    const no = this.#tokens.accept("else") ? this.#pipe() : undefined;
    this.#tokens.expect("end");
    return { kind: "if", test, yes, no };
  }

  #object(): Filter {
    this.#tokens.expect("{");
    const entries: { key: Filter; value: Filter }[] = [];
    while (!this.#tokens.is("}")) {
      const token = this.#tokens.token;
      let key: Filter;
      let value: Filter | undefined;
      if (this.#tokens.accept("$")) {
        const name = this.#tokens.word();
        key = { kind: "literal", value: name };
        value = { kind: "variable", name };
      } else if (this.#tokens.accept("(")) {
        key = this.#pipe();
        this.#tokens.expect(")");
      } else if (token.kind === "string") key = this.#text();
      else if (token.kind === "format") {
        this.#tokens.advance();
        key = { kind: "string", format: token.text, parts: this.#tokens.advance().parts ?? [] };
      } else if (token.kind === "number")
        key = { kind: "literal", value: this.#tokens.advance().text };
      else key = { kind: "literal", value: this.#tokens.word() };
      if (this.#tokens.accept(":")) value = this.#objectValue();
      entries.push({ key, value: value ?? { kind: "index", of: { kind: "identity" }, key } });
      if (!this.#tokens.accept(",")) break;
    }
    this.#tokens.expect("}");
    return { kind: "object", entries };
  }

  /** Without commas; pipes join what stands between them. */
  #objectValue(): Filter {
    const left = this.#alternative();
    return this.#tokens.accept("|") ? { kind: "pipe", left, right: this.#objectValue() } : left;
  }
}
