// Which texts have decorators: an @ outside of everything that may hold any letter.
import assert from "node:assert/strict";
import { test } from "node:test";
import { hasDecorators } from "../../dist/sdk/decorators.js";

const withDecorators = [
  "@d class A {}",
  "export @d class A {}",
  "class A { @d m() {} }",
  "class A { m(@d p: number) {} }",
  "const a = `${class { @d m() {} }}`;",
  "const a = `x${`y${1}`}`; @d class A {}",
  "const a = `${{ a: {} }}`; @d class A {}",
  "const s = 'it\\'s'; // a\n@(d()) class A {}",
  "const half = a / 2; @d class A { static x = 1 / 2; }",
  "const r = /[/]'/; @d class A {}",
  "const r = x.map((y) => y / 2) / 3; @d class A {}",
  "const open = 'no end\n@d class A {}",
  "a++ / b\n@d class A {}",
];
const withoutDecorators = [
  "",
  "const a = 1;",
  `import x from "@scope/name"; import y from '@scope/other';`,
  "// @ts-check\n/* @param a */ const a = 1;",
  "/** no end @",
  "const mail = `someone@${host}@`;",
  "const nested = `${`a@${'@'}`}@`;",
  "const at = /@/; const two = [/a@b/g, /[@/]@/]; f(/@/);",
  "const f = () => /@/.test(x); if (a) return /@/;",
  "const quote = \"\\\"@\", other = '\\\\', third = '@';",
  "const $ = typeof /@/;",
  "const cut = '\\\n@';",
  "const s = `\\`@`; const t = `$@`;",
];

test("decorators are seen, and nothing else for one", () => {
  for (const text of withDecorators) assert.equal(hasDecorators(text), true, text);
  for (const text of withoutDecorators) assert.equal(hasDecorators(text), false, text);
});

test("a text is read in time in proportion to it", () => {
  const million = 1_000_000;
  const texts = ["/[", "=/a", "`${", "`$", "\\", "'a", '"\\"', "`\\`", "a ", "/*", "/ "];
  for (const part of texts) {
    const text = `${part.repeat(million)}\n//@`;
    const before = process.cpuUsage();
    hasDecorators(text);
    const { user } = process.cpuUsage(before);
    // What is looked at from each place again takes minutes.
    assert.ok(user < 5e6, `${part}…: ${user / 1000} ms of CPU`);
  }
});
