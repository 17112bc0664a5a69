/** Owns `top`: in batch mode, which is also what it does where there is no terminal. */
import { availableParallelism } from "node:os";
import { CommandFailure, type Command, type CommandContext } from "../command.js";
import { nameTable } from "../support/files.js";
import { parseOptions } from "../support/options.js";
import {
  cpuPercent,
  memoryKb,
  processes,
  readText,
  uptimeSeconds,
  type ProcessRow,
} from "../support/processes.js";
import { strftime } from "../support/strftime.js";

export const main: Command = async (context) => {
  const options = parseOptions(context, "bcd:E:e:Hin:o:Op:Ssu:U:w:1v", {
    "batch-mode": "b",
    "delay=": "d",
    "iterations=": "n",
    "pid=": "p",
    "user=": "u",
  });
  const rounds = options.get("n") ?? (options.has("b") ? "Infinity" : "1");
  const delay = Number(options.get("d") ?? 3);
  if (Number.isNaN(Number(rounds)) || !(Number(rounds) > 0))
    throw new CommandFailure(`bad iterations argument '${rounds}'`);
  if (!(delay >= 0)) throw new CommandFailure(`bad delay interval '${options.get("d")}'`);
  const pids = options.get("p")?.split(",").map(Number);
  for (let round = 1; ; round++) {
    show(context, pids === undefined ? undefined : new Set(pids), options.has("c"));
    context.flush();
    if (round >= Number(rounds)) return 0;
    context.write("\n");
    await new Promise((resolve) => setTimeout(resolve, Math.max(delay * 1000, 50)));
  }
};

function show(context: CommandContext, wanted: Set<number> | undefined, words: boolean): void {
  const rows = processes(context).filter(({ pid }) => wanted === undefined || wanted.has(pid));
  const users = nameTable(context, "passwd");
  const count = (states: string) => rows.filter(({ state }) => states.includes(state)).length;
  const seconds = Math.floor(uptimeSeconds(context));
  const load = readText(context, "/proc/loadavg").split(" ").slice(0, 3).join(", ");
  const mib = (name: string) => (memoryKb(context, name) / 1024).toFixed(1).padStart(8);
  const used = ((memoryKb(context, "MemTotal") - memoryKb(context, "MemAvailable")) / 1024)
    .toFixed(1)
    .padStart(8);
  context.write(
    `top - ${strftime("%H:%M:%S", Date.now(), false)} up ${Math.floor(seconds / 60)} min,  0 users,  load average: ${load}\n` +
      `Tasks: ${String(rows.length).padStart(3)} total, ${String(count("R")).padStart(3)} running, ${String(count("SDI")).padStart(3)} sleeping, ${String(count("T")).padStart(3)} stopped, ${String(count("Z")).padStart(3)} zombie\n` +
      `%Cpu(s): on ${availableParallelism()} processors\n` +
      `MiB Mem : ${mib("MemTotal")} total, ${mib("MemFree")} free, ${used} used, ${mib("Cached")} buff/cache\n` +
      `MiB Swap: ${mib("SwapTotal")} total, ${mib("SwapFree")} free.     0.0 used. ${mib("MemAvailable")} avail Mem\n\n` +
      `    PID USER      PR  NI    VIRT    RES    SHR S  %CPU  %MEM     TIME+ COMMAND\n`,
  );
  const total = memoryKb(context, "MemTotal") || 1;
  const busy = rows.toSorted((a, b) => cpuPercent(b) - cpuPercent(a) || a.pid - b.pid);
  for (const row of busy)
    context.write(`${lineOf(row, users.get(row.uid) ?? String(row.uid), total, words)}\n`);
}

function lineOf(row: ProcessRow, user: string, totalKb: number, words: boolean): string {
  const minutes = Math.floor(row.cpuSeconds / 60);
  const time = `${minutes}:${(row.cpuSeconds % 60).toFixed(2).padStart(5, "0")}`;
  return [
    String(row.pid).padStart(7),
    user.slice(0, 8).padEnd(8),
    String(20 + row.nice).padStart(3),
    String(row.nice).padStart(3),
    String(row.vszKb).padStart(7),
    String(row.rssKb).padStart(6),
    "0".padStart(6),
    row.state,
    cpuPercent(row).toFixed(1).padStart(5),
    ((row.rssKb * 100) / totalKb).toFixed(1).padStart(5),
    time.padStart(9),
    words ? row.command : row.name,
  ].join(" ");
}
