// Writes docs/secure-exec.1 from the table of commands in dist/; with --check only says whether it is up to date.
import { readFileSync, writeFileSync } from "node:fs";
import { manPage } from "../dist/cli/help.js";

const read = (name) => readFileSync(new URL(`../${name}`, import.meta.url), "utf8");
const target = new URL("../docs/secure-exec.1", import.meta.url);
const page = manPage(JSON.parse(read("package.json")).version);

if (process.argv.includes("--check")) {
  if (read("docs/secure-exec.1") !== page) {
    console.error("docs/secure-exec.1 is not up to date: node scripts/man.mjs");
    process.exit(1);
  }
} else writeFileSync(target, page);
