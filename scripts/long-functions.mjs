// Functions of src/ that are longer than one can take in at once. `node scripts/long-functions.mjs` lists them;
// tests/house.test.mjs fails for any.
import { readFileSync, readdirSync } from "node:fs";
import ts from "typescript-5";

const root = new URL("../src/", import.meta.url);
/** From its first line to its last. */
export const mostLines = 80;

/** What a function is called: by its own name, or that of what it is a value of. */
function nameOf(node, source) {
  for (let at = node; at !== undefined; at = at.parent) {
    if (at.name !== undefined) return at.name.getText(source);
    if (ts.isBlock(at) || ts.isSourceFile(at)) break;
  }
  return node.getText(source).split("\n", 1)[0];
}

/** [name, line, lines] of each function in a text. One inside another counts for both. */
export function functionsIn(text, file = "made.ts") {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.ESNext, true);
  const lineOf = (place) => source.getLineAndCharacterOfPosition(place).line + 1;
  const found = [];
  const visit = (node) => {
    if (ts.isFunctionLike(node) && node.body !== undefined) {
      const first = lineOf(node.getStart(source));
      found.push([nameOf(node, source), first, lineOf(node.end) - first + 1]);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/** Lines of each by `file:line: name`. */
export function longFunctions() {
  const found = new Map();
  for (const file of readdirSync(root, { recursive: true }).map(String)) {
    if (!/\.[cm]?ts$/.test(file)) continue;
    for (const [name, line, lines] of functionsIn(readFileSync(new URL(file, root), "utf8"), file))
      if (lines > mostLines) found.set(`${file}:${line}: ${name}`, lines);
  }
  return found;
}

if (process.argv[1] === new URL(import.meta.url).pathname)
  for (const [name, length] of [...longFunctions()].sort(([, a], [, b]) => b - a))
    console.log(`${length} ${name}`);
