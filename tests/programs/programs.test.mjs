// Packages that people use, each doing what it is for: in a machine it prints what plain Node of the same version prints.
// They are installed once from the lock file beside this, without their scripts; nothing of them is kept here. Of what plain
// Node printed printed.json has digests, by digests of all that it depends on: a program that prints just that in a machine needs
// no second run. Any other is run by plain Node, too, and compared with that; with `--write` all are, and the digests are written.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { text } from "node:stream/consumers";
import { NodeRuntime } from "../../dist/index.js";
import { engineVersion, findEngine } from "../../dist/launcher/engine.js";
import { programFixtures } from "../../scripts/fixtures.mjs";
import building from "./building.mjs";
import data from "./data.mjs";
import everyday from "./everyday.mjs";
import http from "./http.mjs";
import libraries from "./libraries.mjs";

const programs = [...http, ...libraries, ...building, ...data, ...everyday];
const timeout = 180_000;
const { path: engine } = findEngine();

let directory;
let unreachable = false;
try {
  directory = programFixtures();
} catch (error) {
  unreachable = `the packages cannot be installed here: ${String(error.message).split("\n")[0]}`;
}

/** Warnings begin with the process id. */
const numberless = (printed) => printed.replace(/\(node:\d+\)/g, "(node)");

/** What both see of the environment. */
const env = { HOME: "/tmp", LANG: "C.UTF-8", NO_COLOR: "1", PATH: "/usr/local/bin:/usr/bin:/bin" };

const digestOf = (value) => createHash("sha256").update(JSON.stringify(value)).digest("hex");

const records = new URL("printed.json", import.meta.url);
/** @type {Record<string, string>} */
const recorded = JSON.parse(readFileSync(records, "utf8"));
const writes = process.argv.includes("--write");
/** What `--write` has found. */
const asked = {};
const lock = readFileSync(new URL("package-lock.json", import.meta.url), "utf8");

/** What plain Node prints is the same as long as this is: engine, environment, packages and program. */
const keyOf = (program) => digestOf([engineVersion, process.arch, env, lock, program]).slice(0, 24);

const outputOf = ({ exitCode, stdout, stderr }) => ({
  exitCode,
  stdout,
  stderr: numberless(stderr),
});

async function printedBy(file, cwd) {
  const child = spawn(engine, [file], { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  const printed = Promise.all([text(child.stdout), text(child.stderr)]);
  const [exitCode] = await once(child, "close");
  const [stdout, stderr] = await printed;
  return { exitCode, stdout, stderr };
}

describe("packages do in a machine what they do in plain Node", { skip: unreachable }, () => {
  let scratch;
  let rt;
  before(async () => {
    scratch = mkdtempSync(join(tmpdir(), "secure-exec-programs-"));
    mkdirSync(join(directory, "programs"), { recursive: true });
    for (const [at, [, program]] of programs.entries())
      writeFileSync(join(directory, "programs", `${at}.mjs`), program);
    rt = await NodeRuntime.create({
      mounts: [{ guestPath: directory, hostPath: directory }],
      limits: { memoryBytes: 1024 * 1024 * 1024 },
      nodeVersion: "engine",
    });
  });
  after(async () => {
    await rt.dispose();
    rmSync(scratch, { recursive: true, force: true });
  });

  for (const [at, [name, program]] of programs.entries()) {
    test(name, { timeout }, async () => {
      const file = join(directory, "programs", `${at}.mjs`);
      await rt.mkdir(`/tmp/run/${at}`, { recursive: true });
      const own = outputOf(await rt.execCommand("node", [file], { cwd: `/tmp/run/${at}`, env }));
      if (!writes && recorded[keyOf(program)] === digestOf(own)) return;
      const cwd = join(scratch, String(at));
      mkdirSync(cwd);
      const plain = outputOf(await printedBy(file, cwd));
      assert.equal(plain.exitCode, 0, `plain Node: ${plain.stderr}`);
      assert.notEqual(plain.stdout, "");
      asked[keyOf(program)] = digestOf(plain);
      assert.deepEqual(own, plain);
    });
  }
});

if (writes) after(() => writeFileSync(records, `${JSON.stringify(asked, null, 2)}\n`));
