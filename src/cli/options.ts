/** Owns how the command line's longer commands are read: `--name value`, `--name=value`, flags, and nothing unknown. */
import { UsageError } from "./arguments.js";

export { UsageError };

export interface ArgumentSpec {
  /** Options that take a value. */
  readonly values: readonly string[];
  readonly flags?: readonly string[];
}

export interface Arguments {
  /** Each option's values in the order given. */
  values(name: string): string[];
  value(name: string): string | undefined;
  has(flag: string): boolean;
}

/** Throws `UsageError`. */
export function parseArguments(args: readonly string[], spec: ArgumentSpec): Arguments {
  const values = new Map<string, string[]>();
  const flags = new Set<string>();
  for (let at = 0; at < args.length; at++) {
    const [, name = "", given] = /^--([a-z-]+)(?:=([\s\S]*))?$/.exec(args[at]!) ?? [];
    if (spec.flags?.includes(name) === true && given === undefined) {
      flags.add(name);
      continue;
    }
    if (!spec.values.includes(name)) throw new UsageError(`unknown argument ${args[at]!}`);
    const value = given ?? args[++at];
    if (value === undefined) throw new UsageError(`--${name} needs a value`);
    values.set(name, [...(values.get(name) ?? []), value]);
  }
  return {
    values: (name) => values.get(name) ?? [],
    value: (name) => values.get(name)?.at(-1),
    has: (flag) => flags.has(flag),
  };
}

/** `a=b,c=d` of any number of options. */
export function pairsOf(name: string, texts: readonly string[]): Record<string, string> {
  const pairs = texts
    .flatMap((text) => text.split(","))
    .map((pair) => {
      const [, key, value] = /^([^=]+)=(.*)$/.exec(pair) ?? [];
      if (key === undefined) throw new UsageError(`--${name} takes pairs such as a=b`);
      return [key, value!];
    });
  return Object.fromEntries(pairs) as Record<string, string>;
}

const units: Readonly<Record<string, number>> = { "": 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 };

/** `512M`, `2GiB` or a number of bytes. */
export function bytesOf(name: string, text: string): number {
  const [, digits, unit] = /^(\d{1,12})([KMG]?)(?:iB)?$/.exec(text) ?? [];
  if (digits === undefined) throw new UsageError(`${name} takes a size such as 512M`);
  return Number(digits) * units[unit!]!;
}

export function countOf(name: string, text: string, least: number, most: number): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : -1;
  if (value < least || value > most)
    throw new UsageError(`${name} takes a whole number from ${least} to ${most}`);
  return value;
}
