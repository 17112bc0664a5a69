// A zygote that is begun before the kernel process's engine runs, and one that the kernel process starts: they are
// to be the same to the last limit.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { engine, runPlain } from "./engine.mjs";

const timeout = 60_000;
const early = process.arch === "x64" ? false : "zygotes are begun early on x64 alone";
/** Namespaces and ids of a process that may not be dumped are shown to root alone. */
const observer = process.geteuid() === 0 ? early : "only root sees a zygote's descriptors";

/** Prints what Linux says of the kernel process and its zygote once a program has run. */
const host = `
import { readFileSync, readdirSync, readlinkSync } from "node:fs";
import { NodeRuntime } from ${JSON.stringify(new URL("../../dist/index.js", import.meta.url).href)};
import { tree } from ${JSON.stringify(new URL("../support/processes.mjs", import.meta.url).href)};
const rt = await NodeRuntime.create();
const { value } = await rt.run("__return(2 + 3)");
const isolation = JSON.parse(JSON.stringify(await rt.isolation()).replace(/uid [0-9]+/g, "uid"));
const { kernel, zygote, spawner } = tree();
const read = (pid, name) => readFileSync("/proc/" + pid + "/" + name, "latin1");
const status = (pid) => Object.fromEntries(read(pid, "status").split("\\n").map((line) => line.split(":\\t")));
const target = (pid, fd) => {
  try {
    return readlinkSync("/proc/" + pid + "/fd/" + fd).replace(/[0-9]+/g, "");
  } catch {
    return undefined;
  }
};
// One that is closed meanwhile is a guest's.
const open = (pid) => readdirSync("/proc/" + pid + "/fd").map((fd) => [fd, target(pid, fd)]).filter(([, found]) => found !== undefined);
const wanted = ["PPid", "TracerPid", "Umask", "Groups", "Threads", "SigBlk", "SigIgn", "SigCgt", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "Seccomp_filters"];
const state = status(zygote);
const group = (pid) => read(pid, "stat").replace(/^.*[)] /, "").split(" ").slice(2, 4).map((id) => Number(id) === kernel);
const spaces = readdirSync("/proc/self/ns").filter((name) => readlinkSync("/proc/" + zygote + "/ns/" + name) !== readlinkSync("/proc/" + kernel + "/ns/" + name));
const facts = {
  status: Object.fromEntries(wanted.map((name) => [name, name === "PPid" ? Number(state.PPid) === kernel : state[name]])),
  ownId: Number(state.Uid.split("\\t")[0]) === 0x60000000 + zygote,
  limits: read(zygote, "limits").replace(/^Max (data size|pending signals).*$/gm, ""),
  oom: read(zygote, "oom_score_adj"),
  command: read(zygote, "cmdline"),
  environment: read(zygote, "environ"),
  sameProgram: readlinkSync("/proc/" + zygote + "/exe") === readlinkSync("/proc/" + kernel + "/exe"),
  open: open(zygote).filter(([fd]) => fd < 8),
  group: group(zygote),
  spaces,
  spawner: open(spawner).map(([fd, target]) => fd < 7 ? [fd, target.replace(/^.*[/]/, "")] : target),
  kernelStatus: Object.fromEntries(["NoNewPrivs", "Seccomp", "Seccomp_filters"].map((name) => [name, status(kernel)[name]])),
};
// Threads that an engine starts for itself come after the zygote, or before it.
const threads = readdirSync("/proc/" + kernel + "/task").map(Number).filter((id) => id !== kernel);
const files = open(kernel).filter(([, target]) => /guest|programs|early|memfd/.test(target));
// Null devices are on their way to guests now and then.
const kinds = (list) => [...new Set(list.map(([, target]) => target))].sort();
console.log(JSON.stringify({ value, isolation, facts, beforeEngine: zygote < Math.min(...threads), files, kernel: kinds(open(kernel).filter(([, target]) => !/^anon|^pipe/.test(target))).filter((kind) => kind !== "socket:[]") }));
await rt.dispose();
process.exit(0);
`;

function said({ stdout, stderr }) {
  try {
    return JSON.parse(stdout);
  } catch {
    throw new Error(`${stdout}\n${stderr}`);
  }
}

const run = (env) =>
  said(
    spawnSync(process.execPath, ["--input-type=module", "-e", host], {
      env: { ...process.env, ...env },
      encoding: "utf8",
      timeout,
    }),
  );

test(
  "one that is begun before the engine has what one has that the kernel process starts",
  { skip: observer, timeout },
  () => {
    const begun = run({});
    // Nobody knows what another engine is, and so what runs before it.
    const started = run({ SECURE_EXEC_ENGINE: engine });
    assert.equal(begun.beforeEngine, true);
    assert.equal(started.beforeEngine, false);
    assert.equal(begun.value, 5);
    assert.equal(begun.facts.status.PPid, true);
    assert.equal(begun.facts.status.NoNewPrivs, "1");
    assert.deepEqual(begun.facts, started.facts);
    assert.deepEqual(begun.isolation, started.isolation);
    assert.deepEqual(begun.files, []);
    assert.deepEqual(begun.kernel, started.kernel);
  },
);

for (const [name, ...numbers] of [
  ["memfd_create", 319, 279],
  ["close_range", 436, 436],
])
  test(`without ${name} the kernel process starts it`, { skip: observer, timeout }, async () => {
    const args = [process.execPath, host, name, ...numbers.map(String)];
    const { value, beforeEngine, files } = said(await runPlain("without-call.mjs", args));
    assert.equal(value, 5);
    assert.equal(beforeEngine, false);
    assert.deepEqual(files, []);
  });
