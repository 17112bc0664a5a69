/**
 * Owns the option `network`: which requests to a host are allowed, and what is added to them outside of the
 * machine. Its types and checks; outward.ts answers with it.
 *
 * Invariant: a parsed value is a copy that the caller cannot change, functions aside.
 */
import { borderLimits } from "../protocol/border.js";
import type { BorderOptions, RequestRule } from "../protocol/border.js";
import { HostPattern } from "../protocol/host-pattern.js";
import { PatternError, parsePathGlob } from "../protocol/permission-patterns.js";
import { invalidOption, unknownOption } from "./errors.js";

/** A text, or what gives one each time that a request needs it. */
export type NodeRuntimeSecret = string | (() => string | Promise<string>);

/** Requests that a host may be sent; one that any rule names gets no others. */
export interface NodeRuntimeRequestRule {
  /** A name, `*.name`, or an address, with `:port` or without: ports 80 and 443. */
  host: string;
  /** @default all */
  methods?: readonly string[];
  /**
   * Globs of the path without its query, as in rules of the fs scope.
   * @default all
   */
  paths?: readonly string[];
}

/** What is added to requests to a host, in the place of what programs wrote there. */
export interface NodeRuntimeInjection {
  /** As in a rule. */
  host: string;
  /** A header's name; give this or `query`. */
  header?: string;
  /** A parameter's name in the query. */
  query?: string;
  value: NodeRuntimeSecret;
}

/** A text, its beginning, or a regular expression for it. */
export type NodeRuntimeTextMatcher = { exact: string } | { startsWith: string } | { regex: string };

/** A name with its value, each of which may be left out. */
export interface NodeRuntimePairMatcher {
  key?: NodeRuntimeTextMatcher;
  value?: NodeRuntimeTextMatcher;
}

/** Headers for the requests that match; the shape of the AI SDK's request transformations. */
export interface NodeRuntimeRequestTransformation {
  match: {
    /** As in a rule. */
    host: string;
    /** Without the query. */
    path?: NodeRuntimeTextMatcher;
    method?: readonly string[];
    /** Each has to match some parameter. */
    queryString?: readonly NodeRuntimePairMatcher[];
    /** Each has to match some header. */
    headers?: readonly NodeRuntimePairMatcher[];
  };
  transform: { headers: Readonly<Record<string, NodeRuntimeSecret>> };
}

/** What may leave to which host, and what is added on the way. */
export interface NodeRuntimeNetworkOptions {
  /**
   * Requests that may leave; a host that no rule names gets what `permissions.network` allows.
   * @default []
   */
  rules?: readonly NodeRuntimeRequestRule[];
  /**
   * Headers and parameters that are added.
   * @default []
   */
  inject?: readonly NodeRuntimeInjection[];
  /**
   * The same in the AI SDK's shape.
   * @default []
   */
  transform?: readonly NodeRuntimeRequestTransformation[];
}

type Text = (text: string) => boolean;
export interface Pair {
  key: Text;
  value: Text;
}

/** One thing that is added. */
export interface Addition {
  host: HostPattern;
  path: Text;
  methods: readonly string[] | undefined;
  query: readonly Pair[];
  headers: readonly Pair[];
  kind: "header" | "query";
  name: string;
  value: NodeRuntimeSecret;
}

export interface ParsedNetwork {
  border: BorderOptions;
  additions: readonly Addition[];
}

type Bag = Readonly<Record<string, unknown>>;

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** They say where a request goes and where it ends, which is no program's and no addition's to say. */
const fixedHeaders: readonly string[] = [
  "host",
  "connection",
  "content-length",
  "transfer-encoding",
  "upgrade",
  "keep-alive",
  "expect",
  "te",
  "trailer",
];

function bag(option: string, value: unknown, known: readonly string[]): Bag {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw invalidOption(option, "must be an object");
  const unknown = Object.keys(value).filter((name) => !known.includes(name));
  if (unknown.length > 0) throw unknownOption([unknown[0]!], known, `${option}.`);
  return value as Bag;
}

function list(option: string, value: unknown): readonly unknown[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw invalidOption(option, "must be an array");
  return value as unknown[];
}

function asPattern<T>(option: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof PatternError)
      throw invalidOption(option, `is a bad pattern: it ${error.message}`);
    throw error;
  }
}

function hostOf(option: string, value: unknown): string {
  if (typeof value !== "string") throw invalidOption(option, "must be a string");
  return asPattern(option, () => new HostPattern(value).text);
}

function textsOf(option: string, value: unknown): string[] | undefined {
  if (value === undefined) return undefined;
  if (!Array.isArray(value) || !value.every((one) => typeof one === "string"))
    throw invalidOption(option, "must be an array of strings");
  if (value.length === 0)
    throw invalidOption(option, "must not be empty; leave it out to match everything");
  return [...(value as string[])];
}

function methodsOf(option: string, value: unknown): string[] | undefined {
  const methods = textsOf(option, value);
  if (methods?.every((method) => token.test(method)) === false)
    throw invalidOption(option, "must be names of methods");
  return methods?.map((method) => method.toUpperCase());
}

function ruleOf(option: string, value: unknown): RequestRule {
  const given = bag(option, value, ["host", "methods", "paths"]);
  const methods = methodsOf(`${option}.methods`, given.methods);
  const paths = textsOf(`${option}.paths`, given.paths);
  for (const [index, path] of (paths ?? []).entries())
    asPattern(`${option}.paths[${index}]`, () => parsePathGlob(path));
  return {
    host: hostOf(`${option}.host`, given.host),
    ...(methods !== undefined && { methods }),
    ...(paths !== undefined && { paths }),
  };
}

function secretOf(option: string, value: unknown): NodeRuntimeSecret {
  if (typeof value === "function") return value as NodeRuntimeSecret;
  if (typeof value !== "string") throw invalidOption(option, "must be a string or a function");
  if (!isFieldText(value)) throw invalidOption(option, "has characters that no header may have");
  return value;
}

/** RFC 9110, 5.5: what a header's value may be, and how long one is sensibly. */
export function isFieldText(text: string): boolean {
  return text.length <= 8192 && /^[\t\x20-\x7e\x80-\xff]*$/.test(text);
}

function headerOf(option: string, value: unknown): string {
  if (typeof value !== "string" || !token.test(value))
    throw invalidOption(option, "must be the name of a header");
  if (fixedHeaders.includes(value.toLowerCase()))
    throw invalidOption(option, "is a header that only the connection's ends may set");
  return value;
}

const always: Text = () => true;

function additionOf(option: string, value: unknown): Addition {
  const given = bag(option, value, ["host", "header", "query", "value"]);
  if ((given.header === undefined) === (given.query === undefined))
    throw invalidOption(option, "must have either a header or a query");
  const { query } = given;
  if (query !== undefined && (typeof query !== "string" || query === ""))
    throw invalidOption(`${option}.query`, "must be the name of a parameter");
  return {
    host: new HostPattern(hostOf(`${option}.host`, given.host)),
    path: always,
    methods: undefined,
    query: [],
    headers: [],
    ...(typeof query === "string"
      ? { kind: "query", name: query }
      : { kind: "header", name: headerOf(`${option}.header`, given.header) }),
    value: secretOf(`${option}.value`, given.value),
  };
}

function matcherOf(option: string, value: unknown): Text {
  if (value === undefined) return always;
  const given = bag(option, value, ["exact", "startsWith", "regex"]);
  const [[kind, text] = [], second] = Object.entries(given);
  if (second !== undefined || typeof text !== "string")
    throw invalidOption(option, "must have one of exact, startsWith and regex, a string");
  if (kind === "exact") return (one) => one === text;
  if (kind === "startsWith") return (one) => one.startsWith(text);
  try {
    const pattern = new RegExp(text, "u");
    return (one) => pattern.test(one);
  } catch {
    throw invalidOption(`${option}.regex`, "is no regular expression");
  }
}

function pairsOf(option: string, value: unknown): Pair[] {
  return list(option, value).map((one, index) => {
    const given = bag(`${option}[${index}]`, one, ["key", "value"]);
    return {
      key: matcherOf(`${option}[${index}].key`, given.key),
      value: matcherOf(`${option}[${index}].value`, given.value),
    };
  });
}

function transformationOf(option: string, value: unknown): Addition[] {
  const given = bag(option, value, ["match", "transform"]);
  const known = ["host", "path", "method", "queryString", "headers"];
  const match = bag(`${option}.match`, given.match, known);
  const { headers } = bag(`${option}.transform`, given.transform, ["headers"]);
  if (typeof headers !== "object" || headers === null || Array.isArray(headers))
    throw invalidOption(`${option}.transform.headers`, "must be an object of headers");
  const common = {
    host: new HostPattern(hostOf(`${option}.match.host`, match.host)),
    path: matcherOf(`${option}.match.path`, match.path),
    methods: methodsOf(`${option}.match.method`, match.method),
    query: pairsOf(`${option}.match.queryString`, match.queryString),
    headers: pairsOf(`${option}.match.headers`, match.headers),
  };
  return Object.entries(headers).map(([name, secret]) => ({
    ...common,
    kind: "header",
    name: headerOf(`${option}.transform.headers.${name}`, name),
    value: secretOf(`${option}.transform.headers.${name}`, secret),
  }));
}

type Each = <T>(name: string, parse: (option: string, one: unknown) => T) => T[];

const eachOf =
  (given: Bag): Each =>
  (name, parse) =>
    list(`network.${name}`, given[name]).map((one, index) =>
      parse(`network.${name}[${index}]`, one),
    );

function parsedNetwork(
  rules: readonly RequestRule[],
  each: Each,
  ca: readonly string[],
): ParsedNetwork {
  const additions = [...each("inject", additionOf), ...each("transform", transformationOf).flat()];
  const hosts = new Set([
    ...rules.map(({ host }) => host),
    ...additions.map(({ host }) => host.text),
  ]);
  if (hosts.size > borderLimits.hosts)
    throw invalidOption("network", `names more than ${borderLimits.hosts} hosts`);
  return { border: { hosts: [...hosts], rules, asks: additions.length > 0, ca }, additions };
}

/** `ca`: certificates in PEM that the host gave for its machine. */
export function parseNetwork(value: unknown, ca: readonly string[]): ParsedNetwork | undefined {
  if (value === undefined) return undefined;
  const given = bag("network", value, ["rules", "inject", "transform"]);
  const each = eachOf(given);
  return parsedNetwork(each("rules", ruleOf), each, ca);
}

/** What a machine that was made with `before` adds from now on; its rules stay. */
export function parseAdditions(value: unknown, before: ParsedNetwork | undefined): ParsedNetwork {
  if (before === undefined)
    throw invalidOption("network", "cannot be set: the runtime was made without the option");
  const given = bag("network", value, ["rules", "inject", "transform"]);
  if (given.rules !== undefined)
    throw invalidOption("network.rules", "cannot change while a machine runs");
  return parsedNetwork(before.border.rules, eachOf(given), before.border.ca);
}
