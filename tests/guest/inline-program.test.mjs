/** A program given as text lives in its working directory, as `node --input-type=module -e` does, and is no file. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { machine } from "../support/machines.mjs";
import { plainNode } from "../support/plain-node.mjs";

const base = mkdtempSync(join(tmpdir(), "inline-program-"));
const project = join(base, "project");
mkdirSync(join(project, "node_modules", "p"), { recursive: true });
mkdirSync(join(project, "odd dir #1"));
const files = {
  "lib.mjs": "export default import.meta.url",
  "common.cjs": "module.exports = __filename",
  "data.json": '{"a":1}',
  "worker.mjs":
    "import { parentPort } from 'node:worker_threads'; parentPort.postMessage(import.meta.url)",
  "node_modules/p/index.js": "module.exports = 'p'",
  "odd dir #1/lib.mjs": "export default 'odd'",
};
for (const [name, text] of Object.entries(files)) writeFileSync(join(project, name), text);
after(() => rmSync(base, { recursive: true }));
const mounted = (readOnly) =>
  machine({ mounts: [{ guestPath: "/project", hostPath: project, readOnly }] });
const ok = ({ exitCode, stdout, stderr }) => {
  assert.equal(exitCode, 0, stderr);
  return stdout;
};

const program = `
  import url from "./lib.mjs";
  import p from "p";
  import data from "./data.json" with { type: "json" };
  import { createRequire } from "node:module";
  import { Worker } from "node:worker_threads";
  import { once } from "node:events";
  import { readFileSync } from "node:fs";
  const require = createRequire(import.meta.url);
  // Node's workers inherit --input-type, and refuse it.
  const own = { execArgv: [] };
  const [fromWorker] = await once(new Worker(new URL("./worker.mjs", import.meta.url), own), "message");
  const [byName] = await once(new Worker("./worker.mjs", own), "message");
  console.log(JSON.stringify([
    url, p, data.a, require("./common.cjs"), require("p"), fromWorker, byName,
    import.meta.url, import.meta.filename, import.meta.dirname, import.meta.resolve("./lib.mjs"),
    readFileSync(new URL("data.json", import.meta.url), "utf8"), (await import("./lib.mjs")).default,
    new Error().stack.split("\\n")[1].trim(),
  ]));`;

for (const readOnly of [true, false]) {
  test(`what is near it, ${readOnly ? "read-only" : "writable"}, is found as plain Node finds it`, async () => {
    const rt = await mounted(readOnly);
    const got = ok(await rt.exec(program, { cwd: "/project" }));
    const plain = plainNode(["--input-type=module", "-e", program], { cwd: project });
    assert.equal(plain.status, 0, plain.stderr);
    assert.deepEqual(JSON.parse(got), JSON.parse(plain.stdout.replaceAll(project, "/project")));
    assert.deepEqual(
      JSON.parse(
        ok(await rt.exec(`console.log(JSON.stringify(require("fs").readdirSync("/tmp")))`)),
      ),
      [],
    );
    assert.deepEqual(
      readdirSync(project).sort(),
      [
        ...Object.keys(files).filter((name) => !name.includes("/")),
        "node_modules",
        "odd dir #1",
      ].sort(),
    );
  });
}

test("with TypeScript, in odd directories, at the root, and in a resident runner", async () => {
  const rt = await mounted(true);
  const odd = { cwd: "/project/odd dir #1" };
  const show = `import lib from "./lib.mjs"; console.log(lib, __filename, import.meta.filename);`;
  const name = "/project/odd dir #1/[eval1]";
  assert.equal(ok(await rt.exec(show, odd)), `odd ${name} ${name}\n`);
  assert.equal(
    ok(await rt.exec(`const x: number = 1; ${show}`, { ...odd, language: "ts" })),
    `odd ${name} ${name}\n`,
  );
  assert.equal(
    ok(
      await rt.exec(`console.log(import.meta.url, require.resolve("/project/lib.mjs"))`, {
        cwd: "/",
      }),
    ),
    "file:///[eval1] /project/lib.mjs\n",
  );
  const resident = await machine({
    mounts: [{ guestPath: "/project", hostPath: project }],
    cwd: "/project",
  });
  const runner = await resident.createResidentRunner();
  assert.equal(ok(await runner.exec(`import p from "p"; console.log(p)`)), "p\n");
  assert.equal(
    ok(await runner.exec(`console.log((await import("./lib.mjs")).default)`)),
    "file:///project/lib.mjs\n",
  );
});

test("packages that the host puts below /tmp are found in every directory", async () => {
  const byMount = await machine({ nodeModules: join(project, "node_modules") });
  const byFiles = await machine({
    files: { "/tmp/node_modules/p/index.js": "module.exports = 'p'" },
  });
  for (const rt of [byMount, byFiles]) {
    await rt.writeFile("/workspace/deep/main.mjs", `import p from "p"; console.log(p)`);
    assert.equal(
      ok(await rt.exec(`import p from "p"; console.log(p, require.resolve("p"))`)),
      "p /tmp/node_modules/p/index.js\n",
    );
    assert.equal(ok(await rt.execCommand("node", ["deep/main.mjs"], { cwd: "/workspace" })), "p\n");
  }
  const without = await machine({});
  assert.equal(await without.exists("/node_modules"), false);
});
