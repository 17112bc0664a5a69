/** Owns `ps`, over /proc. */
import type { Command, CommandContext } from "../command.js";
import { nameTable } from "../support/files.js";
import { strftime } from "../support/strftime.js";

interface Row {
  pid: number;
  ppid: number;
  state: string;
  uid: number;
  name: string;
  command: string;
  startMs: number;
  cpuSeconds: number;
  rssKb: number;
  vszKb: number;
}

const ticksPerSecond = 100;

export const main: Command = (context) => {
  const words = context.argv.slice(1);
  const rows = processes(context);
  const users = nameTable(context, "passwd");
  const user = (row: Row) => users.get(row.uid) ?? String(row.uid);
  const time = (row: Row) => strftime("%H:%M:%S", row.cpuSeconds * 1000, true);
  const start = (row: Row) => strftime("%H:%M", row.startMs, false);
  const columns: Record<string, [title: string, value: (row: Row) => string, right: boolean]> = {
    pid: ["PID", (row) => String(row.pid), true],
    ppid: ["PPID", (row) => String(row.ppid), true],
    user: ["USER", user, false],
    uid: ["UID", (row) => String(row.uid), true],
    stat: ["STAT", (row) => row.state, false],
    state: ["S", (row) => row.state, false],
    tty: ["TT", () => "?", false],
    time: ["TIME", time, true],
    start: ["START", start, false],
    stime: ["STIME", start, false],
    pcpu: ["%CPU", () => "0.0", true],
    pmem: ["%MEM", () => "0.0", true],
    rss: ["RSS", (row) => String(row.rssKb), true],
    vsz: ["VSZ", (row) => String(row.vszKb), true],
    comm: ["COMMAND", (row) => row.name, false],
    args: ["COMMAND", (row) => row.command, false],
    cmd: ["CMD", (row) => row.command, false],
    c: ["C", () => "0", true],
  };
  const bsd = words.some((word) => /^a?u?x?$/.test(word) && word !== "") || words.includes("aux");
  const format = words.findIndex((word) => word === "-o" || word === "-eo" || word === "--format");
  const pids = words.findIndex((word) => word === "-p" || word === "--pid");
  let chosen: { title: string; value: (row: Row) => string; right: boolean }[];
  const pick = (names: string[]) =>
    names.flatMap((name) => {
      const [key = "", title] = name.split("=");
      const found =
        columns[
          key === "command" ? "args" : key === "%cpu" ? "pcpu" : key === "%mem" ? "pmem" : key
        ];
      return found === undefined
        ? []
        : [{ title: title ?? found[0], value: found[1], right: found[2] }];
    });
  if (format !== -1) chosen = pick((words[format + 1] ?? "pid").split(/[, ]+/));
  else if (bsd)
    chosen = pick([
      "user",
      "pid",
      "pcpu",
      "pmem",
      "vsz",
      "rss",
      "tty=TTY",
      "stat",
      "start",
      "time",
      "args",
    ]);
  else if (words.some((word) => /^-[a-zA-Z]*f/.test(word)))
    chosen = pick(["user=UID", "pid", "ppid", "c", "stime", "tty=TTY", "time", "cmd"]);
  else chosen = pick(["pid", "tty=TTY", "time", "comm=CMD"]);
  const wanted =
    pids === -1 ? undefined : new Set((words[pids + 1] ?? "").split(/[, ]+/).map(Number));
  const shown = rows.filter((row) => wanted === undefined || wanted.has(row.pid));
  const table = shown.map((row) => chosen.map((column) => column.value(row)));
  const titled = chosen.some((column) => column.title !== "");
  if (titled) table.unshift(chosen.map((column) => column.title));
  const widths = chosen.map((_, at) => Math.max(...table.map((row) => row[at]!.length), 0));
  for (const row of table) {
    const cells = row.map((cell, at) =>
      at === row.length - 1 && !chosen[at]!.right
        ? cell
        : chosen[at]!.right
          ? cell.padStart(widths[at]!)
          : cell.padEnd(widths[at]!),
    );
    context.write(`${cells.join(" ")}\n`);
  }
  return wanted !== undefined && shown.length === 0 ? 1 : 0;
};

function processes(context: CommandContext): Row[] {
  const { fs } = context;
  const read = (path: string) => {
    try {
      return fs.readFileSync(path, "utf8");
    } catch {
      // It may have ended since it was listed.
      return "";
    }
  };
  const uptime = Number(read("/proc/uptime").split(" ")[0] || 0);
  const bootMs = Date.now() - uptime * 1000;
  const pids = fs
    .readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
  return pids
    .sort((a, b) => a - b)
    .flatMap((pid) => {
      const stat = /^\d+ \((.*)\) (\S) (.*)$/s.exec(read(`/proc/${pid}/stat`).trim());
      if (stat === null) return [];
      const fields = stat[3]!.split(" ").map(Number);
      const status = read(`/proc/${pid}/status`);
      const field = (name: string) =>
        Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1] ?? 0);
      const command = read(`/proc/${pid}/cmdline`).replace(/\0+$/, "").replaceAll("\0", " ");
      return [
        {
          pid,
          ppid: fields[0] ?? 0,
          state: stat[2]!,
          uid: field("Uid"),
          name: stat[1]!,
          command: command || `[${stat[1]}]`,
          startMs: bootMs + ((fields[18] ?? 0) * 1000) / ticksPerSecond,
          cpuSeconds: ((fields[10] ?? 0) + (fields[11] ?? 0)) / ticksPerSecond,
          rssKb: field("VmRSS"),
          vszKb: field("VmSize"),
        },
      ];
    });
}
