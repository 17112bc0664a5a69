/**
 * Owns what the host says about its tools: definitions, their checks, and what the kernel is told of each.
 *
 * Untrusted: nothing; a definition that is wrong is the host's mistake, and INVALID_OPTION.
 */
import type { ToolDescriptor } from "../protocol/tools.js";
import { kebabCase, toolLimits, toolNamePattern } from "../protocol/tools.js";
import { invalidOption } from "./errors.js";
import { nestingDepth } from "./json.js";
import { schemaCheck } from "./tool-schema.js";
import type { InputCheck, StandardSchema } from "./tool-schema.js";

/** An input, and what it is good for: shown to a model. */
export interface HostToolExample {
  description: string;
  input: unknown;
}

/** What a handler is told beside its input. */
export interface HostToolContext {
  /** Aborted when the call has timed out or the program that made it is gone. */
  signal: AbortSignal;
}

/** A call that waits for approval. */
export interface HostToolCall {
  tool: string;
  /** Checked against the schema. */
  input: unknown;
  /** Aborted when the program that made the call is gone. */
  signal: AbortSignal;
}

/** What an approval comes to; the reason of a refusal is told to the program. */
export type HostToolApproval = boolean | { approve: boolean; reason?: string };

/** A function of the host that programs may call by its name; see docs/tools.md. */
export interface HostToolDefinition {
  description?: string;
  /**
   * JSON Schema, or a schema of zod, valibot, arktype and whatever else speaks Standard Schema.
   * @default any object
   */
  inputSchema?: Record<string, unknown> | StandardSchema;
  /**
   * Gets the checked input; what it returns has to be JSON, in which there may be bytes (`Uint8Array`, `ArrayBuffer`), or an
   * async iterable of such values, which programs read as one.
   */
  // oxlint-disable-next-line typescript/no-explicit-any -- a caller gives its own function, with the parameter types it expects
  handler?: (input: any, context: HostToolContext) => unknown;
  /** Another name for `handler`. */
  // oxlint-disable-next-line typescript/no-explicit-any -- a caller gives its own function, with the parameter types it expects
  execute?: (input: any, context: HostToolContext) => unknown;
  /**
   * Milliseconds, 30 000 by default and 300 000 at most. 0: no bound, for an answer that a person gives; the call
   * still ends with the program that made it.
   */
  timeoutMs?: number;
  /** Another name for `timeoutMs`. */
  timeout?: number;
  /**
   * Asked before the handler runs, for as long as it takes: the program waits, and its call takes no turn of
   * others and no time of `timeoutMs` meanwhile. What throws, or is no approval, refuses.
   */
  approval?: (call: HostToolCall) => HostToolApproval | Promise<HostToolApproval>;
  /**
   * "structured": input and result may hold what structured clone carries of data: Map, Set, Date, BigInt, errors,
   * cycles.
   * @default "json"
   */
  encoding?: "json" | "structured";
  examples?: HostToolExample[];
  /** More names for the tool. Its name in kebab-case is one anyway. */
  commandAliases?: string[];
}

/** Tools by name. */
export type HostTools = Readonly<Record<string, HostToolDefinition>>;

/** Tools by name; a record of tools is a namespace, whose tools have its name and a dot before their own. */
export interface HostToolNamespaces {
  readonly [name: string]: HostToolDefinition | HostToolNamespaces;
}

export interface Tool {
  descriptor: ToolDescriptor;
  check: InputCheck;
  handler: (input: unknown, context: HostToolContext) => unknown;
  approval: NonNullable<HostToolDefinition["approval"]> | undefined;
  encoding: "json" | "structured";
  /** Whether the schema is code of the host's that looks at values itself. */
  standard: boolean;
}

export type ParsedTools = ReadonlyMap<string, Tool>;

type Bag = Readonly<Record<string, unknown>>;

const definitionKeys = [
  "description",
  "inputSchema",
  "handler",
  "execute",
  "timeoutMs",
  "timeout",
  "examples",
  "commandAliases",
  "approval",
  "encoding",
];

export function isBag(value: unknown): value is Bag {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** JSON text of `value` within bounds, or an error naming the option. */
function boundedJson(option: string, value: unknown, bytes: number, depth: number): string {
  let json: string | undefined;
  try {
    json = JSON.stringify(value);
  } catch {
    // Reported below, as for a function.
  }
  if (json === undefined) throw invalidOption(option, "must be JSON");
  const text = Buffer.from(json);
  if (text.length > bytes) throw invalidOption(option, `is longer than ${bytes} bytes of JSON`);
  if (nestingDepth(text, depth) > depth)
    throw invalidOption(option, `is nested deeper than ${depth} levels`);
  return json;
}

function timeoutOf(option: string, value: unknown): number {
  if (value === undefined) return toolLimits.defaultTimeoutMs;
  if (typeof value !== "number" || !(value >= 0) || value > toolLimits.maxTimeoutMs) {
    throw invalidOption(
      option,
      `must be a number of milliseconds up to ${toolLimits.maxTimeoutMs}, or 0 for no bound`,
    );
  }
  return value;
}

function examplesOf(option: string, value: unknown): ToolDescriptor["examples"] {
  if (value === undefined) return [];
  if (!Array.isArray(value) || value.length > toolLimits.examples)
    throw invalidOption(option, `must be an array of at most ${toolLimits.examples} examples`);
  return value.map((example: unknown, index) => {
    const at = `${option}[${index}]`;
    if (!isBag(example)) throw invalidOption(at, "must have a description and an input");
    const { description = "", input = {} } = example;
    if (typeof description !== "string")
      throw invalidOption(`${at}.description`, "must be a string");
    const json = boundedJson(`${at}.input`, input, toolLimits.exampleBytes, toolLimits.schemaDepth);
    return { description, input: JSON.parse(json) as unknown };
  });
}

function aliasesOf(option: string, name: string, value: unknown): string[] {
  const given = value ?? [];
  if (!Array.isArray(given)) throw invalidOption(option, "must be an array of names");
  for (const [index, alias] of given.entries()) {
    if (typeof alias !== "string" || !toolNamePattern.test(alias))
      throw invalidOption(`${option}[${index}]`, `must match ${toolNamePattern.source}`);
  }
  return [...new Set([...(given as string[]), kebabCase(name)])].filter((alias) => alias !== name);
}

function toolOf(option: string, name: string, value: unknown): Tool {
  if (!toolNamePattern.test(name))
    throw invalidOption(
      option,
      `is no valid name of a tool: it must match ${toolNamePattern.source}`,
    );
  if (!isBag(value)) throw invalidOption(option, "must be an object with a handler");
  const unknown = Object.keys(value).find((key) => !definitionKeys.includes(key));
  if (unknown !== undefined)
    throw invalidOption(`${option}.${unknown}`, "is not a known part of a tool");
  const { approval, description = "", inputSchema } = value;
  if (approval !== undefined && typeof approval !== "function")
    throw invalidOption(`${option}.approval`, "must be a function");
  const { encoding = "json" } = value;
  if (encoding !== "json" && encoding !== "structured")
    throw invalidOption(`${option}.encoding`, 'must be "json" or "structured"');
  const handler = value.handler ?? value.execute;
  if (typeof handler !== "function") throw invalidOption(`${option}.handler`, "must be a function");
  if (typeof description !== "string" || description.length > toolLimits.descriptionChars) {
    throw invalidOption(
      `${option}.description`,
      `must be a string of at most ${toolLimits.descriptionChars} characters`,
    );
  }
  const { check, jsonSchema } = schemaCheck(`${option}.inputSchema`, inputSchema);
  const schemaText = boundedJson(
    `${option}.inputSchema`,
    jsonSchema,
    toolLimits.schemaBytes,
    toolLimits.schemaDepth,
  );
  return {
    check,
    handler: handler as Tool["handler"],
    approval: approval as Tool["approval"],
    encoding,
    standard: isBag(inputSchema) && "~standard" in inputSchema,
    descriptor: {
      name,
      aliases: aliasesOf(`${option}.commandAliases`, name, value.commandAliases),
      description,
      inputSchema: JSON.parse(schemaText) as Record<string, unknown>,
      examples: examplesOf(`${option}.examples`, value.examples),
      timeoutMs: timeoutOf(`${option}.timeoutMs`, value.timeoutMs ?? value.timeout),
    },
  };
}

/** Whether it is a record of tools: each part is an object, and none is what a tool has. */
function isNamespace(value: unknown): value is Bag {
  if (!isBag(value)) return false;
  const parts = Object.entries(value);
  return (
    parts.length > 0 && parts.every(([key, part]) => isBag(part) && !definitionKeys.includes(key))
  );
}

/** Checks definitions; `option` is what they were passed as. */
export function parseTools(option: string, value: unknown): ParsedTools {
  const tools = new Map<string, Tool>();
  if (value === undefined) return tools;
  if (!isBag(value)) throw invalidOption(option, "must be an object of tools");
  const add = (at: string, prefix: string, given: Bag): void => {
    for (const [key, definition] of Object.entries(given)) {
      if (definition === undefined) continue;
      const name = `${prefix}${key}`;
      if (isNamespace(definition)) add(`${at}.${key}`, `${name}.`, definition);
      else tools.set(name, toolOf(`${at}.${key}`, name, definition));
    }
  };
  add(option, "", value);
  return tools;
}
