/**
 * Owns compiled rule sets: the first rule that matches a request decides, then the default.
 *
 * Invariant: compiled once per VM; matching allocates nothing that a guest sizes.
 * Untrusted: the request. Trusted: the rules, which the SDK has checked.
 */
import { basename } from "node:path/posix";
import {
  parseNameGlob,
  parseNetworkPattern,
  parsePathGlob,
} from "../../protocol/permission-patterns.js";
import { permissionScopes } from "../../protocol/permissions.js";
import type { Mode, Request, Requests, RuleSet, Scope } from "../../protocol/permissions.js";
import { commandMatcher } from "./commands.js";
import { matchesName, matchesPath } from "./glob.js";
import { namesAddresses, namesHost, networkMatcher } from "./network-match.js";

type Matcher<S extends Scope> = (request: Requests[S], mode: Mode) => boolean;

function nameMatcher<S extends "env" | "tool">(pattern: string): Matcher<S> {
  const glob = parseNameGlob(pattern);
  return ({ name }) => matchesName(glob, name);
}

const compilers: { [S in Scope]: (pattern: string) => Matcher<S> } = {
  fs: (pattern) => {
    const glob = parsePathGlob(pattern);
    return ({ path }) => matchesPath(glob, path);
  },
  network: (pattern) => networkMatcher(parseNetworkPattern(pattern)),
  childProcess: commandMatcher,
  process: (pattern) => {
    const glob = parseNameGlob(pattern);
    return ({ pid, command }) =>
      matchesName(glob, String(pid)) ||
      (command !== undefined && matchesName(glob, basename(command.split(" ", 1)[0]!)));
  },
  env: (pattern) => nameMatcher<"env">(pattern),
  tool: (pattern) => nameMatcher<"tool">(pattern),
};

/** No rule matches: the default of the set decides. */
export const byDefault = -1;

/** Which rule decides a request: its index, or `byDefault`. */
function compileFirstMatch<S extends Scope>(
  scope: S,
  set: RuleSet,
): (request: Requests[S]) => number {
  const known = Object.keys(permissionScopes[scope].operations);
  const rules = set.rules.map(({ mode, operations, patterns }) => {
    const unknown = operations?.find((operation) => !known.includes(operation));
    if (unknown !== undefined) throw new Error(`${scope} has no operation ${unknown}`);
    return {
      mode,
      operations: operations && new Set(operations),
      matchers: patterns?.map((pattern) => compilers[scope](pattern)),
    };
  });
  return (request) => {
    for (let at = 0; at < rules.length; at++) {
      const { mode, operations, matchers } = rules[at]!;
      if (operations !== undefined && !operations.has(request.operation)) continue;
      if (matchers === undefined || matchers.some((matches) => matches(request, mode))) return at;
    }
    return byDefault;
  };
}

/** What the rule of that index, or the default, says. */
export function modeOf(set: RuleSet, rule: number): Mode {
  return set.rules[rule]?.mode ?? set.default;
}

function compileRules<S extends Scope>(scope: S, set: RuleSet): (request: Requests[S]) => Mode {
  const first = compileFirstMatch(scope, set);
  return (request) => modeOf(set, first(request));
}

/**
 * Whether the rule that allows a connection does so by naming the address or a narrow range around
 * it, or with "host" the exact host name. Only that opens what is refused even to those who may
 * connect anywhere.
 */
export function compileNamingRules(
  set: RuleSet,
  by: "address" | "host",
): (request: Requests["network"]) => boolean {
  const decide = compileRules("network", set);
  const rules = set.rules.map(({ mode, operations, patterns = [] }) => {
    const matchers = patterns
      .map((pattern) => parseNetworkPattern(pattern))
      .filter(
        (pattern) =>
          mode === "allow" && (namesAddresses(pattern) || (by === "host" && namesHost(pattern))),
      )
      .map(networkMatcher);
    return { operations: operations && new Set(operations), matchers };
  });
  return (request) =>
    decide(request) === "allow" &&
    rules.some(
      ({ operations, matchers }) =>
        operations?.has(request.operation) !== false &&
        matchers.some((matches) => matches(request, "allow")),
    );
}

/** Whether a rule denies by host name. */
export function deniesNames({ rules }: RuleSet): boolean {
  return rules.some(
    ({ mode, patterns = [] }) =>
      mode === "deny" &&
      patterns.some((pattern) => parseNetworkPattern(pattern).host.kind === "name"),
  );
}

/** For `judge`, which has the scope inside the request. */
export function compileForRequests(scope: Scope, set: RuleSet): (request: Request) => number {
  return compileFirstMatch(scope, set) as (request: Request) => number;
}
