// docs/errors.md is generated; this holds it to the table.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { errorPage } from "../../scripts/error-docs.mjs";

test("docs/errors.md is what the table of errors says", () => {
  const page = readFileSync(new URL("../../docs/errors.md", import.meta.url), "utf8");
  assert.equal(page, errorPage());
});
