/**
 * Owns the command that stands for a host tool: `add --json '{…}'`, flags taken
 * from the tool's schema, `--help`, and the list of all tools.
 *
 * It only turns arguments into an input and an answer into text; the kernel
 * judges the call and the host checks the input.
 */
import { kebabCase, toolListCommand } from "../protocol/tools.js";
import type { ToolDescriptor } from "../protocol/tools.js";
import type { CommandContext } from "./command.js";
import type { Tools } from "./system.js";

/** argv[0] is the command's name: a tool, an alias of one, or `toolListCommand`. */
export interface ToolCommandContext extends Tools, Pick<CommandContext, "argv" | "writeError"> {
  write(text: string): void;
  /** All of stdin; asked for when `--json -` or `--json-file -` is given. */
  readInput(): Promise<string> | string;
  /** A file of the VM. */
  readFile(path: string): Promise<string> | string;
}

/** Exit codes: the shell's own for wrong usage, Node's for a failed call. */
const usageError = 2;
const callFailed = 1;

class UsageError extends Error {}

type Bag = Readonly<Record<string, unknown>>;

function isBag(value: unknown): value is Bag {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

interface Flag {
  /** Property of the input. */
  property: string;
  type: "string" | "number" | "integer" | "boolean" | "json";
  list: boolean;
  required: boolean;
  description: string;
}

function typeOf(schema: unknown): Flag["type"] {
  const type = isBag(schema) ? schema.type : undefined;
  if (type === "string" || type === "number" || type === "integer" || type === "boolean")
    return type;
  // An enumeration of strings needs no type to be read from the command line.
  if (
    isBag(schema) &&
    Array.isArray(schema.enum) &&
    schema.enum.every((v) => typeof v === "string")
  )
    return "string";
  return "json";
}

/** Flag name → what it sets. */
export function flagsOf(schema: Bag): Map<string, Flag> {
  const flags = new Map<string, Flag>();
  if (!isBag(schema.properties)) return flags;
  const required = new Set(Array.isArray(schema.required) ? schema.required : []);
  for (const [property, value] of Object.entries(schema.properties)) {
    const list = isBag(value) && value.type === "array";
    const described =
      isBag(value) && typeof value.description === "string" ? value.description : "";
    flags.set(kebabCase(property), {
      property,
      type: typeOf(list ? (value as Bag).items : value),
      list,
      required: required.has(property),
      description: described,
    });
  }
  return flags;
}

function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new UsageError(`${what} is not valid JSON`);
  }
}

function valueOf(name: string, { type }: Flag, text: string): unknown {
  if (type === "string") return text;
  if (type === "json") return parseJson(text, `The value of --${name}`);
  if (type === "boolean") {
    if (text === "true" || text === "false") return text === "true";
    throw new UsageError(`Flag --${name} expects a boolean`);
  }
  const number = text.trim() === "" ? NaN : Number(text);
  if (!Number.isFinite(number)) throw new UsageError(`Flag --${name} expects a number`);
  if (type === "integer" && !Number.isInteger(number))
    throw new UsageError(`Flag --${name} expects an integer`);
  return number;
}

/** The input that flags spell out. */
function inputOfFlags(tool: ToolDescriptor, args: readonly string[]): Record<string, unknown> {
  const flags = flagsOf(tool.inputSchema);
  const input = Object.create(null) as Record<string, unknown>;
  for (let at = 0; at < args.length; at++) {
    const argument = args[at]!;
    if (!argument.startsWith("--") || argument === "--")
      throw new UsageError(`Unexpected positional argument: ${argument}`);
    const equals = argument.indexOf("=");
    const written = argument.slice(2, equals === -1 ? undefined : equals);
    let name = written;
    let flag = flags.get(name);
    let text = equals === -1 ? undefined : argument.slice(equals + 1);
    if (flag === undefined && written.startsWith("no-") && text === undefined) {
      const positive = flags.get(written.slice(3));
      if (positive?.type === "boolean" && !positive.list) {
        name = written.slice(3);
        flag = positive;
        text = "false";
      }
    }
    if (flag === undefined) throw new UsageError(`Unknown flag: --${written}`);
    if (text === undefined && flag.type === "boolean" && !flag.list) text = "true";
    if (text === undefined) {
      text = args[++at];
      if (text === undefined) throw new UsageError(`Flag --${name} requires a value`);
    }
    const value = valueOf(name, flag, text);
    if (flag.list) {
      const list = (input[flag.property] as unknown[] | undefined) ?? [];
      list.push(value);
      input[flag.property] = list;
    } else {
      if (Object.hasOwn(input, flag.property))
        throw new UsageError(`Flag --${name} cannot be repeated`);
      input[flag.property] = value;
    }
  }
  for (const [name, { property, required }] of flags) {
    if (required && !Object.hasOwn(input, property))
      throw new UsageError(`Missing required flag: --${name}`);
  }
  return input;
}

function isStream(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value;
}

/** JSON, in which bytes are base64. */
function resultText(result: unknown): string {
  return JSON.stringify({ ok: true, result: result ?? null }, (_, value: unknown) => {
    if (value instanceof Uint8Array || value instanceof ArrayBuffer)
      return Buffer.from(value as Uint8Array).toString("base64");
    return typeof value === "bigint" ? String(value) : value;
  });
}

/** The input, from whichever form the arguments have. */
async function inputOf(
  context: ToolCommandContext,
  tool: ToolDescriptor,
  args: readonly string[],
): Promise<unknown> {
  const [first = ""] = args;
  const equals = first.indexOf("=");
  const form = equals === -1 ? first : first.slice(0, equals);
  const own = flagsOf(tool.inputSchema);
  if ((form !== "--json" && form !== "--json-file") || own.has(form.slice(2)))
    return inputOfFlags(tool, args);
  const value = equals === -1 ? args[1] : first.slice(equals + 1);
  if (value === undefined) throw new UsageError(`Flag ${form} requires a value`);
  const rest = args.slice(equals === -1 ? 2 : 1);
  if (rest.length > 0) throw new UsageError(`Unexpected argument behind ${form}: ${rest[0]}`);
  if (value === "-") return parseJson(await context.readInput(), "stdin");
  if (form === "--json") return parseJson(value, "The value of --json");
  let text: string;
  try {
    text = await context.readFile(value);
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : `cannot read ${value}`);
  }
  return parseJson(text, value);
}

function help(command: string, tool: ToolDescriptor): string {
  const lines = [`Usage: ${command} [--json JSON | --json-file FILE | flags]`, ""];
  if (tool.description !== "") lines.push(tool.description, "");
  const flags = flagsOf(tool.inputSchema);
  if (flags.size > 0) lines.push("Flags:");
  for (const [name, { description, list, required, type }] of flags) {
    const kind = `${type}${list ? ", may be repeated" : ""}${required ? ", required" : ""}`;
    lines.push(`  --${name} (${kind})${description === "" ? "" : `  ${description}`}`);
  }
  if (flags.size > 0) lines.push("");
  for (const { description, input } of tool.examples) {
    if (description !== "") lines.push(`# ${description}`);
    lines.push(`${command} --json '${JSON.stringify(input).replaceAll("'", `'\\''`)}'`);
  }
  if (tool.examples.length > 0) lines.push("");
  return lines.join("\n");
}

function list(context: ToolCommandContext, args: readonly string[]): number {
  const tools = context.describeTools("");
  if (args.includes("--json")) {
    context.write(`${JSON.stringify(tools)}\n`);
    return 0;
  }
  const width = Math.max(0, ...tools.map(({ name }) => name.length));
  for (const { name, description } of tools)
    context.write(`${name.padEnd(width)}  ${description.split("\n", 1)[0]!}`.trimEnd() + "\n");
  return 0;
}

/** Runs the command and answers its exit code. */
export async function toolCommand(context: ToolCommandContext): Promise<number> {
  const [path = "", ...rest] = context.argv;
  const command = path.slice(path.lastIndexOf("/") + 1);
  if (command === toolListCommand) return list(context, rest);
  const [tool] = context.describeTools(command);
  if (tool === undefined) {
    context.writeError(`${command}: there is no such host tool, or it may not be called\n`);
    return callFailed;
  }
  // Callers may repeat the tool's name in front of its arguments.
  const names = [command, tool.name, ...tool.aliases];
  const args = rest[0] !== undefined && names.includes(rest[0]) ? rest.slice(1) : rest;
  if (args.length === 1 && (args[0] === "--help" || args[0] === "-h")) {
    context.write(help(command, tool));
    return 0;
  }
  let input: unknown;
  try {
    input = await inputOf(context, tool, args);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    context.writeError(`${command}: ${error.message}\n`);
    return usageError;
  }
  try {
    const result = await context.callTool(tool.name, input);
    // A stream is a line for each of its values.
    for await (const one of isStream(result) ? result : [result])
      context.write(`${resultText(one)}\n`);
    return 0;
  } catch (error) {
    context.writeError(`${command}: ${error instanceof Error ? error.message : String(error)}\n`);
    return callFailed;
  }
}
