/** Owns the columns that `ps` can show, by procps' names, widths and titles. */
import type { CommandContext } from "../../command.js";
import { nameTable } from "../../support/files.js";
import { cpuPercent, memoryKb, type ProcessRow } from "../../support/processes.js";
import { strftime } from "../../support/strftime.js";

export interface Column {
  title: string;
  width: number;
  right: boolean;
  value(row: ProcessRow): string;
  /** What it is sorted by when that is not its text. */
  order?(row: ProcessRow): number;
}

const two = (value: number) => String(Math.floor(value)).padStart(2, "0");

function clock(seconds: number, longHours: boolean): string {
  const days = Math.floor(seconds / 86400);
  const rest = `${two((seconds / 60) % 60)}:${two(seconds % 60)}`;
  const hours = Math.floor(seconds / 3600) % 24;
  if (days > 0) return `${days}-${two(hours)}:${rest}`;
  return hours > 0 || longHours ? `${two(hours)}:${rest}` : rest;
}

function number(title: string, width: number, order: (row: ProcessRow) => number): Column {
  return { title, width, right: true, value: (row) => String(order(row)), order };
}

function text(title: string, width: number, value: (row: ProcessRow) => string): Column {
  return { title, width, right: false, value };
}

function percent(title: string, order: (row: ProcessRow) => number): Column {
  return { title, width: 4, right: true, value: (row) => order(row).toFixed(1), order };
}

function cpuTime(title: string, width: number, value: (row: ProcessRow) => string): Column {
  return { title, width, right: true, value, order: (row) => row.cpuSeconds };
}

/** Shown at the right, sorted by time. */
function date(title: string, width: number, value: (row: ProcessRow) => string): Column {
  return { title, width, right: true, value, order: (row) => row.startMs };
}

export function columnsOf(context: CommandContext): Record<string, Column> {
  return { ...ids, ...owners(context), ...state, ...usage(context), ...times, ...commands };
}

const ids: Record<string, Column> = {
  pid: number("PID", 7, (row) => row.pid),
  ppid: number("PPID", 7, (row) => row.ppid),
  pgid: number("PGID", 7, (row) => row.group),
  sid: number("SID", 7, (row) => row.session),
  tid: number("TID", 7, (row) => row.pid),
  tpgid: number("TPGID", 7, () => -1),
  uid: number("UID", 5, (row) => row.uid),
  gid: number("GID", 5, (row) => row.gid),
};

function owners(context: CommandContext): Record<string, Column> {
  const users = nameTable(context, "passwd");
  const groups = nameTable(context, "group");
  return {
    // A name that does not fit is shown as its number or cut short, as ps does.
    user: text("USER", 8, (row) => {
      const name = users.get(row.uid) ?? String(row.uid);
      return name.length > 8 ? `${name.slice(0, 7)}+` : name;
    }),
    group: text("GROUP", 8, (row) => groups.get(row.gid) ?? String(row.gid)),
  };
}

const state: Record<string, Column> = {
  stat: text(
    "STAT",
    4,
    (row) =>
      row.state +
      (row.nice < 0 ? "<" : row.nice > 0 ? "N" : "") +
      (row.session === row.pid ? "s" : "") +
      (row.threads > 1 ? "l" : ""),
  ),
  s: text("S", 1, (row) => row.state),
  f: { ...text("F", 1, () => "0"), right: true },
  ni: number("NI", 3, (row) => row.nice),
  pri: number("PRI", 3, (row) => 19 - row.nice),
  psr: number("PSR", 3, () => 0),
  nlwp: number("NLWP", 4, (row) => row.threads),
  addr: text("ADDR", 4, () => "-"),
  wchan: text("WCHAN", 6, () => "-"),
  tty: text("TT", 8, () => "?"),
};

function usage(context: CommandContext): Record<string, Column> {
  const totalKb = memoryKb(context, "MemTotal");
  return {
    c: number("C", 2, (row) => Math.min(99, Math.floor(cpuPercent(row)))),
    pcpu: percent("%CPU", cpuPercent),
    pmem: percent("%MEM", (row) => (totalKb === 0 ? 0 : (row.rssKb * 100) / totalKb)),
    vsz: number("VSZ", 6, (row) => row.vszKb),
    rss: number("RSS", 5, (row) => row.rssKb),
    sz: number("SZ", 5, (row) => Math.floor(row.vszKb / 4)),
  };
}

const elapsed = (row: ProcessRow) => Math.max(0, Math.floor((Date.now() - row.startMs) / 1000));

/** The hour of what began today, the day of what began earlier. */
function started(row: ProcessRow): string {
  const day = (ms: number) => strftime("%Y%j", ms, false);
  const today = day(row.startMs) === day(Date.now());
  return strftime(today ? "%H:%M" : "%b%d", row.startMs, false);
}

const times: Record<string, Column> = {
  time: cpuTime("TIME", 8, (row) => clock(row.cpuSeconds, true)),
  cputimes: number("TIME", 8, (row) => Math.floor(row.cpuSeconds)),
  bsdtime: cpuTime(
    "TIME",
    6,
    (row) => `${Math.floor(row.cpuSeconds / 60)}:${two(row.cpuSeconds % 60)}`,
  ),
  stime: { ...date("STIME", 5, started), right: false },
  bsdstart: date("START", 6, started),
  start: date("STARTED", 8, (row) => strftime("%H:%M:%S", row.startMs, false)),
  lstart: date("STARTED", 24, (row) => strftime("%a %b %e %H:%M:%S %Y", row.startMs, false)),
  etime: { ...number("ELAPSED", 11, elapsed), value: (row) => clock(elapsed(row), false) },
  etimes: number("ELAPSED", 7, elapsed),
};

const commands: Record<string, Column> = {
  comm: text("COMMAND", 15, (row) => row.name),
  ucmd: text("CMD", 15, (row) => row.name),
  args: text("COMMAND", 27, (row) => row.command),
  cmd: text("CMD", 27, (row) => row.command),
};

export const aliases: Record<string, string> = {
  "%cpu": "pcpu",
  "%mem": "pmem",
  command: "args",
  ucomm: "comm",
  euid: "uid",
  ruid: "uid",
  euser: "user",
  ruser: "user",
  uname: "user",
  egid: "gid",
  rgid: "gid",
  egroup: "group",
  rgroup: "group",
  pgrp: "pgid",
  sess: "sid",
  session: "sid",
  state: "s",
  nice: "ni",
  vsize: "vsz",
  rssize: "rss",
  rsz: "rss",
  tt: "tty",
  tname: "tty",
  cputime: "time",
  flag: "f",
  flags: "f",
  thcount: "nlwp",
  lwp: "tid",
  spid: "tid",
  start_time: "stime",
  priority: "pri",
};
