/**
 * Owns the checks of what a page asks: each field of each request, and how long it may be.
 *
 * Invariant: what passes has exactly the fields of `PlaygroundRequests`. Untrusted: every body.
 */
import type { PlaygroundRequests } from "./messages.js";

type Check = (value: unknown) => boolean;

const longestTextChars = 4 * 1024 * 1024;
const longestPathChars = 4096;
/** The longest that a run may be given; 24 days are what a timer takes. */
const longestTimeoutMs = 24 * 60 * 60 * 1000;
const mostCells = 1000;

const text: Check = (value) => typeof value === "string" && value.length <= longestTextChars;
const path: Check = (value) =>
  typeof value === "string" &&
  value.startsWith("/") &&
  value.length <= longestPathChars &&
  !value.includes("\0");
const flag: Check = (value) => typeof value === "boolean";
const whole =
  (least: number, most: number): Check =>
  (value) =>
    Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most;
const cells = whole(1, mostCells);

const shapes: {
  readonly [K in keyof PlaygroundRequests]: {
    readonly [F in keyof PlaygroundRequests[K][0]]: Check;
  };
} = {
  example: {},
  run: {
    source: text,
    language: (value) => value === "js" || value === "ts",
    stdin: text,
    timeoutMs: whole(1, longestTimeoutMs),
  },
  stop: {},
  machine: { permissions: text, learns: flag },
  learned: { generalize: flag },
  openTerminal: { cols: cells, rows: cells },
  type: { text },
  resize: { cols: cells, rows: cells },
  closeTerminal: {},
  list: { path },
  read: { path },
  write: { path, text },
  remove: { path },
  approvals: { ask: flag },
  answer: { id: whole(1, Number.MAX_SAFE_INTEGER), approve: flag },
};

/** Whether there is a request of that name. */
export const isRequest = (name: string): name is keyof PlaygroundRequests =>
  Object.hasOwn(shapes, name);

/** What is wrong with the body of a request, or undefined. */
export function faultOf(name: keyof PlaygroundRequests, body: unknown): string | undefined {
  if (typeof body !== "object" || body === null || Array.isArray(body)) return "is no object";
  const shape = new Map<string, Check>(Object.entries(shapes[name]));
  const given = new Map<string, unknown>(Object.entries(body));
  for (const field of given.keys()) if (!shape.has(field)) return "has a field too many";
  for (const [field, check] of shape) if (!check(given.get(field))) return `: ${field} is wrong`;
  return undefined;
}
