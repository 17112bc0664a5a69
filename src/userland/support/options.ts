/** Owns command-line options in the manner of getopt_long, with its wording of mistakes. */
import { CommandExit, CommandFailure, type CommandContext } from "../command.js";

export interface OptionRules {
  /** Stop at the first operand, as commands that start others do. */
  stopAtOperand?: boolean;
  /** Exit status of a usage error. */
  status?: number;
  /** `-NUM` means this option (head -5). */
  numberOption?: string;
  /** Words such as `-5` or `-` followed by one of these are operands. */
  operandPattern?: RegExp;
  usage?: string;
  /** Printed between the message and the hint at --help. */
  hint?: string;
}

export class Options {
  /** In the order given. */
  readonly list: { key: string; value: string }[] = [];
  readonly operands: string[] = [];

  has(...keys: string[]): boolean {
    return this.list.some((entry) => keys.includes(entry.key));
  }

  /** The last value given. */
  get(key: string): string | undefined {
    return this.list.findLast((entry) => entry.key === key)?.value;
  }

  all(key: string): string[] {
    return this.list.filter((entry) => entry.key === key).map((entry) => entry.value);
  }

  count(key: string): number {
    return this.list.filter((entry) => entry.key === key).length;
  }

  /** Which of the keys came last. */
  last(...keys: string[]): string | undefined {
    return this.list.findLast((entry) => keys.includes(entry.key))?.key;
  }
}

export function usageFailure(context: CommandContext, message: string, status = 1): CommandFailure {
  return new CommandFailure(
    message,
    status,
    `Try '${context.name} --help' for more information.\n`,
  );
}

/**
 * `short` is a getopt string (`a`, `n:` with a value, `i::` with an optional one). `long` maps
 * names to keys; a name ends in `=` when a value follows, in `=?` when one may.
 */
export function parseOptions(
  context: CommandContext,
  short: string,
  long: Record<string, string> = {},
  rules: OptionRules = {},
): Options {
  const shortKinds = new Map<string, string>();
  for (const match of short.matchAll(/([^:])(:{0,2})/g)) shortKinds.set(match[1]!, match[2]!);
  const longKinds = new Map<string, { key: string; kind: string }>();
  for (const [name, key] of Object.entries(long)) {
    const match = /^(.*?)(=\??)?$/.exec(name)!;
    longKinds.set(match[1]!, { key, kind: match[2] ?? "" });
  }
  const parsed = new Options();
  const { argv } = context;
  const fail = (message: string) => {
    const failure = usageFailure(context, message, rules.status);
    return new CommandFailure(message, failure.status, (rules.hint ?? "") + failure.hint);
  };
  let index = 1;
  for (; index < argv.length; index++) {
    const word = argv[index]!;
    if (word === "--") {
      index++;
      break;
    }
    const number = rules.numberOption === undefined ? null : /^-(\d+)$/.exec(word);
    if (number !== null) {
      parsed.list.push({ key: rules.numberOption!, value: number[1]! });
      continue;
    }
    if (word[0] !== "-" || word === "-" || rules.operandPattern?.test(word)) {
      if (rules.stopAtOperand) break;
      parsed.operands.push(word);
      continue;
    }
    if (word.startsWith("--")) {
      const equals = word.indexOf("=");
      const given = word.slice(2, equals === -1 ? undefined : equals);
      const value = equals === -1 ? undefined : word.slice(equals + 1);
      const { name, key, kind } = findLong(context, longKinds, given, rules, fail);
      if (kind === "" && value !== undefined) {
        throw fail(`option '--${name}' doesn't allow an argument`);
      }
      if (kind === "=" && value === undefined) {
        index++;
        if (index >= argv.length) throw fail(`option '--${name}' requires an argument`);
        parsed.list.push({ key, value: argv[index]! });
      } else parsed.list.push({ key, value: value ?? "" });
      continue;
    }
    for (let at = 1; at < word.length; at++) {
      const key = word[at]!;
      const kind = shortKinds.get(key);
      if (kind === undefined) throw fail(`invalid option -- '${key}'`);
      if (kind === "") {
        parsed.list.push({ key, value: "" });
        continue;
      }
      let value = word.slice(at + 1);
      if (value === "" && kind === ":") {
        index++;
        if (index >= argv.length) throw fail(`option requires an argument -- '${key}'`);
        value = argv[index]!;
      }
      parsed.list.push({ key, value });
      break;
    }
  }
  parsed.operands.push(...argv.slice(index));
  return parsed;
}

function findLong(
  context: CommandContext,
  longKinds: Map<string, { key: string; kind: string }>,
  given: string,
  rules: OptionRules,
  fail: (message: string) => CommandFailure,
): { name: string; key: string; kind: string } {
  const exact = longKinds.get(given);
  if (exact !== undefined) return { name: given, ...exact };
  if (given === "help") {
    context.write(`Usage: ${context.name} ${rules.usage ?? "[OPTION]... [FILE]..."}\n`);
    throw new CommandExit(0);
  }
  if (given === "version") {
    context.write(`${context.name} (secure-exec) 1.0\n`);
    throw new CommandExit(0);
  }
  const names = [...longKinds.keys()].filter((name) => name.startsWith(given));
  const first = names[0];
  if (first === undefined) throw fail(`unrecognized option '--${given}'`);
  const found = longKinds.get(first)!;
  if (names.some((name) => longKinds.get(name)!.key !== found.key)) {
    const list = names.map((name) => ` '--${name}'`).join("");
    throw fail(`option '--${given}' is ambiguous; possibilities:${list}`);
  }
  return { name: first, ...found };
}
