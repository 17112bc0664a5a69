// What README.md shows is what happens.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const readme = readFileSync(join(root, "README.md"), "utf8");

test("the example prints what its comment says", () => {
  const blocks = [...readme.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map((match) => match[1]);
  assert.equal(blocks.length, 1);
  const typed = blocks[0];
  const entry = new URL("../dist/index.js", import.meta.url).href;
  const program = typed.replace("<{ sum: number }>", "").replace('"secure-exec"', `"${entry}"`);
  assert.ok(typed.includes("<{ sum: number }>") && program.includes(entry));
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["--input-type=module", "--eval", program],
    { cwd: root, encoding: "utf8", timeout: 60_000 },
  );
  assert.equal(stderr, "");
  assert.equal(stdout, "0 adding 2 and 40\n 42\n");
  assert.equal(status, 0);
  assert.match(typed, /\/\/ 0 "adding 2 and 40\\n" 42$/m);
});

test("the two commands are there", () => {
  const commands = readme.split("\n").filter((line) => line.startsWith("    npm "));
  assert.deepEqual(commands, [
    "    npm ci && npm run build && node examples/ai-agent-code-exec.mjs",
    "    npm ci && npm run build && npm test",
  ]);
  const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  assert.ok(scripts.build && scripts.test);
});

test("every file it links to exists", () => {
  const links = [...readme.matchAll(/\]\(([^)#:]+)\)/g)].map((match) => match[1]);
  assert.ok(links.length > 0);
  assert.deepEqual(
    links.filter((link) => !existsSync(join(root, link))),
    [],
  );
});
