/**
 * Owns what a request of a program gets on its way out of the machine: the values of the option `network`,
 * asked of the host's functions when a request needs them.
 *
 * Invariants: a value goes into requests of the host that it is for, and nowhere else; an error of a host's
 * function stays here.
 * Untrusted: the request, which a program has written.
 */
import type { OutwardAddition, OutwardRequest } from "../protocol/border.js";
import { isFieldText } from "./network-options.js";
import type { Addition, Pair } from "./network-options.js";

function pairsOf(raw: readonly string[]): [string, string][] {
  const pairs: [string, string][] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) pairs.push([raw[at]!.toLowerCase(), raw[at + 1]!]);
  return pairs;
}

function matches(addition: Addition, request: OutwardRequest): boolean {
  const { host, port, method, path, headers } = request;
  if (!addition.host.matches(host, port)) return false;
  if (addition.methods?.includes(method) === false) return false;
  const mark = path.indexOf("?");
  if (!addition.path(mark === -1 ? path : path.slice(0, mark))) return false;
  const query = mark === -1 ? [] : [...new URLSearchParams(path.slice(mark + 1))];
  const has = (pairs: readonly [string, string][], { key, value }: Pair): boolean =>
    pairs.some(([name, text]) => key(name) && value(text));
  return (
    addition.query.every((pair) => has(query, pair)) &&
    addition.headers.every((pair) => has(pairsOf(headers), pair))
  );
}

async function valueOf({ value }: Addition): Promise<string> {
  const text: unknown = typeof value === "string" ? value : await value();
  if (typeof text !== "string" || !isFieldText(text))
    throw new TypeError("a value of network must be a string that a header may hold");
  return text;
}

/** What is added to `request`. Rejects when a function of the host has no value. */
export async function additionTo(
  request: OutwardRequest,
  additions: readonly Addition[],
): Promise<OutwardAddition> {
  const fitting = additions.filter((addition) => matches(addition, request));
  // The last one of a name counts, as in an object.
  const last = new Map(fitting.map((one) => [`${one.kind} ${one.name.toLowerCase()}`, one]));
  const values = await Promise.all(
    [...last.values()].map(async (one) => ({ ...one, text: await valueOf(one) })),
  );
  const of = (kind: Addition["kind"]): [string, string][] =>
    values.filter((one) => one.kind === kind).map(({ name, text }) => [name, text]);
  return { headers: of("header"), query: of("query") };
}
