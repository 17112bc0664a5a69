// What a program is told of the file of its engine, and modules that read their constants late: as plain Node.
import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { spawnSync } from "node:child_process";
import { findEngine } from "../../dist/launcher/engine.js";
import { savings } from "../../dist/sdk/savings.js";
import { machine } from "../support/machines.mjs";
import { plainNode } from "../support/plain-node.mjs";

const program = `
  const { fork } = require("child_process");
  const { Worker, isMainThread } = require("worker_threads");
  if (!isMainThread) console.log("thread", process.execPath, process.argv[0]);
  else if (process.argv[2] === "child") {
    console.log("child", process.execPath, process.argv[0]);
    new Worker(__filename);
  } else {
    console.log(process.execPath, process.argv[0], require("global-module"));
    fork(__filename, ["child"]);
  }`;
const root = realpathSync(mkdtempSync(join(tmpdir(), "engine-copies-")));
after(() => rmSync(root, { recursive: true, force: true }));

test("a copy of the engine's file knows where it lies, and finds modules beside itself", async () => {
  const beside = (folder) => {
    mkdirSync(join(folder, "bin"), { recursive: true });
    mkdirSync(join(folder, "lib/node"), { recursive: true });
    writeFileSync(join(folder, "lib/node/global-module.js"), "module.exports = 'found';");
    writeFileSync(join(folder, "main.js"), program);
  };
  beside(root);
  const copy = join(root, "bin/node");
  copyFileSync(findEngine().path, copy);
  const plain = spawnSync(copy, [join(root, "main.js")], { encoding: "utf8" });
  assert.match(plain.stdout, /found/, plain.stderr);

  const rt = await machine({
    files: {
      [join(root, "lib/node/global-module.js")]: "module.exports = 'found';",
      [join(root, "main.js")]: program,
    },
  });
  const { stdout, stderr } = await rt.execCommand(
    "sh",
    [
      "-c",
      'mkdir -p "$0/bin" && cp "$(command -v node)" "$0/bin/node" && "$0/bin/node" "$0/main.js"',
      root,
    ],
    { timeout: 60_000 },
  );
  assert.equal(stdout, plain.stdout, stderr);
});

test("zlib takes the limit that a program has set before it asks for zlib", async () => {
  const source = `
    require("buffer").kMaxLength = 64;
    const zlib = require("zlib");
    const packed = zlib.deflateSync(Buffer.alloc(128));
    try { console.log(zlib.inflateSync(packed).length); } catch (error) { console.log(error.code); }`;
  const plain = plainNode(["-e", source]);
  assert.equal(plain.stdout, "ERR_BUFFER_TOO_LARGE\n", plain.stderr);
  const rt = await machine();
  // Once with a zygote that has not loaded zlib, and once with one that has.
  for (const warm of [false, true]) {
    if (warm) await savings();
    const { stdout, stderr } = await rt.execCommand("node", ["-e", source], { timeout: 30_000 });
    assert.equal(stdout, plain.stdout, `${warm} ${stderr}`);
  }
});
