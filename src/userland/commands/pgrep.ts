/** Owns `pgrep`, `pkill` and `pidof`. */
import { CommandFailure, type Command, type CommandContext } from "../command.js";
import { errorCode } from "../support/errors.js";
import { idOf, nameTable } from "../support/files.js";
import { parseOptions, type Options } from "../support/options.js";
import { processes, type ProcessRow } from "../support/processes.js";
import { PosixRegex, RegexError } from "../support/regex.js";
import { signalName } from "../support/signals.js";
import { toBytes } from "../support/text.js";

const statusNone = 1;
const statusUsage = 2;

export const main: Command = (context) => {
  if (context.name === "pidof") return pidof(context);
  const kills = context.name === "pkill";
  // pkill -9, pkill -TERM and pkill -SIGTERM name a signal.
  let signal = "SIGTERM";
  const words = context.argv.filter((word, at) => {
    if (!kills || at === 0 || !/^-(?:\d+|[A-Z][A-Z0-9+]+)$/.test(word)) return true;
    const name = signalName(word.slice(1).replace(/^SIG/, ""));
    if (name === undefined) return true;
    signal = name;
    return false;
  });
  const options = parseOptions(
    { ...context, argv: words },
    "acd:efg:G:hilLnoP:s:t:u:U:vxw",
    {
      "list-full": "a",
      count: "c",
      "delimiter=": "d",
      echo: "e",
      full: "f",
      "pgroup=": "g",
      "group=": "G",
      "ignore-case": "i",
      "list-name": "l",
      newest: "n",
      oldest: "o",
      "parent=": "P",
      "session=": "s",
      "terminal=": "t",
      "euid=": "u",
      "uid=": "U",
      inverse: "v",
      exact: "x",
      "signal=": "signal",
    },
    { status: statusUsage },
  );
  const given = options.get("signal");
  if (given !== undefined) {
    const name = signalName(given.replace(/^SIG/, ""));
    if (name === undefined) throw new CommandFailure(`Unknown signal "${given}".`, statusUsage);
    signal = name;
  }
  const found = matching(context, options);
  if (kills) return killAll(context, options, found, signal as NodeJS.Signals);
  if (options.has("c")) {
    context.write(`${found.length}\n`);
    return found.length === 0 ? statusNone : 0;
  }
  const lines = found.map((row) =>
    options.has("a")
      ? `${row.pid} ${row.command}`
      : options.has("l")
        ? `${row.pid} ${row.name}`
        : String(row.pid),
  );
  if (lines.length === 0) return statusNone;
  context.write(`${lines.join(options.get("d") ?? "\n")}\n`);
  return 0;
};

function matching(context: CommandContext, options: Options): ProcessRow[] {
  const [pattern, extra] = options.operands;
  if (extra !== undefined) {
    throw new CommandFailure(
      "only one pattern can be provided",
      statusUsage,
      `Try \`${context.name} --help' for more information.\n`,
    );
  }
  const filters = ["g", "G", "P", "s", "t", "u", "U"];
  if (pattern === undefined && !options.has(...filters)) {
    throw new CommandFailure(
      "no matching criteria specified",
      statusUsage,
      `Try \`${context.name} --help' for more information.\n`,
    );
  }
  const regex = compiled(pattern ?? "", options);
  const numbers = (key: string, file?: "passwd" | "group") => {
    const text = options.get(key);
    if (text === undefined) return undefined;
    const table = file === undefined ? new Map<number, string>() : nameTable(context, file);
    return new Set(
      text.split(",").map((word) => {
        const id = idOf(table, word);
        if (id === undefined) {
          throw new CommandFailure(
            `invalid ${file === "group" ? "group" : "user"} name: ${word}`,
            statusUsage,
          );
        }
        return id;
      }),
    );
  };
  const tests: [Set<number> | undefined, (row: ProcessRow) => number][] = [
    [numbers("g"), (row) => row.group],
    [numbers("G", "group"), (row) => row.gid],
    [numbers("P"), (row) => row.ppid],
    [numbers("s"), (row) => row.session],
    [numbers("u", "passwd"), (row) => row.uid],
    [numbers("U", "passwd"), (row) => row.uid],
  ];
  let rows = processes(context).filter((row) => {
    if (row.pid === process.pid) return false;
    const good =
      tests.every(([wanted, value]) => wanted === undefined || wanted.has(value(row))) &&
      regex.test(toBytes(options.has("f") ? row.command : row.name));
    return good !== options.has("v");
  });
  const byStart = rows.toSorted((a, b) => a.startMs - b.startMs || a.pid - b.pid);
  if (options.has("n")) rows = byStart.slice(-1);
  if (options.has("o")) rows = byStart.slice(0, 1);
  return rows;
}

function compiled(pattern: string, options: Options): PosixRegex {
  try {
    return new PosixRegex(toBytes(options.has("x") ? `^(${pattern})$` : pattern), {
      extended: true,
      ignoreCase: options.has("i"),
      looseIntervals: true,
    });
  } catch (error) {
    if (error instanceof RegexError) throw new CommandFailure(error.message, statusUsage);
    throw error;
  }
}

function killAll(
  context: CommandContext,
  options: Options,
  rows: ProcessRow[],
  signal: NodeJS.Signals,
): number {
  let killed = 0;
  for (const row of rows) {
    try {
      process.kill(row.pid, signal);
      killed++;
      if (options.has("e")) context.write(`${row.name} killed (pid ${row.pid})\n`);
    } catch (error) {
      const code = errorCode(error);
      // It ended by itself.
      if (code === "ESRCH") continue;
      const reason = code === "EPERM" ? "Operation not permitted" : (code ?? "failed");
      context.writeError(`pkill: killing pid ${row.pid} failed: ${reason}\n`);
    }
  }
  if (options.has("c")) context.write(`${rows.length}\n`);
  return killed > 0 ? 0 : statusNone;
}

/** Programs by name: what was run, or the script that its interpreter was given. */
function pidof(context: CommandContext): number {
  const options = parseOptions(context, "cno:sxqS:", {});
  const omitted = new Set(options.all("o").flatMap((text) => text.split(",").map(Number)));
  const base = (path: string) => path.slice(path.lastIndexOf("/") + 1);
  const pids = processes(context)
    .filter((row) => row.pid !== process.pid && !omitted.has(row.pid))
    .filter((row) => {
      const first = row.command.split(" ", 1)[0]!;
      return options.operands.some((name) => name === row.name || base(name) === base(first));
    })
    .map((row) => row.pid)
    .reverse();
  const shown = options.has("s") ? pids.slice(0, 1) : pids;
  if (shown.length > 0 && !options.has("q")) {
    context.write(`${shown.join(options.get("S") ?? " ")}\n`);
  }
  return shown.length > 0 ? 0 : statusNone;
}
