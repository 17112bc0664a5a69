// xz, bzip2, zstd, zip and unzip: what one writes the machine's own reads, and the other way round.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import * as zlib from "node:zlib";
import { join } from "node:path";
import { after, test } from "node:test";
import { loadGuestModule } from "../../support/guest-modules.mjs";
import { compare, runOurs } from "./harness.mjs";

const { codecs } = loadGuestModule("userland/support/codecs");
const folder = mkdtempSync(join(tmpdir(), "archives-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const has = (tool) => spawnSync(tool, ["--version"]).error === undefined;

function decoded(codec, data) {
  const parts = [];
  codec.decode(data, (part) => parts.push(part));
  return Buffer.concat(parts);
}

const text = Buffer.from(
  Array.from({ length: 4000 }, (_, at) => `line ${at} of ${at % 7}\n`).join(""),
);
const samples = {
  nothing: Buffer.alloc(0),
  "one byte": Buffer.from("a"),
  text,
  "a run": Buffer.alloc(300_000, "x"),
  "a period": Buffer.from("abcabcabcd".repeat(20_000)),
  noise: randomBytes(150_000),
  "text and noise": Buffer.concat([text, randomBytes(70_000), text]),
};

for (const name of ["xz", "bzip2", "zstd"]) {
  const codec = codecs[name];
  if (name === "zstd" && zlib.zstdCompressSync === undefined) {
    test("zstd", { skip: "this Node.js has no zstd; the engine has" });
    continue;
  }
  for (const [title, data] of Object.entries(samples)) {
    test(
      `${name}: ${title} comes back`,
      { skip: name === "zstd" && data.length === 0 && "an empty frame is zstd's own" },
      () => {
        const packed = codec.encode(data, codec.levels.usual);
        assert.ok(decoded(codec, packed).equals(data));
        if (data.length > 1000 && title !== "noise") assert.ok(packed.length < data.length);
        if (!has(name)) return;
        const real = spawnSync(name, ["-dc"], { input: packed, maxBuffer: 1 << 28 });
        assert.equal(real.stderr.toString(), "");
        assert.ok(real.stdout.equals(data), "the machine's own reads it");
        const theirs = spawnSync(name, ["-c"], { input: data, maxBuffer: 1 << 28 }).stdout;
        assert.ok(decoded(codec, theirs).equals(data), "and is read");
      },
    );
  }

  test(`${name}: what is broken is an error, wherever it is broken`, () => {
    const packed = codec.encode(text, codec.levels.usual);
    for (let at = 0; at < packed.length; at += Math.ceil(packed.length / 60)) {
      const flipped = Buffer.from(packed);
      flipped[at] ^= 0x41;
      try {
        assert.ok(decoded(codec, flipped).equals(text), `byte ${at}`);
      } catch (error) {
        assert.equal(error.constructor.name, "FormatError", `byte ${at}: ${error}`);
      }
      try {
        decoded(codec, packed.subarray(0, at));
        assert.equal(at, 0);
      } catch (error) {
        assert.equal(error.constructor.name, "FormatError", `cut at ${at}: ${error}`);
      }
    }
  });

  test(`${name}: two streams are one file`, () => {
    const packed = codec.encode(text, 1);
    assert.ok(decoded(codec, Buffer.concat([packed, packed])).equals(Buffer.concat([text, text])));
  });
}

const run = (argv, options = {}) => {
  const [result] = runOurs([{ argv, cwd: folder, stdin: "", ...options }]);
  assert.ok(!result.stderr.includes("internal error"), result.stderr);
  return result;
};

test(
  "zip and unzip: trees, modes and links, both ways",
  { skip: !(has("zip") && has("unzip")) && "zip or unzip is not installed" },
  () => {
    mkdirSync(join(folder, "tree/sub"), { recursive: true });
    writeFileSync(join(folder, "tree/a.txt"), text);
    writeFileSync(join(folder, "tree/sub/run.sh"), "#!/bin/sh\n");
    writeFileSync(join(folder, "tree/ünï.txt"), "é\n");
    chmodSync(join(folder, "tree/sub/run.sh"), 0o755);
    symlinkSync("a.txt", join(folder, "tree/link"));
    assert.equal(run(["zip", "-qry", "ours.zip", "tree"]).status, 0);
    spawnSync("zip", ["-qry", "theirs.zip", "tree"], { cwd: folder });
    const test1 = spawnSync("unzip", ["-tq", "ours.zip"], { cwd: folder });
    assert.equal(test1.status, 0, test1.stdout.toString());
    for (const [archive, unpack] of [
      [
        "ours.zip",
        (args) =>
          spawnSync("unzip", args, { cwd: folder, env: { ...process.env, LC_ALL: "C.UTF-8" } }),
      ],
      ["theirs.zip", (args) => run(["unzip", ...args])],
      ["ours.zip", (args) => run(["unzip", ...args])],
    ]) {
      rmSync(join(folder, "out"), { recursive: true, force: true });
      assert.equal(unpack(["-q", archive, "-d", "out"]).status, 0);
      assert.ok(readFileSync(join(folder, "out/tree/a.txt")).equals(text));
      assert.equal(readFileSync(join(folder, "out/tree/ünï.txt"), "utf8"), "é\n");
      assert.equal(readlinkSync(join(folder, "out/tree/link")), "a.txt");
      assert.equal(spawnSync("test", ["-x", join(folder, "out/tree/sub/run.sh")]).status, 0);
    }
    const names = run(["unzip", "-Z1", "theirs.zip"]).stdout.trim().split("\n");
    assert.equal(names.length, 6);
    assert.equal(run(["unzip", "-p", "theirs.zip", "tree/sub/run.sh"]).stdout, "#!/bin/sh\n");
  },
);

test("unzip: no entry leaves the folder, by its name or through a link", () => {
  const { ZipWriter } = loadGuestModule("userland/support/zip");
  const writer = new ZipWriter();
  const modified = new Date(2024, 0, 2);
  const add = (name, content, mode) =>
    writer.add({ name, content: Buffer.from(content), mode, modified, level: 6 });
  add("../escaped", "x", 0o100644);
  add("/absolute", "x", 0o100644);
  add("way", "..", 0o120777);
  add("way/through", "x", 0o100644);
  mkdirSync(join(folder, "box/in"), { recursive: true });
  writeFileSync(join(folder, "box/bad.zip"), writer.finish());
  run(["unzip", "-qo", "../bad.zip"], { cwd: join(folder, "box/in") });
  const outside = spawnSync("ls", ["-A", join(folder, "box")])
    .stdout.toString()
    .trim()
    .split("\n");
  assert.deepEqual(outside.sort(), ["bad.zip", "in"]);
});

compare("compressing as commands", [
  ["xz missing"],
  ["xz -d f", { files: { f: "x" } }],
  ["xz -dc", { stdin: "nothing of the kind, and long enough", stderr: false }],
  ["bzip2 missing"],
  ["bunzip2 -c", { stdin: "nothing", stderr: false }],
  ["unzip missing.zip"],
  ["zip a.zip missing", { stderr: false, expect: { stdout: "", stderr: "x", status: 12 } }],
]);

for (const [letter, tool] of [
  ["J", "xz"],
  ["j", "bzip2"],
  ["z", "gzip"],
]) {
  test(`tar -${letter}: both ways`, { skip: !has("tar") && "tar is not installed" }, () => {
    writeFileSync(join(folder, "packed.txt"), text);
    assert.equal(run(["tar", `c${letter}f`, "ours.tar", "packed.txt"]).status, 0);
    const real = spawnSync("tar", [`x${letter}Of`, "ours.tar"], { cwd: folder });
    assert.ok(real.stdout.equals(text), real.stderr.toString());
    spawnSync("tar", [`c${letter}f`, "theirs.tar", "packed.txt"], { cwd: folder });
    // The format is told by its first bytes, with the letter or without.
    for (const words of [`x${letter}Of`, "xOf"]) {
      assert.equal(run(["tar", words, "theirs.tar"]).stdout, text.toString("latin1"), tool);
    }
  });
}
