/** Owns the names and numbers of signals as commands take them. */
import { constants } from "node:os";

const numbers = constants.signals as Record<string, number>;

/** `9`, `KILL` or `SIGKILL`; undefined when it is no signal. */
export function signalName(text: string): NodeJS.Signals | undefined {
  if (/^\d+$/.test(text)) {
    return Object.keys(numbers).find((name) => numbers[name] === Number(text)) as NodeJS.Signals;
  }
  const name = text.toUpperCase().replace(/^(SIG)?/, "SIG");
  return Object.hasOwn(numbers, name) ? (name as NodeJS.Signals) : undefined;
}

/** 1 to 31, in order, without SIG. */
export function signalList(): { name: string; number: number }[] {
  const list: { name: string; number: number }[] = [];
  for (let number = 1; number <= 31; number++) {
    const name = signalName(String(number));
    if (name !== undefined) list.push({ name: name.slice(3), number });
  }
  return list;
}
