// docs/system-calls.md is made from the tables of the protocol and the kernel.
// `node tests/kernel/syscalls/system-calls-doc.test.mjs --write` brings the page up to date.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { systemCalls } from "../../../dist/kernel/syscalls/table.js";
import { guestCalls } from "../../../dist/protocol/guest-calls.js";

const page = fileURLToPath(new URL("../../../docs/system-calls.md", import.meta.url));
const mark = /(<!-- calls -->\n)[^]*?(\n<!-- end of calls -->)/;

const fields = (schema) =>
  Object.entries(schema)
    .map(([name, type]) => `\`${name}: ${type}\``)
    .join(", ") || "—";

function table() {
  const rows = Object.entries(guestCalls)
    .sort(([, a], [, b]) => a.nr - b.nr)
    .map(([name, { nr, args, result }]) => {
      const { asks = "—", support = "full", note = "" } = systemCalls[name];
      return `| ${nr} | \`${name}\` | ${fields(args)} | ${fields(result)} | ${asks} | ${support} | ${note} |`;
    });
  const head = "| nr | Call | Arguments | Result | Demands | Support | Note |";
  return [head, "| --- | --- | --- | --- | --- | --- | --- |", ...rows].join("\n");
}

const filled = (text) => {
  assert.match(text, mark);
  return text.replace(mark, (_, open, close) => open + table() + close);
};

if (process.argv.includes("--write")) writeFileSync(page, filled(readFileSync(page, "utf8")));
else {
  test("docs/system-calls.md lists exactly the table", () => {
    const text = readFileSync(page, "utf8");
    assert.equal(text, filled(text));
  });

  test("every call of the protocol has a row, and every demand is said in words", () => {
    assert.deepEqual(Object.keys(systemCalls).sort(), Object.keys(guestCalls).sort());
    for (const [name, row] of Object.entries(systemCalls)) {
      assert.ok(row.run === "door" || typeof row.run === "function", name);
      const judged = row.demand ?? row.requests ?? row.found;
      if (judged !== undefined) assert.match(row.asks ?? "", /^(fs|process|tool) /, name);
      // Whoever takes a path says what it needs of the policy.
      const takesPath = ["path", "from", "to", "prefix", "directory"].some(
        (field) => guestCalls[name].args[field] === "string",
      );
      if (takesPath) assert.notEqual(judged, undefined, name);
    }
  });
}
