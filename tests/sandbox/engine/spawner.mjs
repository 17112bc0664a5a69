// A spawner that is asked three times, by a process that ends thereafter: prints what it started.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { openSync, readFileSync, readdirSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as libc from "../../../dist/sandbox/libc.js";
import { Spawner } from "../../../dist/sandbox/spawner.js";
import { alive, children, until } from "../../support/processes.mjs";

const file = join(tmpdir(), `spawner-${process.pid}`);
const kind = (target) => (target.includes("spawner-") ? "file" : target.replace(/:.*/, ""));
const descriptorsOf = (pid) =>
  Object.fromEntries(
    readdirSync(`/proc/${pid}/fd`).map((fd) => [fd, kind(readlinkSync(`/proc/${pid}/fd/${fd}`))]),
  );

/** Says who it is, once it is asked to. */
const said = `
const fs = require("fs");
const bytes = Buffer.alloc(64);
const size = fs.readSync(4, bytes, 0, 64, 0);
const { argv0, execArgv, argv, env, ppid, pid } = process;
const whole = fs.readFileSync("/proc/self/cmdline", "latin1").split("\\0").slice(0, -1);
fs.writeSync(2, JSON.stringify({ argv: whole, environment: env, file: bytes.toString("utf8", 0, size), ppid, pid }) + "\\n");
fs.readSync(3, bytes, 0, 1);
`;

async function main() {
  writeFileSync(file, "shared by all");
  const spawner = Spawner.start({
    path: process.execPath,
    argv: ["named", "-e", said, "a b"],
    files: [openSync(file, "r")],
  });
  const started = [];
  for (let i = 0; i < 3; i++) {
    const [words, stderr] = libc.pipe2(libc.O_CLOEXEC);
    const [mine, theirs] = libc.socketpair(libc.SOCK_STREAM, libc.SOCK_CLOEXEC);
    const pid = spawner.spawn([stderr, theirs]);
    libc.close(stderr);
    libc.close(theirs);
    const buffer = Buffer.alloc(64 * 1024);
    let size = 0;
    while (!buffer.includes("\n")) size += libc.read(words, buffer, size, buffer.length - size);
    const one = JSON.parse(buffer.toString("utf8", 0, size));
    // What the engine opens for itself comes after what it was given.
    const given = Object.entries(descriptorsOf(pid)).filter(([fd]) => fd < 5);
    started.push({
      ...one,
      parent: one.ppid === process.pid && one.pid === pid,
      descriptors: Object.fromEntries(given),
    });
    libc.close(mine);
    libc.waitpid(pid, 0);
  }
  const [pid] = children(process.pid);
  const residentKiB = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]);
  rmSync(file);
  console.log(
    JSON.stringify({ started, waiting: { pid, descriptors: descriptorsOf(pid), residentKiB } }),
  );
}

if (process.argv[2] === "main") await main();
else {
  const self = fileURLToPath(import.meta.url);
  const child = spawn(process.execPath, ["--no-warnings", self, "main"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  child.stdout.on("data", (chunk) => (text += chunk));
  await once(child, "close");
  const found = JSON.parse(text);
  await until(() => !alive(found.waiting.pid), "the spawner's end");
  console.log(JSON.stringify({ ...found, ended: true }));
}
