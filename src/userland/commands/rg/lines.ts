/** Owns the lines of a text that `rg` searches. */
export interface Line {
  number: number;
  text: string;
  offset: number;
}

export interface Match {
  line: Line;
  /** From and to, in characters of the line. */
  spans: [number, number][];
}

export function linesOf(text: string): Line[] {
  const lines: Line[] = [];
  for (let at = 0; at < text.length;) {
    const end = text.indexOf("\n", at);
    const stop = end === -1 ? text.length : end;
    lines.push({
      number: lines.length + 1,
      text: text.slice(at, text[stop - 1] === "\r" && stop > at ? stop - 1 : stop),
      offset: at,
    });
    at = stop + 1;
  }
  return lines;
}
