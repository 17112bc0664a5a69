/** Owns `free`: the machine's memory, which is the limit of the VM. */
import { CommandFailure, type Command } from "../command.js";
import { parseOptions } from "../support/options.js";
import { memoryKb } from "../support/processes.js";
import { humanSize } from "../support/text.js";

export const main: Command = (context) => {
  const options = parseOptions(context, "bkmghltvwsc:", {
    bytes: "b",
    kibi: "k",
    mebi: "m",
    gibi: "g",
    kilo: "kilo",
    mega: "mega",
    giga: "giga",
    human: "h",
    si: "si",
    lohi: "l",
    total: "t",
    wide: "w",
  });
  const extra = options.operands[0];
  if (extra !== undefined) throw new CommandFailure(`unexpected argument: ${extra}`);
  const si = options.has("si");
  const base = si ? 1000 : 1024;
  const unit = options.last("b", "k", "m", "g", "kilo", "mega", "giga") ?? "k";
  const divisor = { b: 1, k: base, m: base ** 2, g: base ** 3, kilo: 1000, mega: 1e6, giga: 1e9 }[
    unit
  ]!;
  const show = (kb: number) => {
    const bytes = kb * 1024;
    if (!options.has("h")) return String(Math.floor(bytes / divisor));
    if (bytes < base) return `${bytes}B`;
    return humanSize(bytes, base).replace(/\.0(?=\d*[A-Za-z])/, ".0") + (si ? "" : "i");
  };
  const kb = (name: string) => memoryKb(context, name);
  const cached = kb("Cached") + kb("SReclaimable");
  const available = kb("MemAvailable");
  const rows = [
    [
      "Mem:",
      kb("MemTotal"),
      kb("MemTotal") - available,
      kb("MemFree"),
      kb("Shmem"),
      ...(options.has("w") ? [kb("Buffers"), cached] : [kb("Buffers") + cached]),
      available,
    ],
    ["Swap:", kb("SwapTotal"), kb("SwapTotal") - kb("SwapFree"), kb("SwapFree")],
  ];
  if (options.has("t")) {
    rows.push(["Total:", ...[1, 2, 3].map((at) => Number(rows[0]![at]) + Number(rows[1]![at]))]);
  }
  const titles = [
    "total",
    "used",
    "free",
    "shared",
    ...(options.has("w") ? ["buffers", "cache"] : ["buff/cache"]),
    "available",
  ];
  context.write(
    `        ${titles.map((title) => title.padStart(12)).join("")}\n`.replace(
      /^ {8} {4}/,
      "            ",
    ),
  );
  for (const [name, ...numbers] of rows) {
    context.write(
      `${String(name).padEnd(8)}${numbers.map((value) => show(Number(value)).padStart(12)).join("")}\n`,
    );
  }
  return 0;
};
