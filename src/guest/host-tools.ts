/**
 * Owns the guest's side of host tools: `callHostTool`, its other names, and `tools`, on which each tool is a method.
 *
 * It protects nothing: the kernel judges the call, the host checks the input.
 * The answer comes from the host.
 */
import { Errno } from "../abi/errno.js";
import { structuredBounds } from "../protocol/structured.js";
import { decodeStructured } from "../protocol/structured-read.js";
import { encodeStructured } from "../protocol/structured-write.js";
import type { CallResult } from "../protocol/table.js";
import { ToolForm, holdsBytes, inForm } from "../protocol/tool-values.js";
import { vmLimitTable } from "../protocol/limits.js";
import { toolLimits } from "../protocol/tools.js";
import type { ToolDescriptor, ToolFailure } from "../protocol/tools.js";
import type * as CodeMode from "./code-mode.js";
import type { GuestCalls, KernelClient } from "./environment.js";

type KernelResult<K extends keyof GuestCalls> = CallResult<GuestCalls, K>;

const { parse, stringify } = JSON;
const NativeError = Error;
const NativePromise = Promise;
const { defineProperty, hasOwn } = Object;
const { E2BIG, EAGAIN, ENOMEM } = Errno;

/** What a call that the kernel itself refused rejects with. */
function refusal(errno: number, denial: string): Error {
  let [code, text] = ["EACCES", "permission denied"];
  if (errno === -EAGAIN)
    [code, text] = ["EAGAIN", "too many calls of host tools wait for an answer"];
  if (errno === -ENOMEM) [code, text] = ["ENOMEM", "there is no room for the input"];
  const message = denial === "" ? `${code}: ${text}` : denial;
  return Object.assign(new NativeError(message), { errno, code, syscall: "callHostTool" });
}

function failureOf(json: Uint8Array): Error {
  const { code, message, name, path } = parse(Buffer.from(json).toString("utf8")) as ToolFailure;
  const error = new NativeError(message);
  // Not enumerable, as the name of a built-in error is not.
  defineProperty(error, "name", { value: name, writable: true, configurable: true });
  if (code !== undefined) (error as NodeJS.ErrnoException).code = code;
  if (path !== undefined) (error as NodeJS.ErrnoException).path = path;
  return error;
}

/** What a machine may have at most; how much this one may, its kernel says. */
const mostEncodedBytes = vmLimitTable.valueBytes.most;

interface CallOptions {
  /** How the input travels: as JSON, which is the default, or as structured clone carries it. Bytes travel in either case. */
  encoding?: "json" | "structured";
}

function structured(input: unknown): Uint8Array {
  return inForm(
    ToolForm.structured,
    encodeStructured(input, mostEncodedBytes, toolLimits.jsonDepth),
  );
}

/** The caller's input as it travels; throws a TypeError for what cannot. */
function encode(input: unknown, encoding: CallOptions["encoding"]): Uint8Array {
  if (input === undefined) return new Uint8Array(0);
  if (encoding === "structured" || holdsBytes(input)) return structured(input);
  const json = stringify(input) as string | undefined;
  if (json === undefined) throw new TypeError("the input of a host tool must be JSON");
  return Buffer.from(json, "utf8");
}

/** What a call or the next turn of a stream resolves with. */
function decode(kernel: KernelClient, bytes: Uint8Array): unknown {
  if (bytes.byteLength === 0) return undefined;
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes[0] === ToolForm.stream) return streamOf(kernel, view.readUInt32LE(1));
  if (bytes[0] === ToolForm.parts) return gathered(kernel, view.readUInt32LE(1));
  if (bytes[0] !== ToolForm.structured) return parse(view.toString("utf8"));
  const steps = decodeStructured(bytes.slice(1), structuredBounds);
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}

type Next = KernelResult<"toolNext">;

/** A result that comes in parts. */
async function gathered(kernel: KernelClient, stream: number): Promise<unknown> {
  const parts: Uint8Array[] = [];
  for (;;) {
    const { ok, json } = await nextOf(kernel, stream, false);
    if (!ok) throw failureOf(json);
    if (json[0] === ToolForm.ended) return decode(kernel, Buffer.concat(parts));
    parts.push(json.slice(1));
  }
}

/** What a stream brings next; rejects where the kernel has none of that number. */
function nextOf(kernel: KernelClient, stream: number, stop: boolean): Promise<Next> {
  return new NativePromise((resolve, reject) => {
    kernel.callAsync("toolNext", { stream, stop }, (result, words) => {
      if (typeof result === "number") reject(refusal(result, words));
      else resolve(result);
    });
  });
}

/**
 * The values of a handler's stream, each asked for when it is wanted. Leaving the loop ends the handler's;
 * so does the end of this process.
 */
function streamOf(kernel: KernelClient, stream: number): AsyncIterableIterator<unknown> {
  let over = false;
  // One after the other, however they are asked for.
  let last: Promise<unknown> = NativePromise.resolve();
  const advance = async (): Promise<IteratorResult<unknown>> => {
    if (over) return { done: true, value: undefined };
    const result = await nextOf(kernel, stream, false);
    if (!result.ok) {
      over = true;
      throw failureOf(result.json);
    }
    over = result.json[0] === ToolForm.ended;
    if (over) return { done: true, value: undefined };
    return { done: false, value: decode(kernel, result.json) };
  };
  return {
    next() {
      const turn = last.then(() => advance());
      last = turn.then(undefined, () => undefined);
      return turn;
    },
    async return(value?: unknown) {
      if (!over) {
        over = true;
        // It may have come to its end meanwhile.
        await nextOf(kernel, stream, true).catch(() => undefined);
      }
      return { done: true, value };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

/** Sends all of an input but its last part, where it is too large for one message: what names that, or -errno. */
function sendAhead(kernel: KernelClient, bytes: Uint8Array): { parts: number; rest: Uint8Array } {
  let [parts, at] = [0, 0];
  if (bytes.byteLength <= toolLimits.jsonBytes) return { parts, rest: bytes };
  for (; bytes.byteLength - at > toolLimits.partBytes; at += toolLimits.partBytes) {
    const data = bytes.subarray(at, at + toolLimits.partBytes);
    const sent = kernel.call("toolInput", { parts, data });
    if (typeof sent === "number") {
      forget(kernel, parts);
      return { parts: sent, rest: bytes };
    }
    ({ parts } = sent);
  }
  return { parts, rest: bytes.subarray(at) };
}

function forget(kernel: KernelClient, parts: number): void {
  if (parts > 0) kernel.call("toolInput", { parts, data: new Uint8Array(0) });
}

function tooLarge(name: string, bytes: number): Error {
  const message = `the input of ${name} is ${bytes} bytes, over limits.valueBytes`;
  const error = Object.assign(new NativeError(message), { code: "ERR_TOOL_LIMIT" });
  return defineProperty(error, "name", { value: "ToolLimit", writable: true, configurable: true });
}

export type CallTool = (name: string, input?: unknown, options?: CallOptions) => Promise<unknown>;

export function createCallTool(kernel: KernelClient): CallTool {
  return function callHostTool(
    name: string,
    input?: unknown,
    options?: CallOptions,
  ): Promise<unknown> {
    return new NativePromise((resolve, reject) => {
      if (typeof name !== "string") throw new TypeError("the name of a host tool must be a string");
      const bytes = encode(input, options?.encoding);
      const { parts, rest } = sendAhead(kernel, bytes);
      const refused = (errno: number, words: string): void =>
        reject(errno === -E2BIG ? tooLarge(name, bytes.byteLength) : refusal(errno, words));
      if (parts < 0) return refused(parts, "");
      kernel.callAsync("callTool", { name, parts, input: rest }, (result, words) => {
        if (typeof result === "number") {
          // Nobody came to look at them.
          forget(kernel, parts);
          refused(result, words);
        } else if (!result.ok) reject(failureOf(result.json));
        else resolve(decode(kernel, result.json));
      });
    });
  };
}

/** `tools.a.b(input)` calls the tool `a.b`; awaiting a part of it calls nothing. */
function namespace(call: CallTool, path: string, own: Readonly<Record<string, unknown>>): unknown {
  const target = (input?: unknown, options?: CallOptions): Promise<unknown> =>
    call(path, input, options);
  // Whoever looks through everything there is must find no names here: each would lead to another function.
  for (const name of Reflect.ownKeys(target)) Reflect.deleteProperty(target, name);
  return new Proxy(target, {
    get: (_, name) => {
      if (typeof name !== "string" || name === "then") return undefined;
      if (path === "" && hasOwn(own, name)) return own[name];
      return namespace(call, path === "" ? name : `${path}.${name}`, own);
    },
  });
}

/** Of the tools that a program may call: those whose name or description has the words, the likeliest first. */
function search(kernel: KernelClient, text: unknown, limit = 10): object[] {
  const words = String(text)
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    // Shorter ones are in everything.
    .filter((word) => word.length > 2);
  const scored = describeTools(kernel, "").map(({ name, description }) => {
    const [inName, inText] = [name.toLowerCase(), description.toLowerCase()];
    const score = words.reduce(
      (sum, word) => sum + (inName.includes(word) ? 3 : 0) + (inText.includes(word) ? 1 : 0),
      0,
    );
    return { name, description, score };
  });
  return scored
    .filter(({ score }) => score > 0)
    .sort((one, other) => other.score - one.score || (one.name < other.name ? -1 : 1))
    .slice(0, limit)
    .map(({ name, description }) => ({ name, description }));
}

/** Puts the functions on the global object, where every Node process of the VM finds them. */
export function installHostTools(kernel: KernelClient): void {
  const callHostTool = createCallTool(kernel);
  const callBinding = callHostTool.bind(undefined);
  defineProperty(callBinding, "name", { value: "callBinding", configurable: true });
  const tools = namespace(callHostTool, "", {
    $search: (text: unknown, { limit }: { limit?: number } = {}) => search(kernel, text, limit),
    $describe: (name: unknown) => describeTools(kernel, String(name))[0],
    // What the ports' programs are made of.
    $codeMode: (facts: string, compile: Parameters<typeof CodeMode.runHostCode>[1]) =>
      (require("./code-mode.js") as typeof CodeMode).runHostCode(facts, compile, callHostTool),
  });
  for (const [name, value] of Object.entries({ callHostTool, callBinding, tools })) {
    defineProperty(globalThis, name, {
      value,
      writable: true,
      configurable: true,
      enumerable: false,
    });
  }
}

/** The tools that the caller may call, or the one with that name or alias. */
export function describeTools(kernel: KernelClient, name: string): ToolDescriptor[] {
  const result = kernel.call("describeTools", { name });
  if (typeof result === "number") return [];
  return parse(Buffer.from(result.json).toString("utf8")) as ToolDescriptor[];
}
