/** Owns the menu of `select`: columns as bash lays them out (execute_cmd.c, print_select_list). */
import type { Environment } from "./environment.js";

const TAB = 8;

export function selectMenu(env: Environment, values: readonly string[]): string {
  const width = Number(env.variables.value("COLUMNS") ?? 80) || 80;
  const digits = String(values.length).length;
  const longest = Math.max(...values.map((value) => Array.from(value).length));
  const cell = longest + digits + 2 + 2;
  const fitting = Math.max(1, Math.floor(width / cell));
  const rows = Math.ceil(values.length / Math.min(fitting, values.length));
  const columns = Math.ceil(values.length / rows);
  if (columns > 1 && rows === 1) return lines(values, values.length, 1, digits, cell);
  return lines(values, rows, columns, digits, cell);
}

function lines(
  values: readonly string[],
  rows: number,
  columns: number,
  digits: number,
  cell: number,
): string {
  // Numbers of the first column may need fewer digits than those of the last.
  const firstDigits = String(rows).length;
  let text = "";
  for (let row = 0; row < rows; row++) {
    let position = 0;
    for (let column = 0; column < columns; column++) {
      const index = row + column * rows;
      const value = values[index];
      if (value === undefined) break;
      const room = column === 0 ? firstDigits : digits;
      const shown = `${String(index + 1).padStart(room)}) ${value}`;
      text += shown;
      if (values[index + rows] === undefined) break;
      const from = position + Array.from(shown).length;
      text += indent(from, position + cell);
      position += cell;
    }
    text += "\n";
  }
  return text;
}

/** Tabs as far as they reach, then blanks. */
function indent(from: number, to: number): string {
  let at = from;
  let text = "";
  while (at < to) {
    if (Math.floor(to / TAB) > Math.floor(at / TAB)) {
      text += "\t";
      at += TAB - (at % TAB);
    } else {
      text += " ";
      at += 1;
    }
  }
  return text;
}
