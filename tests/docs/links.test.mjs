// Every link between the pages leads somewhere, heading included, and the site has every page.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join, posix } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { anchorsOf, linksOf, pageFiles, textOf, titleOf } from "../../scripts/pages.mjs";
import { linkOf, placeOf } from "../../scripts/site.mjs";
import { beside, groupsWith } from "../../site/pages.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const pages = pageFiles();

/** What is wrong with a link of a page, or undefined. */
function fault(file, link) {
  if (/^https?:/.test(link)) return undefined;
  const [, path, , anchor] = /^([^#]*)(#(.*))?$/.exec(link);
  const target = path === "" ? file : posix.normalize(posix.join(posix.dirname(file), path));
  if (!existsSync(join(root, target))) return "leads nowhere";
  if (anchor === undefined) return undefined;
  return anchorsOf(textOf(target)).includes(anchor) ? undefined : "leads to no heading";
}

test("the check sees what is missing", () => {
  assert.equal(fault("README.md", "docs/api.md"), undefined);
  assert.equal(fault("docs/api.md", "api.md"), undefined);
  assert.equal(fault("docs/api.md", "docs/api.md"), "leads nowhere");
  assert.equal(fault("docs/api.md", "#nowhere"), "leads to no heading");
  assert.deepEqual(linksOf("[a](b.md) `[c](d)`\n```\n[e](f)\n```\n    [g](h)\n"), ["b.md"]);
  assert.deepEqual(anchorsOf("# A `b`, c\n## A b c\n```\n# no\n```\n"), ["a-b-c", "a-b-c-1"]);
});

test("every relative link leads to a file, and to a heading where it names one", () => {
  const broken = pages.flatMap((file) =>
    linksOf(textOf(file))
      .map((link) => [link, fault(file, link)])
      .filter(([, why]) => why !== undefined)
      .map(([link, why]) => `${file}: ${link} ${why}`),
  );
  assert.deepEqual(broken, []);
});

test("the site has every page of docs/ once; every page has a title", () => {
  const listed = groupsWith(pages).flatMap((group) => group.pages);
  assert.equal(new Set(listed).size, listed.length);
  assert.deepEqual(
    pages.filter(
      (file) => file.startsWith("docs/") && !beside.test(file) && !listed.includes(file),
    ),
    [],
  );
  assert.deepEqual(
    listed.filter((file) => !pages.includes(file)),
    [],
    "site/pages.mjs lists what is not there",
  );
  for (const file of pages) assert.notEqual(titleOf(textOf(file)), "", file);
});

test("links of the site: to pages, to headings, to the repository", () => {
  assert.equal(placeOf("README.md"), "index.md");
  assert.equal(placeOf("docs/decisions/README.md"), "decisions/index.md");
  assert.equal(placeOf("SECURITY.md"), "security.md");
  assert.equal(linkOf("docs/sdk.md", "../SECURITY.md", pages), "./security.md");
  assert.equal(linkOf("README.md", "docs/api.md#a", pages), "./api.md#a");
  assert.equal(linkOf("docs/sdk.md", "https://example.com", pages), "https://example.com");
  assert.match(linkOf("README.md", "LICENSE", pages), /^https:.*\/blob\/main\/LICENSE$/);
  assert.throws(() => linkOf("README.md", "nothing.md", pages), /leads nowhere/);
});
