/** Owns the text form of an audit: one decision in JSON per line. */
import type { Decision } from "../protocol/decisions.js";
import { invalidOption } from "./errors.js";
import { bagOf } from "./option-checks.js";

export function jsonLines(decisions: readonly Decision[]): string {
  return decisions.map((decision) => `${JSON.stringify(decision)}\n`).join("");
}

/** Of the options of `audit()`. */
export function formatOf(options: unknown): "list" | "jsonl" {
  const { format = "list" } = bagOf(options, ["format"]);
  if (format === "list" || format === "jsonl") return format;
  throw invalidOption("format", 'must be "list" or "jsonl"');
}
