/** Owns `df`, over /proc/mounts and statfs. */
import type { StatsFs } from "node:fs";
import type { Command, CommandContext } from "../command.js";
import { errorText } from "../support/errors.js";
import { parseOptions, type Options } from "../support/options.js";
import { humanSize } from "../support/text.js";

interface Mount {
  device: string;
  path: string;
  type: string;
}

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
  const mounts = mountsOf(context);
  let status = 0;
  const complain = (operand: string, error: unknown) => {
    context.writeError(`df: ${operand}: ${errorText(error)}\n`);
    status = 1;
  };
  const { operands } = options;
  const shown = operands.length > 0 ? mountsUnder(context, mounts, operands, complain) : mounts;
  const typed = options.has("T");
  const columns = options.has("i") ? inodeColumns : blockColumns(options);
  const table = [["Filesystem", ...(typed ? ["Type"] : []), ...columns.titles, "Mounted on"]];
  for (const { device, path, type } of shown) {
    try {
      const stats = context.fs.statfsSync(path);
      if (stats.blocks === 0 && !options.has("a") && operands.length === 0) continue;
      table.push([device, ...(typed ? [type] : []), ...columns.cells(stats), path]);
    } catch (error) {
      errorText(error);
    }
  }
  if (table.length === 1) return 1;
  print(context, table, typed ? 2 : 1);
  return status;
};

function mountsOf(context: CommandContext): Mount[] {
  try {
    const lines = context.fs
      .readFileSync("/proc/mounts", "utf8")
      .split("\n")
      .filter((line) => line !== "");
    return lines.map((line) => {
      const [device = "none", path = "/", type = "none"] = line.split(" ");
      return { device, path: path.replace(/\\040/g, " "), type };
    });
  } catch (error) {
    errorText(error);
    return [{ device: "none", path: "/", type: "tmpfs" }];
  }
}

/** Those that hold the operands. */
function mountsUnder(
  context: CommandContext,
  mounts: readonly Mount[],
  operands: readonly string[],
  complain: (operand: string, error: unknown) => void,
): Mount[] {
  return operands.flatMap((operand) => {
    try {
      const real = context.fs.realpathSync(operand);
      // The mount with the longest path that leads to it.
      const found = mounts
        .filter(({ path }) => real === path || real.startsWith(path === "/" ? "/" : `${path}/`))
        .sort((a, b) => b.path.length - a.path.length)[0];
      return found === undefined ? [] : [found];
    } catch (error) {
      complain(operand, error);
      return [];
    }
  });
}

/** What is told of a file system: how much there is, is used and is left, and the used share. */
interface Columns {
  titles: [total: string, used: string, left: string, share: string];
  cells(stats: StatsFs): string[];
}

const inodeColumns: Columns = {
  titles: ["Inodes", "IUsed", "IFree", "IUse%"],
  cells: ({ files, ffree }) => {
    const used = files - ffree;
    return [String(files), String(used), String(ffree), share(used, ffree)];
  },
};

function blockColumns(options: Options): Columns {
  const human = options.has("h", "H");
  const mebibytes = options.has("m");
  const portable = options.has("P");
  const base = options.has("H") ? 1000 : 1024;
  const unit = mebibytes ? 1024 ** 2 : 1024;
  const size = (bytes: number) =>
    human ? humanSize(bytes, base) : String(Math.ceil(bytes / unit));
  const total = human ? "Size" : mebibytes ? "1M-blocks" : portable ? "1024-blocks" : "1K-blocks";
  return {
    titles: [total, "Used", human ? "Avail" : "Available", portable ? "Capacity" : "Use%"],
    cells: ({ blocks, bfree, bavail, bsize }) => {
      const used = (blocks - bfree) * bsize;
      const left = bavail * bsize;
      return [size(blocks * bsize), size(used), size(left), share(used, left)];
    },
  };
}

function share(used: number, left: number): string {
  return used + left > 0 ? `${Math.ceil((used * 100) / (used + left))}%` : "-";
}

/** The first columns are texts, which begin at the left; the last has no width. */
function print(
  context: CommandContext,
  table: readonly (readonly string[])[],
  leftColumns: number,
): void {
  const widths = table[0]!.map((_, column) =>
    Math.max(column === 0 ? 14 : 5, ...table.map((row) => row[column]!.length)),
  );
  for (const row of table) {
    const cells = row.map((cell, at) => {
      if (at === row.length - 1) return cell;
      return at < leftColumns ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!);
    });
    context.write(`${cells.join(" ")}\n`);
  }
}
