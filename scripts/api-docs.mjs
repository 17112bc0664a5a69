// Writes docs/api.md, and docs/ports/api.md of the other entries, from the declarations of the public API in dist/, which
// the build makes from the types; with --check only says whether the pages are up to date.
import { readFileSync, writeFileSync } from "node:fs";
import { publicSymbols } from "./api-symbols.mjs";

const read = (name) => readFileSync(new URL(`../${name}`, import.meta.url), "utf8");
const main = "secure-exec";

/** The text of a declaration with the comment before it. */
function declarationOf(file, name) {
  const lines = read(file).split("\n");
  const start = lines.findIndex((line) =>
    new RegExp(
      `^export (?:declare )?(?:abstract )?(?:class|interface|type|function|const) ${name}\\b`,
    ).test(line),
  );
  if (start === -1) throw new Error(`${file} does not declare ${name}`);
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

/** One symbol under its name, and those under which it is exported besides. */
function section(level, { file, declared, names }) {
  const [[entry, first], ...others] = names;
  const also = others.map(([from, name]) =>
    from === entry ? `\`${name}\`` : `\`${name}\` of \`${from}\``,
  );
  const line = also.length > 0 ? `\n\nAlso exported as ${also.join(", ")}.` : "";
  const text = declarationOf(file, declared);
  return `${level} \`${first}\`${line}\n\n\`\`\`ts\n${text}\n\`\`\`\n`;
}

/** Text of each page by its path. */
export function apiPages() {
  const symbols = publicSymbols().filter(({ owner }) => owner === undefined);
  const of = (entry) => symbols.filter((symbol) => symbol.entry === entry);
  const others = [...new Set(symbols.map(({ entry }) => entry))].filter((entry) => entry !== main);
  return {
    "docs/api.md": `# API

Made from the declarations by \`node scripts/api-docs.mjs\`. Codes of errors are in [errors.md](errors.md), without their
\`ERR_SECURE_EXEC_\` in \`@throws\` here; limits in [limits.md](limits.md), and each topic has a page of its own. What
the ports export is in [ports/api.md](ports/api.md).

${of(main)
  .map((symbol) => section("##", symbol))
  .join("\n")}`,
    "docs/ports/api.md": `# API of the ports

Made from the declarations as [api.md](../api.md) is. Types of other packages' interfaces are written after them.

${others
  .map(
    (entry) =>
      `## ${entry}\n\n${of(entry)
        .map((symbol) => section("###", symbol))
        .join("\n")}`,
  )
  .join("\n")}`,
  };
}

if (process.argv[1] === new URL(import.meta.url).pathname)
  for (const [page, text] of Object.entries(apiPages())) {
    const target = new URL(`../${page}`, import.meta.url);
    if (!process.argv.includes("--check")) writeFileSync(target, text);
    else if (readFileSync(target, "utf8") !== text) {
      console.error(`${page} is not what the declarations say: run node scripts/api-docs.mjs`);
      process.exitCode = 1;
    }
  }
