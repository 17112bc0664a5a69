/**
 * Owns the command line of `node` inside a VM: which options it knows and how they
 * are read. The engine's own option table says what exists and how it is spelt;
 * ./node-main.ts makes them the process's and runs what they ask for.
 */
import type { OptionValue } from "./engine-options.js";

interface OptionInfo {
  type: number;
  /** An `EnvSettings` of src/node_options.h. */
  envVarSettings: number;
}

export interface OptionTable {
  options: Map<string, OptionInfo>;
  aliases: Map<string, string[]>;
}

export interface CommandLine {
  /** Options as given, for process.execArgv. */
  execArgv: string[];
  /** Canonical name → value; a list for options that may be repeated. */
  values: Map<string, OptionValue>;
  /** Canonical name → how the program wrote it, without a value. */
  written: Map<string, string>;
  v8: string[];
  /** The script and what follows, or what follows the options when there is no script. */
  rest: string[];
  /** What follows `--`. */
  operands: string[];
  /** What the user got wrong. */
  error?: string;
  /** The option that came without the value it needs. */
  missingValue?: string;
}

/** src/node_options.h, OptionType, by its names in the binding. */
export interface Types {
  kNoOp: number;
  kV8Option: number;
  kBoolean: number;
  kInteger: number;
  kUInteger: number;
  kStringList: number;
}

/** Splits NODE_OPTIONS as src/node_options.cc, ParseNodeOptionsEnvVar, does. */
export function splitNodeOptions(text: string): string[] {
  const parts: string[] = [];
  let current = "";
  let quoted = false;
  let started = false;
  for (let at = 0; at < text.length; at++) {
    let char = text[at]!;
    if (char === "\\" && quoted && at + 1 < text.length) char = text[++at]!;
    else if (char === " " && !quoted) {
      if (started) parts.push(current);
      current = "";
      started = false;
      continue;
    } else if (char === '"') {
      quoted = !quoted;
      started = true;
      continue;
    }
    current += char;
    started = true;
  }
  if (started) parts.push(current);
  return parts;
}

export function parseCommandLine(
  argv: readonly string[],
  table: OptionTable,
  types: Types,
): CommandLine {
  const line: CommandLine = {
    execArgv: [],
    values: new Map(),
    written: new Map(),
    v8: [],
    rest: [],
    operands: [],
  };
  /** What an alias was, for the option that comes next in its place: messages name that. */
  let aliased: string | undefined;
  const pending = [...argv];
  for (let steps = 0; pending.length > 0; steps++) {
    if (steps > argv.length * 8 + 8) return { ...line, error: "too many options" };
    const text = pending[0]!;
    if (text === "--") {
      pending.shift();
      line.written.set(text, text);
      line.operands = [...pending];
      break;
    }
    if (!text.startsWith("-") || text === "-") break;
    pending.shift();
    const equals = text.startsWith("--") ? text.indexOf("=") : -1;
    let name = equals < 0 ? text : text.slice(0, equals);
    const inline = equals < 0 ? undefined : text.slice(equals + 1);
    if (name.startsWith("--")) name = `--${name.slice(2).replaceAll("_", "-")}`;

    const follows = pending[0] !== undefined && !pending[0].startsWith("-");
    const alias =
      (inline !== undefined ? table.aliases.get(`${name}=`) : undefined) ??
      (inline === undefined && follows ? table.aliases.get(`${name} <arg>`) : undefined) ??
      table.aliases.get(name) ??
      negatedAlias(name, table);
    // One that stands for itself and more, as `--prof-process` does for `--`.
    if (alias?.[0] === name) pending.unshift(...alias.slice(1));
    else if (alias !== undefined) {
      // The value is the first one's: `--inspect=` stands for a port and for --inspect.
      const [first = "", ...others] = alias;
      pending.unshift(first, ...(inline === undefined ? [] : [inline]), ...others);
      aliased ??= equals < 0 ? text : text.slice(0, equals);
      continue;
    }
    const error = takeOption(
      { name, inline, asTyped: aliased ?? (equals < 0 ? text : text.slice(0, equals)) },
      pending,
      line,
      table,
      types,
    );
    aliased = undefined;
    if (error !== undefined) return { ...line, error };
  }
  line.rest = pending;
  line.execArgv = argv.slice(0, argv.length - pending.length).filter((text) => text !== "--");
  return line;
}

/** `--no-` before another name of one option says the same of that option. */
function negatedAlias(name: string, table: OptionTable): string[] | undefined {
  if (!name.startsWith("--no-") || table.options.has(name)) return undefined;
  const [option, ...others] = table.aliases.get(`--${name.slice(5)}`) ?? [];
  const simple = option?.startsWith("--") === true && others.length === 0;
  return simple ? [`--no-${option.slice(2)}`] : undefined;
}

function missing(line: CommandLine, name: string, written: string): string {
  line.missingValue = name;
  return `${written} requires an argument`;
}

interface WrittenOption {
  /** Canonical. */
  name: string;
  /** What stands behind its `=`. */
  inline: string | undefined;
  /** The alias that the program used, or `name`. */
  asTyped: string;
}

/** Records one canonical option; takes its value from the front of `pending`. Answers what is wrong. */
function takeOption(
  { name: written, inline, asTyped }: WrittenOption,
  pending: string[],
  line: CommandLine,
  table: OptionTable,
  types: Types,
): string | undefined {
  const negated = written.startsWith("--no-") && !table.options.has(written);
  const name = negated ? `--${written.slice(5)}` : written;
  const info = table.options.get(name);
  const text = inline === undefined ? written : `${written}=${inline}`;
  if (info === undefined || info.type === types.kV8Option) {
    // As the engine does: what Node does not know may be V8's.
    if (!written.startsWith("--")) return `bad option: ${text}`;
    line.v8.push(text);
    return undefined;
  }
  line.written.set(name, asTyped);
  if (info.type === types.kNoOp || info.type === types.kBoolean) {
    if (inline !== undefined && info.type === types.kBoolean)
      return `${written} does not take an argument`;
    line.values.set(name, !negated);
    return undefined;
  }
  if (negated) return `${asTyped} is an invalid negation because it is not a boolean option`;
  let value = inline;
  if (value === "") return missing(line, name, `${asTyped}=`);
  if (value === undefined) {
    const next = pending[0];
    if (next === undefined || (next.startsWith("-") && next.length > 1))
      return missing(line, name, asTyped);
    // How a value that begins with a dash is written.
    value = pending.shift()!.replace(/^\\-/, "-");
  }
  if (info.type === types.kStringList) {
    const list = line.values.get(name);
    if (Array.isArray(list)) list.push(value);
    else line.values.set(name, [value]);
  } else if (info.type === types.kInteger || info.type === types.kUInteger)
    line.values.set(name, Math.trunc(Number(value)) || 0);
  else line.values.set(name, value);
  return undefined;
}

/** The first option of NODE_OPTIONS that belongs on a command line alone, as it was written. */
export function notForEnvironment(
  line: CommandLine,
  table: OptionTable,
  allowed: number,
): string | undefined {
  for (const [name, written] of line.written)
    if (table.options.get(name)?.envVarSettings !== allowed) return written;
  return line.v8.find((flag) => {
    const name = flag.split("=", 1)[0]!.replaceAll("_", "-");
    const info = table.options.get(name) ?? table.options.get(name.replace(/^--no-/, "--"));
    return info?.envVarSettings !== allowed;
  });
}
