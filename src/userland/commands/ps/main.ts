/** Owns `ps`, over /proc, in procps' columns. */
import type { Command, CommandContext } from "../../command.js";
import { processes, type ProcessRow } from "../../support/processes.js";
import { ArgumentReader, type Request } from "./arguments.js";
import { aliases, columnsOf, type Column } from "./columns.js";

export const main: Command = (context) => {
  const columns = columnsOf(context);
  const request = new ArgumentReader(context, columns).read();
  const rows = processes(context);
  const shown = selected(rows, request);
  sortRows(shown, request, columns);
  const ordered = request.forest ? forest(shown) : shown.map((row) => ({ row, depth: 0 }));
  print(context, ordered, request, columns);
  return shown.length === 0 ? 1 : 0;
};

function selected(rows: ProcessRow[], request: Request): ProcessRow[] {
  const named = (row: ProcessRow) =>
    request.pids.has(row.pid) ||
    request.parents.has(row.ppid) ||
    request.names.has(row.name) ||
    request.users.has(row.uid) ||
    request.groups.has(row.gid) ||
    request.sessions.has(row.session);
  return rows.filter((row) => {
    const wanted = request.chosen ? named(row) || request.all : true;
    return wanted !== request.negated;
  });
}

function sortRows(rows: ProcessRow[], request: Request, columns: Record<string, Column>): void {
  const rules = request.sort.map((text) => {
    const down = text.startsWith("-");
    const key = text.replace(/^[-+]/, "");
    return { down, column: columns[aliases[key] ?? key]! };
  });
  if (rules.length === 0) return;
  rows.sort((a, b) => {
    for (const { down, column } of rules) {
      const order = column.order;
      const [x, y] =
        order === undefined ? [column.value(a), column.value(b)] : [order(a), order(b)];
      if (x !== y) return x < y === down ? 1 : -1;
    }
    return a.pid - b.pid;
  });
}

/** Children below their parents. */
function forest(rows: ProcessRow[]): { row: ProcessRow; depth: number }[] {
  const byParent = new Map<number, ProcessRow[]>();
  const known = new Set(rows.map((row) => row.pid));
  for (const row of rows) {
    const parent = known.has(row.ppid) && row.ppid !== row.pid ? row.ppid : -1;
    byParent.set(parent, [...(byParent.get(parent) ?? []), row]);
  }
  const ordered: { row: ProcessRow; depth: number }[] = [];
  const visit = (parent: number, depth: number) => {
    for (const row of byParent.get(parent) ?? []) {
      ordered.push({ row, depth });
      if (depth < 200) visit(row.pid, depth + 1);
    }
  };
  visit(-1, 0);
  return ordered;
}

function print(
  context: CommandContext,
  rows: { row: ProcessRow; depth: number }[],
  request: Request,
  columns: Record<string, Column>,
): void {
  const chosen = request.columns.map(({ key, title, width }) => {
    const column = columns[key]!;
    return { ...column, title: title ?? column.title, key, width: width ?? column.width };
  });
  const lines = rows.map(({ row, depth }) =>
    chosen.map((column) => {
      const isCommand = ["args", "cmd", "comm", "ucmd"].includes(column.key);
      const tree = isCommand && depth > 0 ? `${"    ".repeat(depth - 1)} \\_ ` : "";
      return tree + column.value(row);
    }),
  );
  if (request.headers && chosen.some(({ title }) => title !== "")) {
    lines.unshift(chosen.map(({ title }) => title));
  }
  for (const line of lines) {
    let output = "";
    let debt = 0;
    line.forEach((cell, at) => {
      const { width, right, title } = chosen[at]!;
      const wide = Math.max(width, title.length);
      const last = at === chosen.length - 1;
      // What is too long takes from the blanks of the columns behind it.
      const room = Math.max(0, wide - debt);
      const padded = right ? cell.padStart(room) : last ? cell : cell.padEnd(room);
      debt = Math.max(0, debt + padded.length - wide);
      output += (at === 0 ? "" : " ") + padded;
    });
    context.write(`${output}\n`);
  }
}
