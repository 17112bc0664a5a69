/**
 * Owns the guest's side of host tools: `callHostTool` and its other names.
 *
 * It protects nothing: the kernel judges the call, the host checks the input.
 * The answer comes from the host and is parsed as JSON.
 */
import type { ToolDescriptor, ToolFailure } from "../protocol/tools.js";
import type { KernelClient } from "./environment.js";

const { parse, stringify } = JSON;
const NativeError = Error;
const NativePromise = Promise;
const { defineProperty } = Object;
const EAGAIN = 11;

/** What a call that the kernel itself refused rejects with. */
function refusal(errno: number, denial: string): Error {
  const tooMany = errno === -EAGAIN;
  const code = tooMany ? "EAGAIN" : "EACCES";
  const text = tooMany ? "too many calls of host tools wait for an answer" : "permission denied";
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

/** The caller's input as JSON text; throws a TypeError for what JSON cannot carry. */
function encode(input: unknown): Uint8Array {
  if (input === undefined) return new Uint8Array(0);
  const json = stringify(input) as string | undefined;
  if (json === undefined) throw new TypeError("the input of a host tool must be JSON");
  return Buffer.from(json, "utf8");
}

export type CallTool = (name: string, input?: unknown) => Promise<unknown>;

export function createCallTool(kernel: KernelClient): CallTool {
  return function callHostTool(name: string, input?: unknown): Promise<unknown> {
    return new NativePromise((resolve, reject) => {
      if (typeof name !== "string") throw new TypeError("the name of a host tool must be a string");
      kernel.callAsync("callTool", { name, input: encode(input) }, (result, words) => {
        if (typeof result === "number") reject(refusal(result, words));
        else if (!result.ok) reject(failureOf(result.json));
        else if (result.json.byteLength === 0) resolve(undefined);
        else resolve(parse(Buffer.from(result.json).toString("utf8")));
      });
    });
  };
}

/** Puts the functions on the global object, where every Node process of the VM finds them. */
export function installHostTools(kernel: KernelClient): void {
  const callHostTool = createCallTool(kernel);
  const callBinding = callHostTool.bind(undefined);
  defineProperty(callBinding, "name", { value: "callBinding", configurable: true });
  for (const [name, value] of Object.entries({ callHostTool, callBinding })) {
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
