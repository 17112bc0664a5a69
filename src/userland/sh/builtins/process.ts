/** Builtins about the process: `umask`, `ulimit`, `times`. */
import { errorText } from "../errors.js";
import type { Builtin, BuiltinCall } from "./builtin.js";

async function umask(call: BuiltinCall): Promise<number> {
  const { env } = call;
  const { flags, operands } = call.options("S");
  const [text] = operands;
  if (text === undefined) {
    if (!flags.has("S")) return call.print(`${env.umask.toString(8).padStart(4, "0")}\n`);
    const allowed = (shift: number): string =>
      [..."rwx"].filter((_, bit) => ((env.umask >> shift) & (4 >> bit)) === 0).join("");
    return call.print(`u=${allowed(6)},g=${allowed(3)},o=${allowed(0)}\n`);
  }
  if (/^[0-7]{1,4}$/.test(text)) env.umask = Number.parseInt(text, 8) & 0o777;
  else if (/^\d/.test(text)) call.fail(`Illegal number: ${text}`);
  else env.umask = symbolicMask(call, text, env.umask);
  return 0;
}

/** `u=rwx,g-w` and its like say what is allowed. */
function symbolicMask(call: BuiltinCall, text: string, mask: number): number {
  let allowed = ~mask & 0o777;
  for (const clause of text.split(",")) {
    const match = /^([ugoa]*)((?:[-+=][rwx]*)+)$/.exec(clause);
    if (match === null) call.fail(`Illegal mode: ${text}`);
    const who = match![1] === "" || match![1]!.includes("a") ? "ugo" : match![1]!;
    for (const [, operator, letters] of match![2]!.matchAll(/([-+=])([rwx]*)/g)) {
      const bits = [...letters!].reduce(
        (sum, letter) => sum | { r: 4, w: 2, x: 1 }[letter as "r"],
        0,
      );
      for (const one of who) {
        const shift = { u: 6, g: 3, o: 0 }[one as "u"];
        if (operator === "=") allowed &= ~(7 << shift);
        if (operator === "-") allowed &= ~(bits << shift);
        else allowed |= bits << shift;
      }
    }
  }
  return ~allowed & 0o777;
}

interface Limit {
  readonly letter: string;
  readonly name: string;
  /** RLIMIT_… of Linux. */
  readonly resource: number;
  /** Bytes, seconds or things in one unit of what the user sees. */
  readonly unit: number;
}

/** In dash's order. */
const resourceLimits: readonly Limit[] = [
  { letter: "t", name: "time(seconds)", resource: 0, unit: 1 },
  { letter: "f", name: "file(blocks)", resource: 1, unit: 512 },
  { letter: "d", name: "data(kbytes)", resource: 2, unit: 1024 },
  { letter: "s", name: "stack(kbytes)", resource: 3, unit: 1024 },
  { letter: "c", name: "coredump(blocks)", resource: 4, unit: 512 },
  { letter: "m", name: "memory(kbytes)", resource: 5, unit: 1024 },
  { letter: "l", name: "locked memory(kbytes)", resource: 8, unit: 1024 },
  { letter: "p", name: "process", resource: 6, unit: 1 },
  { letter: "n", name: "nofiles", resource: 7, unit: 1 },
  { letter: "v", name: "vmemory(kbytes)", resource: 9, unit: 1024 },
  { letter: "w", name: "locks", resource: 10, unit: 1 },
  { letter: "r", name: "rtprio", resource: 14, unit: 1 },
];

async function ulimit(call: BuiltinCall): Promise<number> {
  const { env, shell } = call;
  const letters = resourceLimits.map(({ letter }) => letter).join("");
  const { flags, operands } = call.options(`HSa${letters}`);
  const shown = (limit: Limit): string => {
    const values = env.resourceLimits.get(limit.resource) ?? shell.system.getrlimit(limit.resource);
    if (typeof values === "number") return "unlimited";
    const value = flags.has("H") ? values.hard : values.soft;
    return value === Infinity ? "unlimited" : String(Math.floor(value / limit.unit));
  };
  if (flags.has("a")) {
    const rows = resourceLimits.map((limit) => `${limit.name.padEnd(20)} ${shown(limit)}\n`);
    return call.print(rows.join(""));
  }
  const chosen = resourceLimits.find(({ letter }) => flags.has(letter)) ?? resourceLimits[1]!;
  const [text] = operands;
  if (text === undefined) return call.print(`${shown(chosen)}\n`);
  if (text !== "unlimited" && !/^\d+$/.test(text)) call.fail("bad number");
  const value = text === "unlimited" ? Infinity : Number(text) * chosen.unit;
  const { resource } = chosen;
  const old = env.resourceLimits.get(resource) ?? shell.system.getrlimit(resource);
  if (typeof old === "number") return call.complain(`error getting limit (${errorText(-old)})`, 2);
  const both = flags.has("H") === flags.has("S");
  const soft = both || flags.has("S") ? value : old.soft;
  const hard = both || flags.has("H") ? value : old.hard;
  if (hard > old.hard || soft > hard) {
    return call.complain("error setting limit (Operation not permitted)", 2);
  }
  env.resourceLimits = new Map([...env.resourceLimits, [resource, { soft, hard }]]);
  return 0;
}

function times(call: BuiltinCall): Promise<number> {
  const { userMs, systemMs, childUserMs, childSystemMs } = call.shell.system.cpuTimes();
  const show = (durationMs: number): string =>
    `${Math.floor(durationMs / 60_000)}m${((durationMs % 60_000) / 1000).toFixed(6)}s`;
  return call.print(
    `${show(userMs)} ${show(systemMs)}\n${show(childUserMs)} ${show(childSystemMs)}\n`,
  );
}

export const processBuiltins: Record<string, Builtin> = {
  umask: { run: umask },
  ulimit: { run: ulimit },
  times: { special: true, run: times },
};
