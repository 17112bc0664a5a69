/**
 * Owns the check of a tool's input against the schema it was registered with:
 * JSON Schema, or any library that speaks Standard Schema.
 *
 * Invariants: what takes more than linear time in the input (patterns, formats,
 * unique items) sees only short strings and lists; a schema that fails to judge
 * refuses. The validator is loaded with the first call that needs it.
 * Untrusted: the input. Schemas are the host's.
 */
import type { Schema, Validator } from "@cfworker/json-schema";
import { invalidOption } from "./errors.js";

/** The part of the Standard Schema interface that is used here. */
export interface StandardSchema {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => unknown;
    readonly [extra: string]: unknown;
  };
}

export interface Violation {
  /** As `$.items[0].name`. */
  path: string;
  problem: string;
}

export type InputCheck = (value: unknown) => Promise<{ value: unknown } | { violation: Violation }>;

/** Bounds for schemas with keywords whose cost is more than linear. */
const costlyStringChars = 8192;
const costlyListItems = 4096;
const costlyKeywords = ["pattern", "patternProperties", "format", "uniqueItems"];

type Bag = Readonly<Record<string, unknown>>;

function isBag(value: unknown): value is Bag {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isResult(value: unknown): value is { issues?: unknown; value?: unknown } {
  return typeof value === "object" && value !== null;
}

function step(key: string | number): string {
  if (typeof key === "number" || /^\d+$/.test(key)) return `[${key}]`;
  return /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}

/** `#/a/0` → `$.a[0]`. */
function pathOfPointer(pointer: string): string {
  const keys = pointer
    .split("/")
    .slice(1)
    .map((key) => decodeURIComponent(key).replaceAll("~1", "/").replaceAll("~0", "~"));
  return `$${keys.map(step).join("")}`;
}

/** Every keyword anywhere in the schema. Throws INVALID_OPTION for a pattern that is no regular expression. */
function keywordsOf(option: string, schema: unknown): Set<string> {
  const found = new Set<string>();
  const seen = new Set<object>();
  const todo: unknown[] = [schema];
  const compile = (pattern: unknown): void => {
    try {
      void new RegExp(String(pattern), "u");
    } catch {
      throw invalidOption(
        option,
        `has a pattern that is no regular expression: ${String(pattern)}`,
      );
    }
  };
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    if (typeof next !== "object" || next === null || seen.has(next)) continue;
    seen.add(next);
    for (const [key, value] of Object.entries(next)) {
      found.add(key);
      if (key === "pattern" && typeof value === "string") compile(value);
      if (key === "patternProperties" && isBag(value)) Object.keys(value).forEach(compile);
      todo.push(value);
    }
  }
  return found;
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

function jsonSchemaCheck(option: string, schema: Bag): InputCheck {
  const keywords = keywordsOf(option, schema);
  const costly = costlyKeywords.some((keyword) => keywords.has(keyword));
  let loading: Promise<Validator> | undefined;
  return async (value) => {
    const long = costly ? tooLong(value) : undefined;
    if (long !== undefined) return { violation: long };
    loading ??= import("@cfworker/json-schema").then(
      (library) => new library.Validator(schema as Schema, "2020-12", true),
    );
    try {
      const { valid, errors } = (await loading).validate(value);
      // The last unit is the innermost reason; those before it lead there.
      const unit = errors.at(-1);
      if (valid) return { value };
      if (unit !== undefined) return { violation: violationOf(unit) };
    } catch {
      // A schema with a reference to nowhere, say.
    }
    return { violation: { path: "$", problem: "the tool's schema could not be applied" } };
  };
}

function standardCheck(schema: StandardSchema): InputCheck {
  const { validate } = schema["~standard"];
  return async (value) => {
    let result: unknown;
    try {
      result = await validate(value);
    } catch {
      return { violation: { path: "$", problem: "the tool's schema could not be applied" } };
    }
    // arktype answers with an array that has `issues`.
    if (!isResult(result))
      return { violation: { path: "$", problem: "the schema did not decide" } };
    if (result.issues === undefined) return { value: result.value };
    const issue: unknown = Array.isArray(result.issues) ? result.issues[0] : undefined;
    const { message, path } = isBag(issue) ? issue : {};
    const keys = (Array.isArray(path) ? path : []).map((part: unknown) =>
      isBag(part) ? part.key : part,
    );
    return {
      violation: {
        path: `$${keys.map((key) => step(typeof key === "number" ? key : String(key))).join("")}`,
        problem: typeof message === "string" ? message : "not accepted",
      },
    };
  };
}

/** What guests are told of a Standard Schema: its own JSON Schema where it can tell, otherwise any object. */
function describeStandard(schema: StandardSchema): Bag {
  const convert = schema["~standard"].jsonSchema;
  if (isBag(convert) && typeof convert.input === "function") {
    try {
      const described: unknown = (convert.input as (options: object) => unknown)({
        target: "draft-2020-12",
      });
      if (isBag(described)) return described;
    } catch {
      // Not every schema can be told in JSON.
    }
  }
  return { type: "object" };
}

export function schemaCheck(
  option: string,
  schema: unknown,
): { check: InputCheck; jsonSchema: Bag } {
  if (schema === undefined) {
    const any = { type: "object" };
    return { check: jsonSchemaCheck(option, any), jsonSchema: any };
  }
  const standard =
    (typeof schema === "object" || typeof schema === "function") && schema !== null
      ? (schema as Partial<StandardSchema>)["~standard"]
      : undefined;
  if (standard !== undefined) {
    if (typeof standard?.validate !== "function")
      throw invalidOption(option, "is no Standard Schema: it has no validate function");
    const given = schema as StandardSchema;
    return { check: standardCheck(given), jsonSchema: describeStandard(given) };
  }
  if (!isBag(schema)) throw invalidOption(option, "must be a JSON Schema or a Standard Schema");
  // A copy: the caller may change its own.
  let own: Bag;
  try {
    own = JSON.parse(JSON.stringify(schema)) as Bag;
  } catch {
    throw invalidOption(option, "must be JSON");
  }
  return { check: jsonSchemaCheck(option, own), jsonSchema: own };
}
