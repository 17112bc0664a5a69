// The shell and the commands are read text by text out of the bytes of one file.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { loadGuestModule } from "../support/guest-modules.mjs";

const { Programs } = loadGuestModule("guest/loader");

test("each text is that of the file, and there is no other", () => {
  const bytes = readFileSync(new URL("../../dist/programs.json", import.meta.url));
  const programs = new Programs(bytes);
  const all = Object.entries(JSON.parse(bytes));
  assert.ok(all.length > 100);
  for (const [id, text] of all) assert.equal(programs.text(id), text, id);
  assert.equal(programs.text("userland/sh"), undefined);
  assert.equal(programs.text("toString"), undefined);
});

test("quotes, backslashes and commas in a text end none", () => {
  const texts = { a: '","', b: '\\","b":"', "c/d": "\\", e: 'é"\n,', f: "" };
  const programs = new Programs(Buffer.from(JSON.stringify(texts)));
  for (const [id, text] of Object.entries(texts)) assert.equal(programs.text(id), text, id);
  assert.equal(new Programs(Buffer.alloc(0)).text("a"), undefined);
});
