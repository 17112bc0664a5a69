/** Owns reading the process table out of /proc, for ps, pgrep, pkill and top. */
import type { CommandContext } from "../command.js";

export interface ProcessRow {
  pid: number;
  ppid: number;
  group: number;
  session: number;
  state: string;
  uid: number;
  gid: number;
  name: string;
  /** The words it was started with; its name in brackets when there are none. */
  command: string;
  startMs: number;
  cpuSeconds: number;
  threads: number;
  nice: number;
  rssKb: number;
  vszKb: number;
}

const ticksPerSecond = 100;

export function readText(context: CommandContext, path: string): string {
  try {
    return context.fs.readFileSync(path, "utf8");
  } catch {
    // It may have ended since it was listed.
    return "";
  }
}

export function uptimeSeconds(context: CommandContext): number {
  return Number(readText(context, "/proc/uptime").split(" ")[0] || 0);
}

/** In the order of their numbers. */
export function processes(context: CommandContext): ProcessRow[] {
  const bootMs = Date.now() - uptimeSeconds(context) * 1000;
  return context.fs
    .readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .sort((a, b) => a - b)
    .flatMap((pid) => rowOf(context, pid, bootMs) ?? []);
}

function rowOf(context: CommandContext, pid: number, bootMs: number): ProcessRow | undefined {
  const stat = /^\d+ \((.*)\) (\S) (.*)$/s.exec(readText(context, `/proc/${pid}/stat`).trim());
  if (stat === null) return undefined;
  const fields = stat[3]!.split(" ").map(Number);
  const status = readText(context, `/proc/${pid}/status`);
  const field = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1] ?? 0);
  const words = readText(context, `/proc/${pid}/cmdline`).replace(/\0+$/, "");
  return {
    pid,
    ppid: fields[0] ?? 0,
    group: fields[1] ?? 0,
    session: fields[2] ?? 0,
    state: stat[2]!,
    uid: field("Uid"),
    gid: field("Gid"),
    name: stat[1]!,
    command: words === "" ? `[${stat[1]}]` : words.replaceAll("\0", " "),
    startMs: bootMs + ((fields[18] ?? 0) * 1000) / ticksPerSecond,
    cpuSeconds: ((fields[10] ?? 0) + (fields[11] ?? 0)) / ticksPerSecond,
    threads: fields[16] ?? 1,
    nice: fields[15] ?? 0,
    rssKb: field("VmRSS"),
    vszKb: field("VmSize"),
  };
}

/** Share of one processor since its start, in per cent. */
export function cpuPercent(row: ProcessRow): number {
  const seconds = (Date.now() - row.startMs) / 1000;
  return seconds <= 0 ? 0 : Math.min((row.cpuSeconds * 100) / seconds, 9999);
}

/** A number of /proc/meminfo in KiB. */
export function memoryKb(context: CommandContext, name: string): number {
  const text = readText(context, "/proc/meminfo");
  return Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text)?.[1] ?? 0);
}
