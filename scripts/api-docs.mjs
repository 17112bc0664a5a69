// Writes docs/api.md from the declarations of the public API in dist/, which the build makes from the types;
// with --check only says whether the page is up to date.
import { readFileSync, writeFileSync } from "node:fs";
import { posix } from "node:path";

const read = (name) => readFileSync(new URL(`../${name}`, import.meta.url), "utf8");
const target = new URL("../docs/api.md", import.meta.url);

/** What an entry exports, as [file of the declaration, its name there, its public name]. */
function exportsOf(entry) {
  // A file may also import a name and export it in another line.
  const list = /^(?:export|import) (?:type )?\{([^}]*)\} from "([^"]+)";/gm;
  return [...read(entry).matchAll(list)].flatMap(([, names, from]) =>
    names
      .replace(/\/\/.*$/gm, "")
      .split(",")
      .map((name) => name.trim().split(/\s+as\s+/))
      .filter(([name]) => name !== "")
      .map(([name, as = name]) => [
        posix.join(posix.dirname(entry), from).replace(/\.js$/, ".d.ts"),
        name,
        as,
      ]),
  );
}

/** The text of a declaration with the comment before it. */
function declarationOf(file, name) {
  const lines = read(file).split("\n");
  const start = lines.findIndex((line) =>
    new RegExp(
      `^export (?:declare )?(?:abstract )?(?:class|interface|type|function|const) ${name}\\b`,
    ).test(line),
  );
  if (start === -1) {
    const passed = exportsOf(file).find(([, , as]) => as === name);
    if (passed === undefined) throw new Error(`${file} does not declare ${name}`);
    return declarationOf(passed[0], passed[1]);
  }
  // Declarations are at the margin; what belongs to one is indented, or closes it.
  let end = start + 1;
  while (end < lines.length && /^(?:\s|[}\])>|&]|$)/.test(lines[end]) && lines[end] !== "") end++;
  let first = start;
  if (lines[start - 1]?.endsWith("*/"))
    do first--;
    while (!lines[first].startsWith("/**"));
  // The file's own comment says what the file owns, which is not the API.
  if (/^\/\*\*\n \* (?:Owns|The public)/.test(lines.slice(first, first + 2).join("\n")))
    first = start;
  return lines
    .slice(first, end)
    .filter((line) => !/^\s+(?:#private|private) ?/.test(line))
    .join("\n")
    .replace(/^export (?:declare )?/m, "");
}

export function apiPage() {
  const known = new Map();
  for (const [file, name, as] of exportsOf("dist/index.d.ts")) {
    const key = `${file} ${name}`;
    if (known.has(key)) known.get(key).names.push(as);
    else known.set(key, { names: [as], text: declarationOf(file, name) });
  }
  const sections = [...known.values()].map(({ names, text }) => {
    const [first, ...others] = names.map((name) => `\`${name}\``);
    const also = others.length > 0 ? `\n\nAlso exported as ${others.join(", ")}.` : "";
    return `## ${first}${also}\n\n\`\`\`ts\n${text}\n\`\`\`\n`;
  });
  return `# API

Made from the declarations by \`node scripts/api-docs.mjs\`. Codes of errors are in [errors.md](errors.md), limits in
[limits.md](limits.md), and each topic has a page of its own.

${sections.join("\n")}`;
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const page = apiPage();
  if (!process.argv.includes("--check")) writeFileSync(target, page);
  else if (readFileSync(target, "utf8") !== page) {
    console.error("docs/api.md is not what the declarations say: run node scripts/api-docs.mjs");
    process.exit(1);
  }
}
