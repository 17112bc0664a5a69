/** Owns the words of bc. The text is any text. */
const tokenPattern =
  /\s*(?:(\n)|(\/\*[^]*?\*\/|#[^\n]*|\\\n)|"([^"]*)"|(\d[\dA-F]*(?:\.[\dA-F]*)?|[A-F][\dA-F]*(?:\.[\dA-F]*)?|\.[\dA-F]+)|([a-z][a-z0-9_]*)|(\+\+|--|[-+*/%^]=|[<>=!]=|&&|\|\||[-+*/%^<>=!;,(){}[\].]))/y;

export type Token =
  | { kind: "newline" | "end"; text: string; line: number }
  | { kind: "string" | "number" | "name" | "operator"; text: string; line: number };

/** What a text is made of; `illegal` hears of each character that is no part of the language. */
export function split(text: string, illegal: (char: string, line: number) => void): Token[] {
  const tokens: Token[] = [];
  let line = 1;
  const source = text.replace(/\r/g, "");
  for (let at = 0; at < source.length;) {
    if (source[at] === " " || source[at] === "\t") {
      at++;
      continue;
    }
    if (source[at] === "\n") {
      tokens.push({ kind: "newline", text: "\n", line: line++ });
      at++;
      continue;
    }
    tokenPattern.lastIndex = at;
    const match = tokenPattern.exec(source);
    if (match === null || match[1] !== undefined) {
      illegal(source[at]!, line);
      at++;
      continue;
    }
    at = tokenPattern.lastIndex;
    const [, , blank, string, number, name, operator] = match;
    if (string !== undefined) tokens.push({ kind: "string", text: string, line });
    else if (number !== undefined) tokens.push({ kind: "number", text: number, line });
    else if (name !== undefined) tokens.push({ kind: "name", text: name, line });
    else if (operator !== undefined) tokens.push({ kind: "operator", text: operator, line });
    line += ((blank ?? string ?? "").match(/\n/g) ?? []).length;
  }
  tokens.push({ kind: "end", text: "", line });
  return tokens;
}
