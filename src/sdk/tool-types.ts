/**
 * Owns the text that tells a model, or a type checker, which tools there are: a declaration of
 * TypeScript for `callHostTool`, one signature per tool, made from its JSON Schema.
 *
 * Invariants: whatever a schema says, the text is well-formed: names that are no identifiers are quoted,
 * texts cannot end a comment; a tool's types are bounded, however its references go round. What a schema says beyond types
 * (patterns, bounds) is left to the check of the input.
 * Untrusted: descriptions and schemas, which may be an MCP server's.
 */
import { executorTool } from "../protocol/host-commands.js";
import type { ToolDescriptor } from "../protocol/tools.js";

type Schema = Readonly<Record<string, unknown>>;

/** Deeper ones are `unknown`: a text for a model is no place for them, and `$ref` may go round. */
const deepest = 12;
/** Of the types of one tool, about; further ones are `unknown`. References that branch double them with each level. */
const mostChars = 64 * 1024;
/** What a type is at least, with its place in others. */
const typeChars = 16;
const indent = "  ";

const isSchema = (value: unknown): value is Schema =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function comment(text: unknown, margin: string): string {
  if (typeof text !== "string" || text.trim() === "") return "";
  const lines = text
    .trim()
    .replaceAll("*/", "*\\/")
    .split(/\r\n|[\r\n\u2028\u2029]/);
  if (lines.length === 1) return `${margin}/** ${lines[0]!} */\n`;
  return `${margin}/**\n${lines.map((line) => `${margin} * ${line}\n`).join("")}${margin} */\n`;
}

/** A value of JSON as a type of its own. */
function literal(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (!isSchema(value)) return JSON.stringify(value) ?? "unknown";
  return `{ ${Object.entries(value)
    .map(([name, each]) => `${JSON.stringify(name)}: ${literal(each)}`)
    .join("; ")} }`;
}

class Writer {
  readonly #root: Schema;
  #left = mostChars;

  constructor(root: Schema) {
    this.#root = root;
  }

  /** What `#/…` leads to. */
  #target(reference: string): unknown {
    if (!reference.startsWith("#")) return undefined;
    let at: unknown = this.#root;
    for (const part of reference.slice(1).split("/").filter(Boolean)) {
      const key = decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~");
      at = isSchema(at) && Object.hasOwn(at, key) ? at[key] : undefined;
    }
    return at;
  }

  type(schema: unknown, margin = "", depth = 0): string {
    if (schema === false) return "never";
    if (!isSchema(schema) || depth > deepest || this.#left <= 0) return "unknown";
    this.#left -= typeChars + margin.length;
    const inner = (one: unknown): string => this.type(one, margin, depth + 1);
    if (typeof schema.$ref === "string") return inner(this.#target(schema.$ref));
    if ("const" in schema) return this.#counted(literal(schema.const));
    if (Array.isArray(schema.enum)) return this.#counted(union(schema.enum.map(literal)));
    for (const name of ["anyOf", "oneOf"] as const)
      if (Array.isArray(schema[name])) return union(schema[name].map(inner));
    if (Array.isArray(schema.allOf))
      return schema.allOf.map((one) => `(${inner(one)})`).join(" & ");
    const { type } = schema;
    if (Array.isArray(type))
      return union(type.map((one) => inner({ ...schema, type: one as unknown })));
    switch (type) {
      case "string":
      case "boolean":
      case "null":
        return type;
      case "number":
      case "integer":
        return "number";
      case "array":
        return this.#array(schema, inner);
      case "object":
      case undefined:
        return type === "object" || isSchema(schema.properties)
          ? this.#object(schema, margin, depth)
          : "unknown";
      default:
        return "unknown";
    }
  }

  #counted(text: string): string {
    this.#left -= text.length;
    return text;
  }

  #array({ prefixItems, items }: Schema, inner: (one: unknown) => string): string {
    if (!Array.isArray(prefixItems)) return `Array<${inner(items)}>`;
    const rest = items === false ? [] : [`...Array<${inner(items)}>`];
    return `[${[...prefixItems.map(inner), ...rest].join(", ")}]`;
  }

  #object(
    { properties, required, additionalProperties }: Schema,
    margin: string,
    depth: number,
  ): string {
    const given = isSchema(properties) ? Object.entries(properties) : [];
    const needed: unknown[] = Array.isArray(required) ? required : [];
    const within = margin + indent;
    const lines = given.map(([name, schema]) => {
      const key = /^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name);
      const optional = needed.includes(name) ? "" : "?";
      const text =
        isSchema(schema) && this.#left > 0
          ? this.#counted(comment(schema.description, within))
          : "";
      this.#left -= key.length;
      return `${text}${within}${key}${optional}: ${this.type(schema, within, depth + 1)};\n`;
    });
    const more = isSchema(additionalProperties)
      ? this.type(additionalProperties, within, depth + 1)
      : "unknown";
    if (lines.length === 0)
      return additionalProperties === false ? "Record<string, never>" : `Record<string, ${more}>`;
    return `{\n${lines.join("")}${margin}}`;
  }
}

function union(types: readonly string[]): string {
  const distinct = [...new Set(types)];
  if (distinct.length === 0) return "never";
  return distinct.includes("unknown") ? "unknown" : distinct.join(" | ");
}

/** Whether a call without an input is one the schema may accept. */
const needsNothing = ({ required, type }: Schema): boolean =>
  (type === "object" || type === undefined) && !(Array.isArray(required) && required.length > 0);

type Branch = Map<string, Branch | ToolDescriptor>;

/** Tools by the parts of their names; one whose name is also a namespace's is in none. */
function treeOf(tools: readonly ToolDescriptor[]): Branch {
  const root: Branch = new Map();
  for (const tool of tools) {
    const parts = tool.name.split(".");
    let at: Branch | undefined = root;
    for (const part of parts.slice(0, -1)) {
      const next: Branch | ToolDescriptor | undefined = at?.get(part) ?? new Map();
      if (!(next instanceof Map)) at = undefined;
      else at?.set(part, next);
      at = next instanceof Map ? next : undefined;
    }
    if (at !== undefined && !at.has(parts.at(-1)!)) at.set(parts.at(-1)!, tool);
  }
  return root;
}

function methods(branch: Branch, margin: string): string {
  const lines = [...branch].map(([name, part]) => {
    const key = /^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name);
    if (part instanceof Map)
      return `${margin}${key}: {\n${methods(part, margin + indent)}${margin}};\n`;
    const { description, inputSchema } = part;
    const input = new Writer(inputSchema).type(inputSchema, margin);
    const mark = needsNothing(inputSchema) ? "?" : "";
    return `${comment(description, margin)}${margin}${key}(input${mark}: ${input}): Promise<any>;\n`;
  });
  return lines.join("");
}

/** The declaration; one signature per tool, in the order of their names. */
export function toolTypes(tools: readonly ToolDescriptor[]): string {
  const named = tools.filter(({ name }) => name !== executorTool);
  const sorted = named.sort((one, other) => (one.name < other.name ? -1 : 1));
  const calls = sorted.map(({ name, description, inputSchema }) => {
    const input = new Writer(inputSchema).type(inputSchema);
    const mark = needsNothing(inputSchema) ? "?" : "";
    const signature = `declare function callHostTool(name: ${JSON.stringify(name)}, input${mark}: ${input}): Promise<any>;\n`;
    return comment(description, "") + signature;
  });
  if (!sorted.some(({ name }) => name.includes("."))) return calls.join("\n");
  return [...calls, `declare const tools: {\n${methods(treeOf(sorted), indent)}};\n`].join("\n");
}
