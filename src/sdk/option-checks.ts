/** Owns the checks that options of all kinds share. A wrong one is INVALID_OPTION, with its name. */
import { failure, invalidOption, unknownOption } from "./errors.js";

/** The longest delay a timer of Node takes; about 24.8 days. */
const longestTimeoutMs = 2 ** 31 - 1;

export type Bag = Readonly<Record<string, unknown>>;

export function isRecord(value: unknown): value is Bag {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    !ArrayBuffer.isView(value)
  );
}

/** The given options without undefined ones. Throws for names outside `known`. */
export function bagOf(
  value: unknown,
  known: readonly string[],
  planned: readonly string[] = [],
): Bag {
  if (value === undefined) return {};
  if (!isRecord(value)) throw invalidOption("options", "must be an object");
  const given = Object.entries(value).filter(([, option]) => option !== undefined);
  const unknown = given.map(([name]) => name).filter((name) => !known.includes(name));
  const planning = unknown.find((name) => planned.includes(name));
  if (planning !== undefined)
    throw failure("NOT_IMPLEMENTED", { option: planning }, { details: { option: planning } });
  if (unknown.length > 0) throw unknownOption(unknown, known);
  return Object.fromEntries(given);
}

export function textOf(option: string, value: unknown): string {
  if (typeof value !== "string") throw invalidOption(option, "must be a string");
  if (value.includes("\0")) throw invalidOption(option, "must not contain a NUL character");
  return value;
}

export function pathOf(option: string, value: unknown): string {
  const path = textOf(option, value);
  if (path === "") throw invalidOption(option, "must not be empty");
  return path;
}

export function absolutePathOf(option: string, value: unknown): string {
  const path = pathOf(option, value);
  if (!path.startsWith("/")) throw invalidOption(option, "must be an absolute path of the guest");
  return path;
}

export function envOf(value: unknown): Record<string, string> {
  const env = Object.create(null) as Record<string, string>;
  if (value === undefined) return env;
  if (!isRecord(value)) throw invalidOption("env", "must be an object of strings");
  for (const [name, text] of Object.entries(value)) {
    if (text === undefined) continue;
    if (name === "" || name.includes("=") || name.includes("\0")) {
      throw invalidOption(`env.${name}`, "is not a valid name of an environment variable");
    }
    env[name] = textOf(`env.${name}`, text);
  }
  return env;
}

export function functionOf<T>(option: string, value: unknown): T | undefined {
  if (value !== undefined && typeof value !== "function")
    throw invalidOption(option, "must be a function");
  return value as T | undefined;
}

/** Bytes of a string or Uint8Array, copied. */
export function bytesOf(option: string, value: unknown): Uint8Array {
  if (typeof value === "string") return Buffer.from(value, "utf8");
  if (value instanceof Uint8Array) return new Uint8Array(value);
  throw invalidOption(option, "must be a string or a Uint8Array");
}

export function sourceOf(value: unknown): string {
  if (typeof value !== "string") throw invalidOption("code", "must be a string");
  return value;
}

export function guestPathOf(value: unknown, cwd: string): string {
  const path = pathOf("path", value);
  return path.startsWith("/") ? path : `${cwd}/${path}`;
}

/** Options that are all yes or no, over their defaults. */
export function parseFlags<T extends Record<string, boolean>>(value: unknown, defaults: T): T {
  const given = bagOf(value, Object.keys(defaults));
  for (const [name, flag] of Object.entries(given)) {
    if (typeof flag !== "boolean") throw invalidOption(name, "must be a boolean");
  }
  return { ...defaults, ...given } as T;
}

/** Positive milliseconds or undefined. */
export function timeoutOf(value: unknown, option = "timeout"): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== "number" || !(value > 0)) {
    throw invalidOption(option, "must be a positive number of milliseconds");
  }
  return Math.min(value, longestTimeoutMs);
}

export function signalOf(value: unknown): AbortSignal | undefined {
  if (value === undefined) return undefined;
  if (value instanceof AbortSignal) return value;
  throw invalidOption("signal", "must be an AbortSignal");
}
