/**
 * Owns the check of a tool's input against the schema it was registered with:
 * JSON Schema, or any library that speaks Standard Schema.
 *
 * Invariants: a JSON Schema whose keywords may take more than linear time, an input that is
 * not short, and a schema and an input that are much work together, are for a thread that can be
 * ended (schema-judge.ts); a schema that fails to judge refuses.
 * Untrusted: the input, and a JSON Schema that the host has from others, as an MCP server's. A
 * Standard Schema is the host's own code.
 */
import { invalidOption } from "./errors.js";
import type { SchemaJudge } from "./schema-judge.js";
import { placeOf, unjudged, validationOf } from "./schema-validation.js";
import type { Validation, Violation } from "./schema-validation.js";

export type { Violation } from "./schema-validation.js";

/** The part of the Standard Schema interface that is used here. */
export interface StandardSchema {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => unknown;
    readonly [extra: string]: unknown;
  };
}

/** Who judges what may take long, and until when anybody wants to know. */
export interface Judging {
  judge: SchemaJudge;
  signal: AbortSignal;
}

export type InputCheck = (
  value: unknown,
  json?: Uint8Array,
  judging?: Judging,
) => Promise<{ value: unknown } | { violation: Violation }>;

/**
 * Keywords whose cost may be more than linear in the input: backtracking, every pair
 * of items, and references, which together with `anyOf` may double the work per level.
 */
const costlyKeywords = [
  "pattern",
  "patternProperties",
  "format",
  "uniqueItems",
  "$ref",
  "$dynamicRef",
  "$recursiveRef",
];
/** JSON text of an input that is judged at once, where all keywords are linear: some milliseconds. */
const quickBytes = 16 * 1024;
/** Parts of a schema that are looked at for parts of an input, at most: a hundredth of a second. */
const quickWork = 32 * 1024;
/** Characters that count as a part of an input, for keywords that go through texts. */
const charsOfPart = 64;

type Bag = Readonly<Record<string, unknown>>;

function isBag(value: unknown): value is Bag {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isResult(value: unknown): value is { issues?: unknown; value?: unknown } {
  return typeof value === "object" && value !== null;
}

const jsonTypes = ["string", "number", "integer", "object", "array", "boolean", "null"];
/** Keywords whose value is a schema or a list of them, and those whose value has schemas by names. */
const schemaKeywords = [
  "items",
  "prefixItems",
  "additionalProperties",
  "contains",
  "propertyNames",
  "not",
  "if",
  "then",
  "else",
  "allOf",
  "anyOf",
  "oneOf",
];
const namedKeywords = ["properties", "patternProperties", "$defs", "definitions"];

/** Throws INVALID_OPTION for a `type` that is none: no input would ever be of it. `schema` is JSON. */
function checkTypes(option: string, schema: unknown): void {
  const todo: [at: string, schema: unknown][] = [[option, schema]];
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    const [at, value] = next;
    if (Array.isArray(value)) {
      value.forEach((one: unknown, index) => todo.push([`${at}[${index}]`, one]));
      continue;
    }
    if (!isBag(value)) continue;
    const types: unknown[] = Array.isArray(value.type) ? value.type : [value.type ?? "null"];
    if (!types.every((type) => jsonTypes.includes(String(type))))
      throw invalidOption(`${at}.type`, `must be of ${jsonTypes.join(", ")}`);
    for (const keyword of schemaKeywords) todo.push([`${at}.${keyword}`, value[keyword]]);
    for (const keyword of namedKeywords) {
      const named = value[keyword];
      if (!isBag(named)) continue;
      for (const [name, one] of Object.entries(named)) todo.push([`${at}.${keyword}.${name}`, one]);
    }
  }
}

/**
 * Every keyword anywhere in the schema, and how many values it consists of. Throws INVALID_OPTION for a pattern that is no
 * regular expression.
 */
function keywordsOf(option: string, schema: unknown): { found: Set<string>; parts: number } {
  const found = new Set<string>();
  let parts = 0;
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
    parts++;
    if (typeof next !== "object" || next === null) continue;
    for (const [key, value] of Object.entries(next)) {
      found.add(key);
      if (key === "pattern" && typeof value === "string") compile(value);
      if (key === "patternProperties" && isBag(value)) Object.keys(value).forEach(compile);
      todo.push(value);
    }
  }
  return { found, parts };
}

/** Of a value of JSON. */
function partsOf(root: unknown): number {
  let parts = 0;
  const todo: unknown[] = [root];
  while (todo.length > 0) {
    const next = todo.pop();
    parts++;
    if (typeof next === "object" && next !== null)
      for (const part of Object.values(next)) todo.push(part);
  }
  return parts;
}

/** `judge` does what may take long; without it everything is judged here and now. `json` is the text of `value`. */
function jsonSchemaCheck(option: string, schema: Bag): InputCheck {
  const { found, parts } = keywordsOf(option, schema);
  const costly = costlyKeywords.some((keyword) => found.has(keyword));
  const isQuick = (value: unknown, { byteLength }: Uint8Array): boolean =>
    !costly &&
    byteLength <= quickBytes &&
    parts * (partsOf(value) + byteLength / charsOfPart) <= quickWork;
  let loading: Promise<Validation> | undefined;
  return async (value, json, judging) => {
    const violation =
      judging !== undefined && json !== undefined && !isQuick(value, json)
        ? await judging.judge.violation(schema, costly, json, judging.signal)
        : await (loading ??= validationOf(schema, costly)).then(
            (validate) => validate(value),
            // One with an `$id` that is none, say.
            () => unjudged,
          );
    return violation === undefined ? { value } : { violation };
  };
}

function standardCheck(schema: StandardSchema): InputCheck {
  const { validate } = schema["~standard"];
  return async (value) => {
    let result: unknown;
    try {
      result = await validate(value);
    } catch {
      return { violation: unjudged };
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
        path: placeOf(keys.map((key) => (typeof key === "number" ? key : String(key)))),
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
  checkTypes(option, own);
  return { check: jsonSchemaCheck(option, own), jsonSchema: own };
}
