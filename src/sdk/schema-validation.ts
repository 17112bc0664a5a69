/**
 * Owns what a JSON Schema says of a value, and how a violation is told.
 *
 * Invariants: with costly keywords only short strings and lists are looked at; a
 * schema that cannot be applied refuses. The validator is loaded when first needed.
 * Untrusted: the value, and the schema where it is somebody else's. Runs on the host's thread for small inputs of simple
 * schemas, and in schema-thread.ts for all others.
 */
import type { Schema } from "@cfworker/json-schema";

export interface Violation {
  /** As `$.items[0].name`. */
  path: string;
  problem: string;
}

/** What a value is found guilty of, if anything. */
export type Validation = (value: unknown) => Violation | undefined;

export const unjudged: Violation = Object.freeze({
  path: "$",
  problem: "the tool's schema could not be applied",
});

/** Bounds for schemas with keywords whose cost is more than linear. */
const costlyStringChars = 8192;
const costlyListItems = 4096;

function step(key: string | number): string {
  if (typeof key === "number" || /^\d+$/.test(key)) return `[${key}]`;
  return /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}

export function placeOf(keys: (string | number)[]): string {
  return `$${keys.map(step).join("")}`;
}

/** `#/a/0` → `$.a[0]`. */
function pathOfPointer(pointer: string): string {
  const keys = pointer
    .split("/")
    .slice(1)
    .map((key) => decodeURIComponent(key).replaceAll("~1", "/").replaceAll("~0", "~"));
  return placeOf(keys);
}

/** The first string or list below `root` that is too long for a costly schema. */
function tooLong(root: unknown): Violation | undefined {
  const todo: { value: unknown; path: string }[] = [{ value: root, path: "$" }];
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    const { value, path } = next;
    if (typeof value === "string" && value.length > costlyStringChars)
      return { path, problem: `expected at most ${costlyStringChars} characters` };
    if (Array.isArray(value) && value.length > costlyListItems)
      return { path, problem: `expected at most ${costlyListItems} items` };
    if (typeof value !== "object" || value === null) continue;
    const isList = Array.isArray(value);
    for (const [key, child] of Object.entries(value)) {
      if (!isList && key.length > costlyStringChars)
        return { path, problem: `expected names of at most ${costlyStringChars} characters` };
      if (typeof child === "string" || (typeof child === "object" && child !== null))
        todo.push({ value: child, path: path + step(isList ? Number(key) : key) });
    }
  }
  return undefined;
}

function violationOf(unit: {
  keyword: string;
  instanceLocation: string;
  error: string;
}): Violation {
  const path = pathOfPointer(unit.instanceLocation);
  const quoted = /"((?:[^"\\]|\\.)*)"/.exec(unit.error)?.[1];
  switch (unit.keyword) {
    case "required":
      return { path: path + step(quoted ?? "?"), problem: "missing required property" };
    case "false":
      return { path, problem: "unexpected property" };
    case "type": {
      const expected = /Expected "(.*)"\.$/.exec(unit.error)?.[1]?.replaceAll('", "', " or ");
      return { path, problem: `expected ${expected ?? "another type"}` };
    }
    default:
      return { path, problem: unit.error };
  }
}

/** `costly`: the schema has keywords that are more than linear. */
export async function validationOf(schema: object, costly: boolean): Promise<Validation> {
  const library = await import("@cfworker/json-schema");
  const validator = new library.Validator(schema as Schema, "2020-12", true);
  return (value) => {
    const long = costly ? tooLong(value) : undefined;
    if (long !== undefined) return long;
    try {
      const { valid, errors } = validator.validate(value);
      if (valid) return undefined;
      // The last unit is the innermost reason; those before it lead there.
      const unit = errors.at(-1);
      if (unit !== undefined) return violationOf(unit);
    } catch {
      // A schema with a reference to nowhere, say.
    }
    return unjudged;
  };
}
