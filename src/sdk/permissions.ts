/**
 * Owns the `permissions` option: its types, its checks, and the functions in it,
 * which run here while the kernel waits for their answer.
 *
 * Invariants: a policy is complete after parsing, with canonical names, and the
 * caller cannot change it afterwards; a function that throws, or answers anything
 * but true or `{ allow: true }`, denies.
 * Untrusted: the requests put to functions, which a guest has caused.
 */
import {
  PatternError,
  parseNameGlob,
  parseNetworkPattern,
  parsePathGlob,
} from "../protocol/permission-patterns.js";
import type { PolicyMode } from "../protocol/decisions.js";
import { operationOf, permissionScopes, scopeNames, scopeOf } from "../protocol/permissions.js";
import type {
  Answer,
  Mode,
  Policies,
  Request,
  Requests,
  Rule,
  RuleSet,
  Scope,
  ScopePolicy,
} from "../protocol/permissions.js";
import { invalidOption, meantBy } from "./errors.js";
import { Breath } from "./steps.js";

/** `paths` in the fs scope, `patterns` in every other one. */
export { permissionScopes, scopeNames, scopeOf };

/** What holds for the operations and paths, or patterns, that match. */
export interface PermissionRule {
  mode: Mode;
  /** Without it, or with "*", every operation. */
  operations?: readonly string[];
  paths?: readonly string[];
  patterns?: readonly string[];
}

/** Rules in their order, and what holds without one. */
export interface PermissionRules {
  /** What holds when no rule matches; "deny" if left out. */
  default?: Mode;
  /** The first one that matches decides. */
  rules: readonly PermissionRule[];
}

interface Spellings {
  /** The same as `operation`. */
  op: string;
}

/** An operation on a path. */
export type FsPermissionRequest = Requests["fs"] & Spellings;
/** A connection, datagram, listener or look-up. */
export type NetworkPermissionRequest = Requests["network"] & Spellings & { url: string };
/** A command that is to be started, with its arguments. */
export type ChildProcessPermissionRequest = Requests["childProcess"] & Spellings;
/** A signal to a process that the asking one has not started. */
export type ProcessPermissionRequest = Requests["process"] & Spellings;
/** `key` is the same as `name`. */
export type EnvPermissionRequest = Requests["env"] & Spellings & { key: string };
/** A call of a host tool, with its input. */
export type ToolPermissionRequest = Requests["tool"] & Spellings;

/** Whether it is allowed; the reason of a denial is told to the program. */
export type PermissionAnswer = boolean | { allow: boolean; reason?: string };
/** Runs in the host for every request; one that throws, rejects or is late denies. */
export type PermissionCheck<T> = (request: T) => PermissionAnswer | Promise<PermissionAnswer>;
/** true and false are "allow" and "deny". */
export type Permission<T> = Mode | boolean | PermissionRules | PermissionCheck<T>;

/**
 * What programs may do, by scope. See docs/permissions.md for the operations of each and for what holds by default.
 */
export interface Permissions {
  /**
   * "enforce" (the default); "dry-run" denies nothing and reports what it would; "learn" denies nothing
   * and finds out what is needed. The last two are for code that is trusted.
   */
  mode?: PolicyMode | undefined;
  fs?: Permission<FsPermissionRequest> | undefined;
  network?: Permission<NetworkPermissionRequest> | undefined;
  childProcess?: Permission<ChildProcessPermissionRequest> | undefined;
  process?: Permission<ProcessPermissionRequest> | undefined;
  env?: Permission<EnvPermissionRequest> | undefined;
  tool?: Permission<ToolPermissionRequest> | undefined;
  /** Other names of `tool`; give one of the three. */
  binding?: Permission<ToolPermissionRequest> | undefined;
  hostFunction?: Permission<ToolPermissionRequest> | undefined;
}

export type PermissionFunctions = ReadonlyMap<Scope, PermissionCheck<never>>;

export interface ParsedPermissions {
  /** @default "enforce" */
  mode?: PolicyMode;
  policies: Policies;
  functions: PermissionFunctions;
}

type Bag = Readonly<Record<string, unknown>>;

function isBag(value: unknown): value is Bag {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function modeOf(option: string, value: unknown): Mode {
  if (value === "allow" || value === "deny") return value;
  throw invalidOption(option, 'must be "allow" or "deny"');
}

/** A list of strings; undefined when it is left out or holds "*", which matches anything. */
function listOf(option: string, value: unknown): string[] | undefined {
  if (value === undefined) return undefined;
  if (!Array.isArray(value) || !value.every((item) => typeof item === "string"))
    throw invalidOption(option, "must be an array of strings");
  if (value.length === 0)
    throw invalidOption(option, "must not be empty; leave it out to match everything");
  return value.includes("*") ? undefined : [...(value as string[])];
}

function checkPattern(scope: Scope, option: string, pattern: string): void {
  try {
    if (scope === "fs" || (scope === "childProcess" && pattern.includes("/")))
      parsePathGlob(pattern);
    else if (scope === "network") parseNetworkPattern(pattern);
    else parseNameGlob(pattern);
  } catch (error) {
    if (!(error instanceof PatternError)) throw error;
    throw invalidOption(option, `is a bad pattern: it ${error.message}`);
  }
}

function ruleOf(scope: Scope, option: string, value: unknown): Rule {
  if (!isBag(value)) throw invalidOption(option, "must be an object");
  const key = permissionScopes[scope].patterns;
  const unknown = Object.keys(value).find((name) => !["mode", "operations", key].includes(name));
  if (unknown !== undefined) {
    const hint = unknown === "paths" || unknown === "patterns" ? `; this scope has ${key}` : "";
    throw invalidOption(`${option}.${unknown}`, `is not a known part of a rule${hint}`);
  }
  const rule: Rule = { mode: modeOf(`${option}.mode`, value.mode) };
  const operations = listOf(`${option}.operations`, value.operations);
  if (operations !== undefined) {
    rule.operations = operations.map((name, index) => {
      const operation = operationOf(scope, name);
      if (operation !== undefined) return operation;
      const known = Object.keys(permissionScopes[scope].operations).join(", ");
      throw invalidOption(
        `${option}.operations[${index}]`,
        `is no operation of ${scope}; known are ${known}`,
      );
    });
  }
  const patterns = listOf(`${option}.${key}`, value[key]);
  if (patterns !== undefined) {
    for (const [index, pattern] of patterns.entries())
      checkPattern(scope, `${option}.${key}[${index}]`, pattern);
    rule.patterns = patterns;
  }
  return rule;
}

function rulesOf(scope: Scope, option: string, value: Bag): RuleSet {
  const unknown = Object.keys(value).find((name) => name !== "default" && name !== "rules");
  if (unknown !== undefined)
    throw invalidOption(`${option}.${unknown}`, "is not a known part of a rule set");
  if (!Array.isArray(value.rules)) throw invalidOption(`${option}.rules`, "must be an array");
  if (value.rules.length === 0)
    throw invalidOption(`${option}.rules`, 'must not be empty; write "allow" or "deny" instead');
  return {
    default: value.default === undefined ? "deny" : modeOf(`${option}.default`, value.default),
    rules: value.rules.map((rule: unknown, index) =>
      ruleOf(scope, `${option}.rules[${index}]`, rule),
    ),
  };
}

/** One of the ready-made checks, such as `allowAllFs`: nobody needs to be asked. */
function isAllowAll(check: object, scope: Scope): boolean {
  return Object.hasOwn(check, scope) && (check as Bag)[scope] === "allow";
}

/** Merges what is given, per scope, over the defaults. `toolsGiven`: tools were passed along, too. */
export function parsePermissions(value: unknown, toolsGiven: boolean): ParsedPermissions {
  if (value === "dry-run" || value === "learn")
    return { ...parsePermissions(undefined, toolsGiven), mode: value };
  const policies = Object.fromEntries(
    scopeNames.map((scope) => [scope, permissionScopes[scope].byDefault]),
  ) as Record<Scope, ScopePolicy>;
  if (toolsGiven) policies.tool = "allow";
  const functions = new Map<Scope, PermissionCheck<never>>();
  if (value === undefined) return { policies, functions };
  if (!isBag(value)) throw invalidOption("permissions", 'must be an object, "dry-run" or "learn"');
  const { mode, ...scopes } = value;
  if (mode !== undefined && mode !== "enforce" && mode !== "dry-run" && mode !== "learn")
    throw invalidOption("permissions.mode", 'must be "enforce", "dry-run" or "learn"');
  parseScopes(scopes, policies, functions);
  return { policies, functions, ...(mode !== undefined && mode !== "enforce" && { mode }) };
}

/** What a living machine is narrowed by: only the scopes that are given. */
export interface Narrowing {
  policies: Partial<Policies>;
  functions: PermissionFunctions;
}

export function parseNarrowing(value: unknown): Narrowing {
  if (!isBag(value)) throw invalidOption("permissions", "must be an object");
  if ("mode" in value)
    throw invalidOption("permissions.mode", "cannot be changed while the machine lives");
  const policies: Partial<Record<Scope, ScopePolicy>> = {};
  const functions = new Map<Scope, PermissionCheck<never>>();
  parseScopes(value, policies, functions);
  return { policies, functions };
}

function notAScope(name: string): string {
  const meant = meantBy(name, scopeNames);
  return `is not a known scope; ${meant === undefined ? "" : `did you mean ${meant}? `}known are ${scopeNames.join(", ")}`;
}

function parseScopes(
  value: Bag,
  policies: Partial<Record<Scope, ScopePolicy>>,
  functions: Map<Scope, PermissionCheck<never>>,
): void {
  const named = new Set<Scope>();
  for (const [name, policy] of Object.entries(value)) {
    if (policy === undefined) continue;
    const option = `permissions.${name}`;
    const scope = scopeOf(name);
    if (scope === undefined) throw invalidOption(option, notAScope(name));
    if (named.has(scope)) throw invalidOption(option, `names the scope ${scope} a second time`);
    named.add(scope);
    if (typeof policy === "boolean") policies[scope] = policy ? "allow" : "deny";
    else if (policy === "allow" || policy === "deny") policies[scope] = policy;
    else if (typeof policy === "function" && isAllowAll(policy, scope)) policies[scope] = "allow";
    else if (typeof policy === "function") {
      policies[scope] = "ask";
      functions.set(scope, policy as PermissionCheck<never>);
    } else if (isBag(policy)) policies[scope] = rulesOf(scope, option, policy);
    else throw invalidOption(option, 'must be "allow", "deny", a rule set or a function');
  }
}

/** A request with every field that a function of any generation may look at. */
function withSpellings(request: Request): Record<string, unknown> {
  const { operation } = request;
  const both: Record<string, unknown> = { ...request, op: operation };
  delete both.scope;
  if (request.scope === "env") both.key = request.name;
  if (request.scope === "network") {
    const { protocol, hostname, port } = request;
    const host = hostname.includes(":") ? `[${hostname}]` : hostname;
    both.url =
      operation === "dns"
        ? `dns://${hostname}`
        : `${protocol}://${host}${port === undefined ? "" : `:${port}`}`;
  }
  return both;
}

function answerOf(value: unknown): Answer {
  if (value === true) return { allow: true };
  if (!isBag(value)) return { allow: false };
  const reason = typeof value.reason === "string" ? { reason: value.reason } : {};
  return { allow: value.allow === true, ...reason };
}

/** Questions put to a function before the time is looked at. */
const requestsPerLook = 64;

/** What the function of a scope says about each request; never rejects. */
export async function askFunction(
  functions: PermissionFunctions,
  scope: Scope,
  requests: readonly Request[],
): Promise<Answer[]> {
  const check = functions.get(scope) as PermissionCheck<unknown> | undefined;
  const decide = async (request: Request): Promise<Answer> => {
    if (check === undefined) return { allow: false };
    try {
      return answerOf(await check(withSpellings(request)));
    } catch {
      // What it threw may hold secrets of the host.
      return { allow: false, reason: "the policy failed" };
    }
  };
  // A program chooses how many variables it hands on: thousands of them, in one question.
  const breath = new Breath();
  const answers: Promise<Answer>[] = [];
  for (const request of requests) {
    answers.push(decide(request));
    if (answers.length % requestsPerLook === 0) await breath.take();
  }
  return Promise.all(answers);
}
