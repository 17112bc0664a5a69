/**
 * Owns host tools on the host's side: their definitions, the check of every
 * input, running handlers, and what of the outcome may go back into the VM.
 *
 * Invariants: a handler runs only with an input that its schema accepts; it is
 * told by a signal when nobody waits any more; of its error only name and message
 * leave; neither direction carries an own `__proto__` key; `call` never rejects.
 * Untrusted: every input. Results are the host's, but may be anything.
 */
import type { ToolDescriptor, ToolFailure } from "../protocol/tools.js";
import {
  NotStructured,
  StructuredRefused,
  decodeStructured,
  encodeStructured,
} from "../protocol/structured.js";
import { ToolForm, holdsBytes, inForm } from "../protocol/tool-values.js";
import { kebabCase, toolLimits, toolNamePattern } from "../protocol/tools.js";
import { debug } from "./debug.js";
import { failure, invalidOption } from "./errors.js";
import { dropProtoKeys, JsonRefused, nestingDepth, parseJson } from "./json.js";
import { SchemaJudge } from "./schema-judge.js";
import { inSteps } from "./steps.js";
import { toolTurns } from "./tool-turns.js";
import { schemaCheck } from "./tool-schema.js";
import type { InputCheck, StandardSchema } from "./tool-schema.js";

export interface HostToolExample {
  description: string;
  input: unknown;
}

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

export interface HostToolDefinition {
  description?: string;
  /** JSON Schema, or a schema of zod, valibot, arktype and whatever else speaks Standard Schema. Default: any object. */
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
   * "structured": input and result may hold what structured clone carries of data: Map, Set, Date, BigInt, errors, cycles.
   * Default: "json".
   */
  encoding?: "json" | "structured";
  examples?: HostToolExample[];
  /** More names for the tool. Its name in kebab-case is one anyway. */
  commandAliases?: string[];
}

export type HostTools = Readonly<Record<string, HostToolDefinition>>;

/** Tools by name; a record of tools is a namespace, whose tools have its name and a dot before their own. */
export interface HostToolNamespaces {
  readonly [name: string]: HostToolDefinition | HostToolNamespaces;
}

interface Tool {
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

function isBag(value: unknown): value is Bag {
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

/** A handler's results that a program reads one by one. */
interface ResultStream {
  readonly name: string;
  readonly iterator: AsyncIterator<unknown>;
  readonly controller: AbortController;
  readonly encoding: Tool["encoding"];
  readonly timeoutMs: number;
}

/** The tools of one runtime, and the calls that run. */
export class HostToolbox {
  readonly #tools = new Map<string, Tool>();
  /** Name or alias → the tool it stands for. */
  readonly #names = new Map<string, string>();
  readonly #running = new Map<number, AbortController>();
  /** Calls among them that wait for approval, and take no turn. */
  readonly #parked = new Set<number>();
  readonly #judge = new SchemaJudge();
  /** By the call that opened them. */
  readonly #streams = new Map<number, ResultStream>();
  readonly #waiting: { id: number; start: () => void }[] = [];
  /** Those whose turn of the event loop has not come, and how they wait no longer. */
  readonly #entered = new Map<number, () => void>();

  /** Adds tools or replaces those of the same name. Throws INVALID_OPTION, and adds nothing, when a name is taken. */
  add(tools: ParsedTools, option: string): void {
    const names = new Map(this.#names);
    for (const [name, { descriptor }] of tools) {
      for (const taken of [name, ...descriptor.aliases]) {
        const owner = names.get(taken);
        if (owner !== undefined && owner !== name)
          throw invalidOption(`${option}.${name}`, `takes the name ${taken}, which ${owner} has`);
        names.set(taken, name);
      }
    }
    const count = new Set([...this.#tools.keys(), ...tools.keys()]).size;
    if (count > toolLimits.toolsPerVm)
      throw invalidOption(option, `makes ${count} tools, the limit is ${toolLimits.toolsPerVm}`);
    for (const [name, owner] of names) this.#names.set(name, owner);
    for (const [name, tool] of tools) this.#tools.set(name, tool);
  }

  get all(): ParsedTools {
    return this.#tools;
  }

  descriptors(): ToolDescriptor[] {
    return [...this.#tools.values()].map(({ descriptor }) => descriptor);
  }

  /**
   * Runs a call when its turn comes and hands the outcome to `done`, unless it was cancelled; `parks` is told of
   * one that waits for approval.
   */
  call(
    id: number,
    name: string,
    input: Uint8Array,
    done: (ok: boolean, json: Uint8Array) => void,
    parks: () => void = () => {},
  ): void {
    const begin = (): void => {
      this.#entered.delete(id);
      const controller = new AbortController();
      this.#running.set(id, controller);
      const startedMs = performance.now();
      debug("tool", () => `${name}: called with ${input.byteLength} bytes`);
      const finish = (ok: boolean, json: Uint8Array): void => {
        if (this.#running.get(id) !== controller) return;
        const tookMs = performance.now() - startedMs;
        debug(
          "tool",
          () => `${name}: ${ok ? "answered" : "failed"} after ${Math.round(tookMs)} ms`,
        );
        this.#leave(id);
        done(ok, json);
      };
      this.#run({ id, name, input, controller, finish, parks, usedMs: 0 }).catch((error: unknown) =>
        finish(false, encodeFailure(handlerFailure(error))),
      );
    };
    const start = (): void => {
      // Set first: it may begin at once.
      this.#entered.set(id, () => undefined);
      const leave = toolTurns.enter(this, begin);
      if (this.#entered.has(id)) this.#entered.set(id, leave);
    };
    this.#whenFree(id, start);
  }

  #whenFree(id: number, start: () => void): void {
    if (this.#hasPlace) start();
    else this.#waiting.push({ id, start });
  }

  get #hasPlace(): boolean {
    const running = this.#running.size - this.#parked.size;
    return running + this.#entered.size < toolLimits.concurrentCalls;
  }

  #leave(id: number): void {
    this.#running.delete(id);
    this.#parked.delete(id);
    this.#next();
  }

  /** The next value of a stream, or with `stop` its end. Calls `done` once. */
  next(stream: number, stop: boolean, done: (ok: boolean, json: Uint8Array) => void): void {
    const open = this.#streams.get(stream);
    if (open === undefined || stop) {
      this.#endStream(stream);
      return done(true, endedStream);
    }
    const end = (ok: boolean, json: Uint8Array): void => {
      this.#endStream(stream);
      done(ok, json);
    };
    const work = async (): Promise<void> => {
      const { done: over, value } = await beforeDeadline(open);
      if (!this.#streams.has(stream)) return done(true, endedStream);
      if (over === true) return end(true, endedStream);
      const encoded = encodeResult(open.name, value, open.encoding);
      if ("failure" in encoded) end(false, encodeFailure(encoded.failure));
      else done(true, encoded.json);
    };
    work().catch((error: unknown) => end(false, encodeFailure(handlerFailure(error))));
  }

  #endStream(id: number): void {
    const open = this.#streams.get(id);
    if (!this.#streams.delete(id)) return;
    open!.controller.abort(failure("TOOL_CANCELLED"));
    // What it does at its end is the handler's own.
    void Promise.resolve(open!.iterator.return?.()).catch(() => undefined);
  }

  /** Nobody waits for the call any more. */
  cancel(id: number): void {
    this.#endStream(id);
    const waiting = this.#waiting.findIndex((call) => call.id === id);
    if (waiting !== -1) this.#waiting.splice(waiting, 1);
    this.#entered.get(id)?.();
    if (this.#entered.delete(id)) return this.#next();
    const controller = this.#running.get(id);
    if (controller === undefined) return;
    this.#leave(id);
    controller.abort(failure("TOOL_CANCELLED"));
  }

  cancelAll(): void {
    this.#waiting.length = 0;
    for (const id of [...this.#entered.keys(), ...this.#running.keys(), ...this.#streams.keys()])
      this.cancel(id);
    this.#judge.close();
  }

  #next(): void {
    if (this.#hasPlace) this.#waiting.shift()?.start();
  }

  async #run(call: RunningCall): Promise<void> {
    const { name, controller, finish } = call;
    const tool = this.#tools.get(name);
    if (tool === undefined) {
      return finish(
        false,
        encodeFailure({
          name: "ToolNotFound",
          message: `there is no host tool named ${JSON.stringify(name)}`,
          code: "ERR_TOOL_NOT_FOUND",
        }),
      );
    }
    // The caller may use its memory again.
    const json = call.input.byteLength === 0 ? Buffer.from("{}") : new Uint8Array(call.input);
    const checked = await withinTime(tool, call, () => this.#check(tool, json, call));
    if (checked === undefined || controller.signal.aborted) return;
    if (tool.approval !== undefined && !(await this.#approved(tool, checked.value, call))) return;
    await withinTime(tool, call, async () => {
      const result = await tool.handler(checked.value, { signal: controller.signal });
      if (isAsyncIterable(result)) {
        if (controller.signal.aborted) return;
        const iterator = result[Symbol.asyncIterator]();
        const { encoding, descriptor } = tool;
        this.#streams.set(call.id, {
          name,
          iterator,
          controller,
          encoding,
          timeoutMs: descriptor.timeoutMs,
        });
        return finish(true, openedStream);
      }
      const encoded = encodeResult(name, result, tool.encoding);
      if ("failure" in encoded) return finish(false, encodeFailure(encoded.failure));
      finish(true, encoded.json);
    });
  }

  /** The input as the handler gets it; undefined when the call was refused. */
  async #check(
    tool: Tool,
    json: Uint8Array,
    { controller: { signal }, finish }: RunningCall,
  ): Promise<{ value: unknown } | undefined> {
    const refuse = (refused: ToolFailure): undefined => void finish(false, encodeFailure(refused));
    const decoded = await decodeInput(json, tool.encoding);
    if ("failure" in decoded) return refuse(decoded.failure);
    if (signal.aborted) return undefined;
    const { value, plain, text } = decoded;
    const looked = tool.standard ? value : plain;
    const checked = await tool.check(looked, text, { judge: this.#judge, signal });
    if (!("violation" in checked)) return checked.value === plain ? { value } : checked;
    const { path, problem } = checked.violation;
    const message = `ToolInputSchemaViolation at ${path}: ${problem}`;
    return refuse({
      name: "ToolInputSchemaViolation",
      message: message.slice(0, toolLimits.errorMessageChars),
      code: "ERR_TOOL_INPUT",
      path: path.slice(0, 1024),
    });
  }

  /** Parks the call until it is approved and has a turn again; answers whether it may run. */
  async #approved(tool: Tool, input: unknown, call: RunningCall): Promise<boolean> {
    const { id, name, controller, finish } = call;
    const { signal } = controller;
    this.#parked.add(id);
    call.parks();
    this.#next();
    const answer = await approvalOf(() => tool.approval!({ tool: name, input, signal }));
    if (signal.aborted) return false;
    if (answer.approve) {
      await new Promise<void>((resolve) =>
        this.#whenFree(id, () => {
          this.#parked.delete(id);
          resolve();
        }),
      );
      return !signal.aborted;
    }
    const why = answer.reason === undefined ? "" : `: ${answer.reason}`;
    const message = `the call of ${name} was not approved${why}`;
    finish(
      false,
      encodeFailure({
        name: "ToolRefused",
        message: message.slice(0, toolLimits.errorMessageChars),
        code: "ERR_TOOL_REFUSED",
      }),
    );
    return false;
  }
}

interface RunningCall {
  readonly id: number;
  readonly name: string;
  readonly input: Uint8Array;
  readonly controller: AbortController;
  readonly finish: (ok: boolean, json: Uint8Array) => void;
  readonly parks: () => void;
  /** Of the tool's time. */
  usedMs: number;
}

/** Does part of a call; one that takes longer than the tool may ends the call. */
async function withinTime<R>(
  { descriptor: { timeoutMs } }: Tool,
  call: RunningCall,
  work: () => Promise<R>,
): Promise<R> {
  const { name, controller, finish } = call;
  const late = (): void => {
    const message = `the host tool ${name} did not answer within ${timeoutMs}ms`;
    finish(false, encodeFailure({ name: "ToolTimeout", message, code: "ERR_TOOL_TIMEOUT" }));
    controller.abort(failure("TOOL_TIMEOUT", { tool: name, timeout: timeoutMs }));
  };
  const timer = timeoutMs === 0 ? undefined : setTimeout(late, timeoutMs - call.usedMs);
  const startedAtMs = performance.now();
  try {
    return await work();
  } finally {
    clearTimeout(timer);
    call.usedMs += performance.now() - startedAtMs;
  }
}

/** What the host's function says; one that throws, or says something else, refuses. */
async function approvalOf(ask: () => unknown): Promise<{ approve: boolean; reason?: string }> {
  try {
    const answer = await ask();
    if (typeof answer === "boolean") return { approve: answer };
    const { approve, reason } = answer as { approve?: unknown; reason?: unknown };
    return {
      approve: approve === true,
      ...(typeof reason === "string" && reason !== "" && { reason }),
    };
  } catch {
    return { approve: false };
  }
}

/** An input: as it was meant, as JSON Schema looks at it, and the JSON text of that. */
interface DecodedInput {
  value: unknown;
  plain: unknown;
  text: Uint8Array;
}

async function decodeInput(
  bytes: Uint8Array,
  encoding: Tool["encoding"],
): Promise<DecodedInput | { failure: ToolFailure }> {
  const bad = (problem: string): { failure: ToolFailure } => ({
    failure: {
      name: "ToolInputSchemaViolation",
      message: `ToolInputSchemaViolation at $: ${problem}`,
      code: "ERR_TOOL_INPUT",
      path: "$",
    },
  });
  if (bytes.byteLength > toolLimits.jsonBytes) return bad("the input is too large");
  try {
    if (bytes[0] === ToolForm.structured) {
      const bounds = { depth: toolLimits.jsonDepth, values: toolLimits.values };
      const value = await inSteps(decodeStructured(bytes.subarray(1), bounds));
      const plain = plainOf(value, encoding === "structured");
      if (plain === undefined) return bad("the tool takes JSON and bytes");
      return {
        value,
        plain: plain.value,
        text: Buffer.from(JSON.stringify(plain.value) ?? "null"),
      };
    }
    const value = await inSteps(parseJson(bytes, toolLimits.jsonDepth));
    return { value, plain: value, text: bytes };
  } catch (error) {
    if (error instanceof StructuredRefused)
      return bad(error.why === "form" ? "not well-formed" : `too many ${error.why}`);
    if (!(error instanceof JsonRefused)) throw error;
    return bad(
      error.why === "depth"
        ? `nested deeper than ${toolLimits.jsonDepth} levels`
        : "not well-formed JSON",
    );
  }
}

/**
 * What a JSON Schema sees of a structured value: an empty object for bytes, and where `all` may be there for what else
 * JSON has not; otherwise undefined for such a value.
 */
function plainOf(root: unknown, all: boolean): { value: unknown } | undefined {
  const seen = new Map<object, unknown>();
  let whole = true;
  const copy = (value: unknown): unknown => {
    if (typeof value === "bigint" || value === undefined) {
      whole &&= all || value === undefined;
      return value === undefined ? undefined : String(value);
    }
    if (typeof value !== "object" || value === null) return value;
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return {};
    if (seen.has(value)) {
      whole &&= all;
      return {};
    }
    seen.set(value, true);
    if (Array.isArray(value)) return value.map(copy);
    if (
      value instanceof Date ||
      value instanceof Map ||
      value instanceof Set ||
      value instanceof Error
    ) {
      whole &&= all;
      return value instanceof Date ? String(value.getTime()) : {};
    }
    return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, copy(part)]));
  };
  const value = copy(root);
  return whole ? { value } : undefined;
}

const openedStream = Uint8Array.of(ToolForm.stream);
const endedStream = Uint8Array.of(ToolForm.ended);

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return (
    typeof value === "object" &&
    value !== null &&
    typeof (value as Partial<AsyncIterable<unknown>>)[Symbol.asyncIterator] === "function"
  );
}

/** One turn of a handler's stream, within the tool's time; 0 is no bound. */
async function beforeDeadline({
  name,
  iterator,
  timeoutMs,
}: ResultStream): Promise<IteratorResult<unknown>> {
  if (timeoutMs === 0) return iterator.next();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const message = `the host tool ${name} gave no further value within ${timeoutMs}ms`;
    timer = setTimeout(
      () => reject(Object.assign(new Error(message), { name: "ToolTimeout" })),
      timeoutMs,
    );
  });
  try {
    return await Promise.race([iterator.next(), late]);
  } finally {
    clearTimeout(timer);
  }
}

function encodeResult(
  name: string,
  result: unknown,
  encoding: Tool["encoding"] = "json",
): { json: Uint8Array } | { failure: ToolFailure } {
  const bad = (
    problem: string,
    code: "ERR_TOOL_RESULT" | "ERR_TOOL_LIMIT" = "ERR_TOOL_RESULT",
  ) => ({
    failure: { name: "ToolResultError", message: `the result of ${name} ${problem}`, code },
  });
  let text: string | undefined;
  try {
    if (encoding === "structured" || holdsBytes(result)) return { json: structuredResult(result) };
    text = JSON.stringify(result);
  } catch (error) {
    if (error instanceof NotStructured)
      return error.path === "$" && error.message.startsWith("over ")
        ? bad("is too large", "ERR_TOOL_LIMIT")
        : bad(`has ${error.message} at ${error.path}`);
    return bad("is not JSON: it has a cycle, a BigInt or a getter that throws");
  }
  if (text === undefined) {
    return result === undefined ? { json: new Uint8Array(0) } : bad(`is a ${typeof result}`);
  }
  if (text.length > toolLimits.jsonBytes) return bad("is too large", "ERR_TOOL_LIMIT");
  if (text.includes("__proto__")) {
    const value: unknown = JSON.parse(text);
    dropProtoKeys(value);
    text = JSON.stringify(value);
  }
  const json = Buffer.from(text);
  return json.length > toolLimits.jsonBytes ? bad("is too large", "ERR_TOOL_LIMIT") : { json };
}

function structuredResult(result: unknown): Uint8Array {
  const bytes = encodeStructured(result, toolLimits.jsonBytes, toolLimits.jsonDepth);
  return inForm(ToolForm.structured, bytes);
}

function textOf(error: object, key: "name" | "message", fallback: string, limit: number): string {
  try {
    const text: unknown = Reflect.get(error, key);
    return (typeof text === "string" ? text : fallback).slice(0, limit);
  } catch {
    return fallback;
  }
}

/** Name and message of what a handler threw; nothing else of it is for the guest. */
function handlerFailure(error: unknown): ToolFailure {
  const { errorNameChars, errorMessageChars } = toolLimits;
  if (typeof error !== "object" || error === null) {
    const message = typeof error === "string" ? error : "the host tool failed";
    return { name: "Error", message: message.slice(0, errorMessageChars) };
  }
  return {
    name: textOf(error, "name", "Error", errorNameChars),
    message: textOf(error, "message", "the host tool failed", errorMessageChars),
  };
}

function encodeFailure(refused: ToolFailure): Uint8Array {
  return Buffer.from(JSON.stringify(refused));
}
