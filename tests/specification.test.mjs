// Every promise of SPECIFICATION.md has a holder that exists: a test by file and title, or a row of bench/.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const read = (name) => readFileSync(join(root, name), "utf8");

/** Promises as [number, holders]. @returns {[number, string[]][]} */
const promisesOf = (text) =>
  [...text.matchAll(/^\| (\d+) \|.* \| (.*) \|$/gm)].map(([, number, holders]) => [
    Number(number),
    [...holders.matchAll(/`([^`]+)`/g)].map((match) => match[1]),
  ]);

/** Titles of tests, and names of rows, as they are written in a file. */
function titlesOf(text) {
  const call = /\b(?:test|it|row)\(\s*(["'`])((?:(?!\1)[^\\]|\\.)*)\1/g;
  return new Set([...text.matchAll(call)].map((match) => match[2].replace(/\\(.)/g, "$1")));
}

/** What is wrong with a holder, if anything. */
function missing(holder, files = read) {
  const [, file, title] = /^((?:tests|bench)\/[\w./-]+): (.+)$/.exec(holder) ?? [];
  if (file === undefined) return "names no file and title";
  let text;
  try {
    text = files(file);
  } catch {
    return "there is no such file";
  }
  return titlesOf(text).has(title) ? undefined : "the file has no such test or row";
}

const promises = promisesOf(read("SPECIFICATION.md"));

test("the check sees a promise without a holder, and one whose holder is gone", () => {
  assert.deepEqual(promisesOf("| 1 | Nothing breaks. |  |\n"), [[1, []]]);
  const files = (name) => {
    if (name !== "tests/a.test.mjs") throw new Error(name);
    return 'test("is there", () => {});\nit(\n  `of ${kind}`,';
  };
  assert.equal(missing("tests/a.test.mjs: is there", files), undefined);
  assert.equal(missing("tests/a.test.mjs: of ${kind}", files), undefined);
  assert.match(missing("tests/a.test.mjs: is", files), /no such test/);
  assert.match(missing("tests/b.test.mjs: is there", files), /no such file/);
  assert.match(missing("tests/a.test.mjs", files), /names no file/);
});

test("every promise has a holder, and every holder exists", () => {
  const broken = promises.flatMap(([number, holders]) =>
    holders.length === 0
      ? [`${number}: nobody holds it`]
      : holders
          .map((holder) => [holder, missing(holder)])
          .filter(([, why]) => why !== undefined)
          .map(([holder, why]) => `${number}: ${holder}: ${why}`),
  );
  assert.deepEqual(broken, []);
});

test("numbers are unique and rise, and no row escapes the check", () => {
  const numbers = promises.map(([number]) => number);
  assert.ok(numbers.length > 40);
  assert.deepEqual(
    numbers,
    [...new Set(numbers)].sort((a, b) => a - b),
  );
  const rows = read("SPECIFICATION.md").match(/^\|(?! \| Promise| ---).*$/gm);
  assert.equal(rows.length, promises.length);
});

test("links of the pages for contributors lead somewhere", () => {
  for (const page of ["CONTRIBUTING.md", "CHANGELOG.md", "SPECIFICATION.md"])
    for (const [, target] of read(page).matchAll(/\]\(([^)#:]+)\)/g))
      assert.ok(existsSync(join(root, target)), `${page}: ${target}`);
});
