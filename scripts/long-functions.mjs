// Functions of src/ that are longer than one can take in at once. `node scripts/long-functions.mjs` lists them;
// tests/house.test.mjs fails for any.
//
// The source is formatted, so a function begins where its header does and ends with the next line of the same
// indentation that closes a brace; no parser is needed.
import { readFileSync, readdirSync } from "node:fs";

const root = new URL("../src/", import.meta.url);
/** From its first line to its last. */
export const mostLines = 80;

const indentation = (line) => line.length - line.trimStart().length;
const control =
  /^\s*(?:\} )?(?:if|else|for|while|switch|try|do|catch|finally|case|return \{|class|export class|abstract class|interface|namespace)\b/;
const begins =
  /(?:=> \{|\bfunction\b.*\{|^\s*(?:(?:static|async|override|get|set|private|protected|public|\*)\s+)*[#\w$[\].]+\*?(?:<.*>)?\(.*\).*\{)$/;

function nameOf(header) {
  const found =
    /function\*?\s+(\w+)/.exec(header) ??
    /(?:const|let)\s+(\w+)/.exec(header) ??
    /^\s*(?:(?:export|default|static|async|override|get|set|readonly)\s+)*\*?\s*([#\w$]+)\s*(?:[(<:=]|$)/.exec(
      header,
    );
  return found?.[1] ?? header.trim();
}

/** Lines of each by `file: name`. One inside another counts for both. */
export function longFunctions() {
  const found = new Map();
  for (const file of readdirSync(root, { recursive: true }).filter((name) =>
    name.endsWith(".ts"),
  )) {
    const lines = readFileSync(new URL(file, root), "utf8").split("\n");
    lines.forEach((line, at) => {
      if (!line.endsWith("{") || control.test(line)) return;
      const depth = indentation(line);
      let start = at;
      // The end of a header of several lines.
      if (/^\s*\).*\{$/.test(line)) {
        do start--;
        while (start > 0 && (lines[start] === "" || indentation(lines[start]) > depth));
        if (control.test(lines[start])) return;
      } else if (!begins.test(line)) return;
      let end = at + 1;
      while (
        end < lines.length &&
        !(lines[end].trimStart().startsWith("}") && indentation(lines[end]) === depth)
      )
        end++;
      const length = end - start + 1;
      if (length > mostLines) found.set(`${file}: ${nameOf(lines[start])}`, length);
    });
  }
  return found;
}

if (process.argv[1] === new URL(import.meta.url).pathname)
  for (const [name, length] of [...longFunctions()].sort(([, a], [, b]) => b - a))
    console.log(`${length} ${name}`);
