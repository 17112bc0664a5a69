/**
 * Owns what is looked at in a caller's one-way messages, and how an error is told to a caller.
 *
 * Invariant: what breaks a rule here throws `MalformedMessage`, and so ends the session: the SDK sends none of it.
 * Untrusted: everything given.
 */
import { MalformedMessage } from "../protocol/codec.js";
import type { HostTables } from "../protocol/host-calls.js";
import type { EventOf } from "../protocol/port.js";
import { ToolForm, isRead } from "../protocol/tool-values.js";
import { toolLimits } from "../protocol/tools.js";
import { SecureExecError } from "../sdk/errors.js";
import { KernelRefusal } from "../sdk/kernel-connection.js";
import { Refusal } from "./refusal.js";
import { additionOf, answersOf } from "./shapes.js";

const highestSignal = 64;

/** A tool's result: JSON, and little more than one may have, for the error that says so. */
export function checkResult(json: Uint8Array): void {
  // What is longer comes in parts, as values of a stream.
  if (json.byteLength > toolLimits.jsonBytes + toolLimits.errorMessageChars * 4)
    throw new MalformedMessage("a tool's result over the limit");
  // A handler that returned nothing.
  if (json.byteLength === 0) return;
  const [form] = json;
  // Its bytes are for the guest to look at.
  if (form === ToolForm.structured || form === ToolForm.part) return;
  if (json.byteLength === 1 && (isRead(json) || form === ToolForm.ended)) return;
  try {
    JSON.parse(Buffer.from(json).toString("utf8"));
  } catch {
    throw new MalformedMessage("a tool's result that is no JSON");
  }
}

export function answersTextOf(text: string): string {
  try {
    return JSON.stringify(answersOf(text));
  } catch (error) {
    throw new MalformedMessage(error instanceof Error ? error.message : "answers");
  }
}

export function additionTextOf(text: string): string {
  try {
    return JSON.stringify(additionOf(text));
  } catch (error) {
    throw new MalformedMessage(error instanceof Error ? error.message : "an addition");
  }
}

/** Ranges that the kernel takes for granted. */
export function checkNumbers(event: EventOf<HostTables["callerEvents"]>): void {
  const { name, args } = event;
  const holds =
    name === "kill"
      ? args.signal >= 1 && args.signal <= highestSignal
      : name === "credit"
        ? args.stream >= 1 && args.stream <= 3
        : name !== "resize" ||
          (args.rows >= 1 && args.columns >= 1 && (args.rows | args.columns) <= 0xffff);
  if (!holds) throw new MalformedMessage(`${name} out of range`);
}

/** An error as a caller may see it. */
export function failureOf(error: unknown): { json: string } {
  const known =
    error instanceof Refusal ||
    error instanceof KernelRefusal ||
    SecureExecError.isSecureExecError(error);
  const code = known ? error.code : "ERR_SECURE_EXEC_INTERNAL";
  const message = known ? error.message : "the worker failed";
  const option = error instanceof Refusal ? error.option : undefined;
  return { json: JSON.stringify({ code, message, option }) };
}
