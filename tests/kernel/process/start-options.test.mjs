// Every process is told about itself in the order that a zygote has read ahead, in values of the same kinds.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startOptionsOf } from "../../../dist/kernel/process/launch.js";
import { usualStart } from "../../../dist/protocol/usual-start.js";

/** What the engine tells apart when it makes the shape of an object. */
function kindOf(value) {
  if (Array.isArray(value)) return "array";
  if (value === null) return "null";
  if (typeof value !== "number") return typeof value;
  return Number.isInteger(value) && Math.abs(value) < 2 ** 31 ? "whole number" : "number";
}
const kinds = (object) => Object.entries(object).map(([name, value]) => [name, kindOf(value)]);

/** A process of a machine, as far as it is told about itself. */
const someProcess = (machine = {}) => ({
  vm: {
    limits: { threads: 3, valueBytes: 4096 },
    tools: { size: 0, executorServesShell: false },
    clock: { nowMs: Date.now() },
    startedAtMs: Date.now() - 5,
    jsRuntime: usualStart.jsRuntime,
    nativeAddons: false,
    deterministic: undefined,
    ...machine,
  },
  credentials: { cwd: "/tmp", uid: 0, gid: 0, umask: 0 },
  descriptors: { limit: 9, entries: () => [] },
  fileBytes: { soft: Infinity, hard: Infinity },
  inheritedIgnored: [],
  limits: { memoryBytes: 2 ** 27, processes: 7 },
  pid: 7,
  ppid: 1,
});

const program = {
  mode: "program",
  language: "js",
  endWhenSettled: false,
  image: "",
  path: "/a.mjs",
};
const command = { argv0: "sh", env: { A: "b" }, argv: ["-c", "true"], path: "", image: "sh" };

test("a program is told what a zygote has read, in its order", () => {
  const options = { ...program, argv: [], argv0: "node", env: usualStart.env };
  assert.deepEqual(kinds(startOptionsOf(someProcess(), options)), kinds(usualStart));
  assert.deepEqual(kinds(startOptionsOf(someProcess(), options).env), kinds(usualStart.env));
});

test("so is a command, whose own order is another; what only some are told comes last", () => {
  const deterministic = { seed: "s", startTimeMs: 0 };
  const told = startOptionsOf(someProcess({ deterministic }), {
    ...command,
    execPath: "/node",
    language: "js",
    mode: "command",
  });
  const names = Object.keys(told);
  assert.deepEqual(names, [...Object.keys(usualStart), "execPath", "deterministic"]);
  assert.deepEqual(
    [told.mode, told.cwd, told.pid, told.argv],
    ["command", "/tmp", 7, command.argv],
  );
});
