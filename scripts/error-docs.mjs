// Writes docs/errors.md from the one table of codes; with --check only says whether it is up to date.
import { readFileSync, writeFileSync } from "node:fs";
import { errorTable } from "../dist/sdk/errors.js";

const target = new URL("../docs/errors.md", import.meta.url);

export function errorPage() {
  const rows = Object.entries(errorTable).map(
    ([name, { when, remedy }]) =>
      `## \`ERR_SECURE_EXEC_${name}\`\n${when}\n\n*What to do:* ${remedy}\n`,
  );
  return `# Errors

Generated from \`src/sdk/errors.ts\` by \`node scripts/error-docs.mjs\`. Every error that a caller of the SDK meets is a
\`SecureExecError\` with one of these codes in \`code\`, often with \`details\` and a \`cause\`. Errors inside a program are
Node's own.

${rows.join("\n")}`;
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const page = errorPage();
  if (process.argv.includes("--check")) {
    if (readFileSync(target, "utf8") !== page) {
      console.error("docs/errors.md is not what the table says: run node scripts/error-docs.mjs");
      process.exit(1);
    }
  } else writeFileSync(target, page);
}
