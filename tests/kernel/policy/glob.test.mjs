import assert from "node:assert/strict";
import { performance } from "node:perf_hooks";
import { test } from "node:test";
import fc from "fast-check";
import { matchesName, matchesPath } from "../../../dist/kernel/policy/glob.js";
import { parseNameGlob, parsePathGlob } from "../../../dist/protocol/permission-patterns.js";

const path = (pattern, text) => matchesPath(parsePathGlob(pattern), text);
const name = (pattern, text) => matchesName(parseNameGlob(pattern), text);

test("names", () => {
  for (const [pattern, text, expected] of [
    ["add", "add", true],
    ["add", "adda", false],
    ["add", "ad", false],
    ["a*", "a", true],
    ["a*", "abc", true],
    ["*c", "abc", true],
    ["a*c", "ac", true],
    ["a*c", "abd", false],
    ["a?c", "abc", true],
    ["a?c", "ac", false],
    ["*a*b*", "xxaxxbxx", true],
    ["*a*b*", "xxbxxaxx", false],
    ["**", "anything", true],
    ["*?", "", false],
    ["a\\*", "a*", true],
    ["a\\*", "ab", false],
    ["a.c", "abc", false],
  ]) {
    assert.equal(name(pattern, text), expected, `${pattern} on ${text}`);
  }
});

test("paths: * stays within a component, ** crosses and includes the directory itself", () => {
  for (const [pattern, text, expected] of [
    ["/vault/**", "/vault/a", true],
    ["/vault/**", "/vault/a/b/c", true],
    ["/vault/**", "/vault", true],
    ["/vault/**", "/vaults/a", false],
    ["/vault/**", "/x/vault/a", false],
    ["/vault/*", "/vault/a", true],
    ["/vault/*", "/vault/a/b", false],
    ["/vault/*", "/vault", false],
    ["/vault/*.txt", "/vault/a.txt", true],
    ["/vault/*.txt", "/vault/a.txt/b", false],
    ["/**/secret", "/a/b/secret", true],
    ["/**/secret", "/secret", true],
    ["**/secret", "/a/secret", true],
    ["/a/**/z/**/q", "/a/b/z/c/q", true],
    ["/a/**/z/**/q", "/a/b/c/q", false],
    ["*", "/any/where", true],
    ["**", "/", true],
    ["/", "/", true],
    ["/", "/a", false],
    ["/a/", "/a", true],
    ["/a//b", "/a/b", true],
    ["/A", "/a", false],
    ["/*/.env", "/app/.env", true],
    ["/a/*", "/a/.hidden", true],
  ]) {
    assert.equal(path(pattern, text), expected, `${pattern} on ${text}`);
  }
});

test("names agree with a regular expression on random input", () => {
  const letter = fc.constantFrom("a", "b", "*", "?");
  fc.assert(
    fc.property(
      fc.string({ unit: letter, minLength: 1, maxLength: 8 }),
      fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 10 }),
      (pattern, text) => {
        const source = pattern.replace(/[*]/g, ".*").replace(/[?]/g, ".");
        assert.equal(name(pattern, text), new RegExp(`^${source}$`, "s").test(text));
      },
    ),
    { numRuns: 2000 },
  );
});

test("paths agree with a regular expression on random input", () => {
  const part = fc.constantFrom("a", "b", "*", "**", "a*");
  fc.assert(
    fc.property(
      fc.array(part, { minLength: 1, maxLength: 6 }),
      fc.array(fc.constantFrom("a", "b", "ab"), { maxLength: 7 }),
      (parts, text) => {
        const source = parts
          .map((p) => (p === "**" ? "(?:/[^/]+)*" : `/${p.replace("*", "[^/]*")}`))
          .join("");
        const subject = text.map((p) => `/${p}`).join("");
        assert.equal(
          path(`/${parts.join("/")}`, subject === "" ? "/" : subject),
          new RegExp(`^${source}$`).test(subject),
          `${parts.join("/")} on ${subject}`,
        );
      },
    ),
    { numRuns: 3000 },
  );
});

test("hostile patterns and paths cost no more than their product", () => {
  // A backtracking matcher needs longer than the age of the universe for either.
  const stars = `${"*a".repeat(100)}*b`;
  const started = performance.now();
  assert.equal(name(stars, "a".repeat(4000)), false);
  const deep = `/${"**/a/".repeat(100)}b`;
  assert.equal(path(deep, `/${"a/".repeat(2000)}c`), false);
  const wide = `/${Array.from({ length: 60 }, () => "*a*a*a*b").join("/**/")}`;
  assert.equal(path(wide, `/${`${"a".repeat(60)}/`.repeat(60)}x`), false);
  // Not a speed test: a bound that only an exponential matcher misses.
  assert.ok(performance.now() - started < 30_000);
});
