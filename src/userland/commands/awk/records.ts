/** Owns cutting input into records and records into fields, as RS and FS say. */
import type { ByteSource } from "../../support/input.js";
import { CommandFailure } from "../../command.js";
import { charactersOf, sliceCharacters } from "../../support/characters.js";
import { afterCharacter, type PosixRegex, type RegexCache } from "../../support/regex.js";
import { byteString } from "../../support/text.js";

export class RecordReader {
  #text = "";
  #position = 0;
  #ended = false;

  constructor(
    private readonly source: ByteSource,
    private readonly regexes: RegexCache,
  ) {}

  close(): void {
    this.source.close();
  }

  #more(): boolean {
    if (this.#ended) return false;
    const chunk = this.source.read();
    if (chunk.length === 0) {
      this.#ended = true;
      return false;
    }
    this.#text = this.#text.slice(this.#position) + byteString(chunk);
    this.#position = 0;
    return true;
  }

  next(separator: string): string | undefined {
    if (separator === "") return this.#paragraph();
    if (separator.length > 1) return this.#byRegex(separator);
    let from = this.#position;
    for (;;) {
      const end = this.#text.indexOf(separator, from);
      if (end !== -1) {
        const record = this.#text.slice(this.#position, end);
        this.#position = end + 1;
        return record;
      }
      const held = this.#text.length - this.#position;
      if (!this.#more()) return this.#rest();
      from = held;
    }
  }

  #rest(): string | undefined {
    if (this.#position >= this.#text.length) return undefined;
    const rest = this.#text.slice(this.#position);
    this.#text = "";
    this.#position = 0;
    return rest;
  }

  #byRegex(separator: string): string | undefined {
    const regex = this.regexes.get(separator);
    for (;;) {
      const match = regex.exec(this.#text, this.#position);
      // A match at the very end could go on in what is still to come.
      if (
        match !== undefined &&
        match.end > match.index &&
        (match.end < this.#text.length || this.#ended)
      ) {
        const record = this.#text.slice(this.#position, match.index);
        this.#position = match.end;
        return record;
      }
      if (!this.#more()) {
        if (match !== undefined && match.end > match.index) continue;
        return this.#rest();
      }
    }
  }

  /** Records are separated by blank lines. */
  #paragraph(): string | undefined {
    for (;;) {
      while (this.#text[this.#position] === "\n") this.#position++;
      const end =
        this.#position < this.#text.length ? this.#text.indexOf("\n\n", this.#position) : -1;
      if (end !== -1) {
        const record = this.#text.slice(this.#position, end);
        this.#position = end + 2;
        return record;
      }
      if (!this.#more()) return this.#rest()?.replace(/\n$/, "");
    }
  }
}

export function splitFields(
  text: string,
  separator: string,
  regexes: RegexCache,
  paragraphs: boolean,
): string[] {
  if (text === "") return [];
  if (separator === " ") {
    const trimmed = text.replace(/^[ \t\n]+|[ \t\n]+$/g, "");
    return trimmed === "" ? [] : trimmed.split(/[ \t\n]+/);
  }
  if (separator === "") return charactersOf(text);
  if (separator.length === 1 && separator !== "\\" && !paragraphs) return text.split(separator);
  const source =
    separator.length === 1
      ? `[${separator === "^" ? "\\^" : separator === "\\" ? "\\\\" : separator}]`
      : separator;
  const regex = regexes.get(paragraphs ? `(${source})|\n` : source);
  const fields: string[] = [];
  let from = 0;
  for (let search = 0; search <= text.length;) {
    const match = regex.exec(text, search);
    if (match === undefined) break;
    if (match.end === match.index) {
      search = afterCharacter(text, match.end);
      continue;
    }
    fields.push(text.slice(from, match.index));
    from = search = match.end;
  }
  fields.push(text.slice(from));
  return fields;
}

/** What FPAT describes: the fields themselves. */
export function matchesOf(text: string, regex: PosixRegex): string[] {
  const fields: string[] = [];
  let lastEnd = -1;
  for (let from = 0; from <= text.length;) {
    const match = regex.exec(text, from);
    if (match === undefined) break;
    const empty = match.end === match.index;
    // An empty match right behind a field is none.
    if (!empty || match.index !== lastEnd) fields.push(text.slice(match.index, match.end));
    lastEnd = match.end;
    from = empty ? afterCharacter(text, match.end) : match.end;
  }
  return fields;
}

/** What FIELDWIDTHS describes: `width`, `skip:width`, and `*` for what is left. */
export function fieldsOfWidths(text: string, widths: string): string[] {
  const fields: string[] = [];
  let rest = text;
  for (const word of widths.trim().split(/\s+/)) {
    const match = /^(?:(\d+):)?(\d+|\*)$/.exec(word);
    if (match === null)
      throw new CommandFailure(
        `invalid FIELDWIDTHS value, for field ${fields.length + 1}, near \`${word}'`,
        2,
      );
    const skipped = sliceCharacters(rest, 0, Number(match[1] ?? 0)).length;
    rest = rest.slice(skipped);
    if (rest === "") break;
    const field = match[2] === "*" ? rest : sliceCharacters(rest, 0, Number(match[2]));
    fields.push(field);
    rest = rest.slice(field.length);
  }
  return fields;
}
