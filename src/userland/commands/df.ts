/** Owns `df`, over /proc/mounts and statfs. */
import type { Command } from "../command.js";
import { errorText } from "../support/errors.js";
import { parseOptions } from "../support/options.js";
import { humanSize } from "../support/text.js";

export const main: Command = (context) => {
  const options = parseOptions(context, "ahHikmPTt:x:", {
    all: "a",
    "human-readable": "h",
    si: "H",
    inodes: "i",
    portability: "P",
    "print-type": "T",
    "type=": "t",
  });
  const { fs } = context;
  let mounts: { device: string; path: string; type: string }[] = [
    { device: "none", path: "/", type: "tmpfs" },
  ];
  try {
    const lines = fs
      .readFileSync("/proc/mounts", "utf8")
      .split("\n")
      .filter((line) => line !== "");
    mounts = lines.map((line) => {
      const [device = "none", path = "/", type = "none"] = line.split(" ");
      return { device, path: path.replace(/\\040/g, " "), type };
    });
  } catch (error) {
    errorText(error);
  }
  let status = 0;
  let rows = mounts;
  if (options.operands.length > 0) {
    rows = options.operands.flatMap((operand) => {
      try {
        const real = fs.realpathSync(operand);
        // The mount with the longest path that leads to it.
        const found = mounts
          .filter(({ path }) => real === path || real.startsWith(path === "/" ? "/" : `${path}/`))
          .sort((a, b) => b.path.length - a.path.length)[0];
        return found === undefined ? [] : [found];
      } catch (error) {
        context.writeError(`df: ${operand}: ${errorText(error)}\n`);
        status = 1;
        return [];
      }
    });
  }
  const human = options.has("h", "H");
  const unit = options.has("m") ? 1024 ** 2 : 1024;
  const size = (bytes: number) =>
    human ? humanSize(bytes, options.has("H") ? 1000 : 1024) : String(Math.ceil(bytes / unit));
  const title = human
    ? "Size"
    : options.has("m")
      ? "1M-blocks"
      : options.has("P")
        ? "1024-blocks"
        : "1K-blocks";
  const inodes = options.has("i");
  const header = inodes
    ? ["Inodes", "IUsed", "IFree", "IUse%"]
    : [title, "Used", human ? "Avail" : "Available", options.has("P") ? "Capacity" : "Use%"];
  const table = [["Filesystem", ...(options.has("T") ? ["Type"] : []), ...header, "Mounted on"]];
  for (const { device, path, type } of rows) {
    try {
      const stats = fs.statfsSync(path);
      if (stats.blocks === 0 && !options.has("a") && options.operands.length === 0) continue;
      const used = inodes ? stats.files - stats.ffree : (stats.blocks - stats.bfree) * stats.bsize;
      const available = inodes ? stats.ffree : stats.bavail * stats.bsize;
      const percent =
        used + available > 0 ? `${Math.ceil((used * 100) / (used + available))}%` : "-";
      const cells = inodes
        ? [String(stats.files), String(used), String(available)]
        : [size(stats.blocks * stats.bsize), size(used), size(available)];
      table.push([device, ...(options.has("T") ? [type] : []), ...cells, percent, path]);
    } catch (error) {
      errorText(error);
    }
  }
  if (table.length === 1) return 1;
  const left = options.has("T") ? 2 : 1;
  const widths = table[0]!.map((_, column) =>
    Math.max(column === 0 ? 14 : 5, ...table.map((row) => row[column]!.length)),
  );
  for (const row of table) {
    const cells = row.map((cell, at) =>
      at === row.length - 1
        ? cell
        : at < left
          ? cell.padEnd(widths[at]!)
          : cell.padStart(widths[at]!),
    );
    context.write(`${cells.join(" ")}\n`);
  }
  return status;
};
