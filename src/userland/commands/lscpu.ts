/** Owns `lscpu`: what /proc/cpuinfo and the machine's identity say. */
import { cpus, endianness, machine } from "node:os";
import type { Command } from "../command.js";
import { parseOptions } from "../support/options.js";

export const main: Command = (context) => {
  const options = parseOptions(context, "aBbceJnp", {
    json: "J",
    "parse=?": "p",
    "extended=?": "e",
    all: "a",
    online: "b",
    offline: "c",
    bytes: "B",
  });
  const all = cpus();
  const count = Math.max(1, all.length);
  const architecture = machine();
  const numbers = Array.from({ length: count }, (_, at) => at);
  if (options.has("p")) {
    const head =
      "# The following is the parsable format, which can be fed to other\n# programs. Each different item in every column has an unique ID\n# starting usually from zero.\n# CPU,Core,Socket,Node,,L1d,L1i,L2,L3\n";
    context.write(head + numbers.map((at) => `${at},${at},0,,,,,,\n`).join(""));
    return 0;
  }
  if (options.has("e")) {
    context.write(
      `CPU SOCKET CORE ONLINE\n${numbers.map((at) => `${String(at).padStart(3)}      0 ${String(at).padStart(4)}    yes\n`).join("")}`,
    );
    return 0;
  }
  const list = count === 1 ? "0" : count === 2 ? "0,1" : `0-${count - 1}`;
  const rows: [name: string, value: string][] = [
    ["Architecture", architecture],
    ["  CPU op-mode(s)", architecture === "x86_64" ? "32-bit, 64-bit" : "64-bit"],
    ["  Byte Order", endianness() === "LE" ? "Little Endian" : "Big Endian"],
    ["CPU(s)", String(count)],
    ["  On-line CPU(s) list", list],
    ["Model name", all[0]?.model || "unknown"],
    ["  Thread(s) per core", "1"],
    ["  Core(s) per socket", String(count)],
    ["  Socket(s)", "1"],
  ];
  if (options.has("J")) {
    const entries = rows.map(([name, data]) => ({ field: `${name.trim()}:`, data }));
    context.write(`${JSON.stringify({ lscpu: entries }, undefined, 3)}\n`);
    return 0;
  }
  const width = Math.max(...rows.map(([name]) => name.length)) + 4;
  for (const [name, value] of rows) context.write(`${`${name}:`.padEnd(width)}${value}\n`);
  return 0;
};
