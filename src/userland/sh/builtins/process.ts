/** Builtins about the process: `umask`, `ulimit`, `times`. */
import type { ResourceLimit } from "../../../abi/resources.js";
import { errorText } from "../errors.js";
import type { Builtin } from "./builtin.js";
import { BuiltinCall } from "./builtin.js";

async function umask(call: BuiltinCall): Promise<number> {
  const { env, shell } = call;
  const { flags, operands } = call.options(shell.bash ? "Sp" : "S");
  const [text] = operands;
  const prefix = flags.has("p") ? `umask ${flags.has("S") ? "-S " : ""}` : "";
  if (text === undefined) {
    if (!flags.has("S")) return call.print(`${prefix}${env.umask.toString(8).padStart(4, "0")}\n`);
    const allowed = (shift: number): string =>
      [..."rwx"].filter((_, bit) => ((env.umask >> shift) & (4 >> bit)) === 0).join("");
    return call.print(`${prefix}u=${allowed(6)},g=${allowed(3)},o=${allowed(0)}\n`);
  }
  if (/^[0-7]{1,4}$/.test(text)) env.umask = Number.parseInt(text, 8) & 0o777;
  else if (/^\d/.test(text)) {
    call.fail(`Illegal number: ${text}`, 2, { message: `${text}: octal number out of range` });
  } else env.umask = symbolicMask(call, text, env.umask);
  return shell.bash && flags.has("S")
    ? umask(new BuiltinCall(shell, env, call.name, ["-S"], call.tested))
    : 0;
}

/** `u=rwx,g-w` and its like say what is allowed. */
function symbolicMask(call: BuiltinCall, text: string, mask: number): number {
  let allowed = ~mask & 0o777;
  for (const clause of text.split(",")) {
    const match = /^([ugoa]*)((?:[-+=][rwx]*)+)$/.exec(clause);
    if (match === null) {
      const odd = /[^ugoarwx=+,-]/.exec(text)?.[0] ?? "";
      const message = `\`${odd}': invalid symbolic mode ${/[-+=]/.test(text) ? "character" : "operator"}`;
      call.fail(`Illegal mode: ${text}`, 2, { message });
    }
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
  /** As bash names the unit. */
  readonly shownUnit?: string;
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

/** In bash's order. `resource` is -1 for what Linux has no limit of. */
const bashLimits: readonly Limit[] = [
  {
    letter: "R",
    name: "real-time non-blocking time",
    shownUnit: "microseconds",
    resource: 15,
    unit: 1,
  },
  { letter: "c", name: "core file size", shownUnit: "blocks", resource: 4, unit: 1024 },
  { letter: "d", name: "data seg size", shownUnit: "kbytes", resource: 2, unit: 1024 },
  { letter: "e", name: "scheduling priority", resource: 13, unit: 1 },
  { letter: "f", name: "file size", shownUnit: "blocks", resource: 1, unit: 1024 },
  { letter: "i", name: "pending signals", resource: 11, unit: 1 },
  { letter: "l", name: "max locked memory", shownUnit: "kbytes", resource: 8, unit: 1024 },
  { letter: "m", name: "max memory size", shownUnit: "kbytes", resource: 5, unit: 1024 },
  { letter: "n", name: "open files", resource: 7, unit: 1 },
  { letter: "q", name: "POSIX message queues", shownUnit: "bytes", resource: 12, unit: 1 },
  { letter: "r", name: "real-time priority", resource: 14, unit: 1 },
  { letter: "s", name: "stack size", shownUnit: "kbytes", resource: 3, unit: 1024 },
  { letter: "t", name: "cpu time", shownUnit: "seconds", resource: 0, unit: 1 },
  { letter: "u", name: "max user processes", resource: 6, unit: 1 },
  { letter: "v", name: "virtual memory", shownUnit: "kbytes", resource: 9, unit: 1024 },
  { letter: "x", name: "file locks", resource: 10, unit: 1 },
];

function bashRow({ letter, name, shownUnit }: Limit, value: string): string {
  const unit = `(${shownUnit === undefined ? "" : `${shownUnit}, `}-${letter})`;
  // Columns as bash has them: the name, then what is in parentheses, flush right.
  return `${name}${unit.padStart(Math.max(unit.length + 1, 43 - name.length))} ${value}\n`;
}

/** Letters of limits with what follows each, which bash lets be its value. */
interface LimitArguments {
  readonly flags: ReadonlySet<string>;
  readonly asked: readonly { readonly limit: Limit; readonly text: string | undefined }[];
}

/** dash knows one limit a call, whose value is the operand. */
function dashArguments(call: BuiltinCall, table: readonly Limit[]): LimitArguments {
  const { flags, operands } = call.options(`HSa${table.map(({ letter }) => letter).join("")}`);
  const limit = table.find(({ letter }) => flags.has(letter)) ?? fileSizeOf(table);
  return { flags: new Set(flags.keys()), asked: [{ limit, text: operands[0] }] };
}

function bashArguments(call: BuiltinCall, table: readonly Limit[]): LimitArguments {
  const letters = `HSa${table.map(({ letter }) => `${letter}:`).join("")}`;
  const flags = new Set<string>();
  const asked: { limit: Limit; text: string | undefined }[] = [];
  const { args } = call;
  let at = 0;
  for (; at < args.length && /^-./.test(args[at]!) && args[at] !== "--"; at++) {
    const word = args[at]!;
    for (let index = 1; index < word.length; index++) {
      const letter = word[index]!;
      const limit = table.find((one) => one.letter === letter);
      if (limit === undefined) {
        // Whatever is wrong with it, the builtin's usual words say.
        call.options(letters, [`-${letter}`]);
        flags.add(letter);
        continue;
      }
      const joined = word.slice(index + 1);
      const next = args[at + 1];
      const text = joined !== "" ? joined : next?.startsWith("-") === true ? undefined : next;
      if (joined === "" && text !== undefined) at += 1;
      asked.push({ limit, text });
      break;
    }
  }
  if (args[at] === "--") at += 1;
  if (asked.length === 0) asked.push({ limit: fileSizeOf(table), text: args[at] });
  return { flags, asked };
}

function fileSizeOf(table: readonly Limit[]): Limit {
  return table.find(({ letter }) => letter === "f")!;
}

/** Bytes or things; POSIX has blocks of 512 bytes. */
function unitOf({ env, shell }: BuiltinCall, { letter, unit }: Limit): number {
  const inBlocks = letter === "f" || letter === "c";
  return inBlocks && shell.bash && env.options.has("posix") ? 512 : unit;
}

async function ulimit(call: BuiltinCall): Promise<number> {
  const { shell } = call;
  const table = shell.bash ? bashLimits : resourceLimits;
  const { flags, asked } = (shell.bash ? bashArguments : dashArguments)(call, table);
  const shown = (limit: Limit): string => {
    const values = limitsOf(call, limit);
    if (typeof values === "number") return "unlimited";
    const value = flags.has("H") ? values.hard : values.soft;
    return value === Infinity ? "unlimited" : String(Math.floor(value / unitOf(call, limit)));
  };
  const row = (limit: Limit): string =>
    shell.bash ? bashRow(limit, shown(limit)) : `${limit.name.padEnd(20)} ${shown(limit)}\n`;
  if (flags.has("a")) return call.print(table.map(row).join(""));
  for (const { limit, text } of asked) {
    const status =
      text === undefined
        ? await call.print(asked.length > 1 ? row(limit) : `${shown(limit)}\n`)
        : await setLimit(call, limit, text, flags);
    if (status !== 0) return status;
  }
  return 0;
}

function limitsOf({ env, shell }: BuiltinCall, { resource }: Limit): ResourceLimit | number {
  return env.resourceLimits.get(resource) ?? shell.system.getrlimit(resource);
}

async function setLimit(
  call: BuiltinCall,
  limit: Limit,
  text: string,
  flags: ReadonlySet<string>,
): Promise<number> {
  const { env, shell } = call;
  const old = limitsOf(call, limit);
  const named = shell.bash && typeof old !== "number" ? { hard: old.hard, soft: old.soft } : {};
  const words: Readonly<Record<string, number | undefined>> = { ...named, unlimited: Infinity };
  const value = words[text] ?? (/^\d+$/.test(text) ? Number(text) * unitOf(call, limit) : NaN);
  if (Number.isNaN(value)) call.fail("bad number", 2, { message: `${text}: invalid number` });
  if (typeof old === "number") return call.complain(`error getting limit (${errorText(-old)})`, 2);
  const both = flags.has("H") === flags.has("S");
  const soft = both || flags.has("S") ? value : old.soft;
  const hard = both || flags.has("H") ? value : old.hard;
  if (hard > old.hard || soft > hard) {
    if (shell.bash) {
      return call.complain(`${limit.name}: cannot modify limit: Operation not permitted`);
    }
    return call.complain("error setting limit (Operation not permitted)", 2);
  }
  env.resourceLimits = new Map([...env.resourceLimits, [limit.resource, { soft, hard }]]);
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
