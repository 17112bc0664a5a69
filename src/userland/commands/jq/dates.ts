/** Owns jq's times: seconds since 1970, and the lists of numbers that they are broken down to. */
import { parseDate } from "../../support/parse-date.js";
import { text } from "./formats.js";
import type { Json } from "./json.js";
import { JqError } from "./operations.js";

export function brokenDown(seconds: number): Json[] {
  const date = new Date(Math.floor(seconds) * 1000);
  const start = Date.UTC(date.getUTCFullYear(), 0, 1);
  return [
    date.getUTCFullYear(),
    date.getUTCMonth(),
    date.getUTCDate(),
    date.getUTCHours(),
    date.getUTCMinutes(),
    date.getUTCSeconds() + (seconds % 1),
    date.getUTCDay(),
    Math.floor((date.getTime() - start) / 86_400_000),
  ];
}

export function secondsOf(value: Json, wrong = "mktime requires array inputs"): number {
  if (typeof value === "number") return value;
  if (!Array.isArray(value)) throw new JqError(wrong);
  if (value.some((item) => typeof item !== "number"))
    throw new JqError("mktime requires array of 6 numbers");
  const [year, month, day, hour, minute, second] = value as number[];
  return Date.UTC(year!, month!, day!, hour ?? 0, minute ?? 0, Math.floor(second ?? 0)) / 1000;
}

export function fromDate(input: Json, format: Json = "%Y-%m-%dT%H:%M:%SZ"): number {
  if (typeof input !== "string")
    throw new JqError("strptime/1 requires string inputs and arguments");
  const ms = typeof input === "string" ? parseDate(input, new Date(0), true) : undefined;
  if (ms === undefined)
    throw new JqError(`date "${text(input)}" does not match format "${text(format)}"`);
  return Math.floor(ms / 1000);
}
