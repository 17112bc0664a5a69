/**
 * Owns the way from what programs were seen to need to the permissions that allow exactly that, in
 * the form that the `permissions` option takes; and making such permissions shorter and wider.
 *
 * Invariants: what is on two rules of one scope is never the same operation on the same pattern, so
 * that no rule can be left out; the same needs give the same text.
 */
import { basename, dirname, extname } from "node:path/posix";
import type { Learned } from "../protocol/decisions.js";
import type { LearnedList } from "../protocol/host-calls.js";
import { permissionScopes, scopeNames } from "../protocol/permissions.js";
import type { Scope } from "../protocol/permissions.js";
import { failure } from "./errors.js";
import type { PermissionRule, PermissionRules, Permissions } from "./permissions.js";

/** Permissions that are only modes and rules: JSON. */
export type LearnedPermissions = { [S in Scope]: "allow" | "deny" | PermissionRules };

/** Operations by pattern. */
type Needs = Map<string, Set<string>>;

function needsOf(learned: readonly Learned[]): Needs {
  const needs: Needs = new Map();
  for (const { operation, pattern } of learned) {
    const operations = needs.get(pattern);
    if (operations === undefined) needs.set(pattern, new Set([operation]));
    else operations.add(operation);
  }
  return needs;
}

/** One rule for all patterns that need the same operations. */
function rulesOf(scope: Scope, needs: Needs): PermissionRule[] {
  const order = Object.keys(permissionScopes[scope].operations);
  const groups = new Map<string, { operations: string[]; patterns: string[] }>();
  for (const [pattern, wanted] of needs) {
    const operations = order.filter((operation) => wanted.has(operation));
    const key = operations.join(" ");
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { operations, patterns: [pattern] });
    else group.patterns.push(pattern);
  }
  return [...groups.values()]
    .map(({ operations, patterns }) => ({
      mode: "allow" as const,
      operations,
      [permissionScopes[scope].patterns]: patterns.sort(),
    }))
    .sort((one, other) => (one.operations.join() < other.operations.join() ? -1 : 1));
}

/** Host of a pattern such as `udp://api.example.com:443`. */
function hostOf(pattern: string): string {
  const bare = pattern.replace(/^[a-z]+:\/\//, "");
  return bare.startsWith("[") ? bare.slice(1, bare.indexOf("]")) : bare.replace(/:\d+$/, "");
}

/** Who may connect to a name may look it up: such look-ups need no patterns of their own. */
function networkNeeds(learned: readonly Learned[]): Needs {
  // What stays inside the machine is free as long as no rule judges it.
  if (learned.every(({ inside }) => inside)) return new Map();
  const needs = needsOf(learned.filter(({ operation }) => operation !== "dns"));
  for (const { operation, pattern } of learned) {
    if (operation !== "dns") continue;
    const host = hostOf(pattern);
    const connecting = [...needs].filter(
      ([other, operations]) => operations.has("http") && hostOf(other) === host,
    );
    for (const [, operations] of connecting) operations.add("dns");
    if (connecting.length === 0) needs.set(pattern, new Set(["dns"]));
  }
  return needs;
}

/** The least permissions under which a program may do what it did. Throws LEARNED_TOO_MUCH. */
export function learnedPermissionsOf({ list, incomplete }: LearnedList): LearnedPermissions {
  if (incomplete) throw failure("LEARNED_TOO_MUCH");
  const entries = scopeNames.map((scope): [Scope, "deny" | PermissionRules] => {
    const own = list.filter((learned) => learned.scope === scope);
    const needs = scope === "network" ? networkNeeds(own) : needsOf(own);
    return [scope, needs.size === 0 ? "deny" : { default: "deny", rules: rulesOf(scope, needs) }];
  });
  return Object.fromEntries(entries) as LearnedPermissions;
}

/** Operations that change nothing. */
const reading: ReadonlySet<string> = new Set(["read", "readdir", "stat", "exists", "readlink"]);
const packages = "/node_modules/";

function isReading(operations: ReadonlySet<string>): boolean {
  return [...operations].every((operation) => reading.has(operation));
}

/** The pattern that stands for `path` and what is like it. */
function widened(path: string, operations: ReadonlySet<string>): string {
  const at = path.indexOf(packages);
  if (at >= 0 && isReading(operations)) return `${path.slice(0, at)}${packages}**`;
  const directory = dirname(path);
  const suffix = extname(basename(path));
  // Nothing tells what the names of a root or of names without an ending have in common.
  if (directory === "/" || suffix === "" || /[\\*?]/.test(suffix)) return path;
  return `${directory}/*${suffix}`;
}

/** What paths with that wider pattern have in common. */
function kindOf(wide: string, operations: ReadonlySet<string>): string {
  if (!isReading(operations)) return `${[...operations].join()} ${wide}`;
  // What is read of packages is one need, whichever way; elsewhere a look does not become a right to read.
  const looks = !operations.has("read") && !wide.endsWith(`${packages}**`);
  return `${looks ? "look" : "read"} ${wide}`;
}

/** Whether `wide`, as `widened` makes them, matches all that `pattern` does. */
function covers(wide: string, pattern: string): boolean {
  if (wide.endsWith("/**")) {
    const directory = wide.slice(0, -"/**".length);
    return pattern === directory || pattern.startsWith(`${directory}/`);
  }
  const suffix = extname(wide);
  if (basename(wide) !== `*${suffix}`) return false;
  return dirname(pattern) === dirname(wide) && pattern.endsWith(suffix);
}

function includesAll(all: ReadonlySet<string>, some: ReadonlySet<string>): boolean {
  return [...some].every((one) => all.has(one));
}

/** Several files of one kind under one pattern. */
function joined(needs: Needs): Needs {
  const groups = new Map<string, string[]>();
  for (const [path, operations] of needs) {
    const kind = kindOf(widened(path, operations), operations);
    groups.set(kind, [...(groups.get(kind) ?? []), path]);
  }
  const wider: Needs = new Map();
  for (const paths of groups.values()) {
    const [first = ""] = paths;
    const name = paths.length === 1 ? first : widened(first, needs.get(first)!);
    const operations = paths.flatMap((path) => [...needs.get(path)!]);
    wider.set(name, new Set([...(wider.get(name) ?? []), ...operations]));
  }
  return wider;
}

/**
 * Brings under the same operations what differs in nothing that matters: who may read a file may as well look at it, and to read
 * a directory like a file is an error anyway.
 */
function evened(needs: Needs): void {
  const readable = [...needs].filter(
    ([, operations]) => operations.has("read") && isReading(operations),
  );
  const looked = [...needs.values()].some((operations) => operations.has("stat"));
  if (!looked) return;
  for (const [, operations] of readable) operations.add("stat");
  for (const [path, operations] of needs) {
    const isAbove = readable.some(([other]) => other.startsWith(path === "/" ? path : `${path}/`));
    if (isAbove && operations.size === 1 && operations.has("stat")) operations.add("read");
  }
}

/** Paths of the fs scope, fewer and wider. */
function fewerPaths(needs: Needs): Needs {
  const wider = joined(needs);
  evened(wider);
  // What another pattern allows already would be a rule that can be left out.
  for (const [pattern, operations] of wider)
    for (const [wide, all] of wider)
      if (wide !== pattern && covers(wide, pattern) && includesAll(all, operations)) {
        wider.delete(pattern);
        break;
      }
  return wider;
}

/**
 * Beginnings of variables that belong together without an underscore behind them: those of libpq, of the PostgreSQL
 * documentation's chapter on environment variables.
 */
const families = ["PG"];

/** What variables that belong together begin with, if the name says so: `npm_`, `AWS_`. */
function familyOf(name: string): string | undefined {
  const family = families.find((one) => name.startsWith(one) && /^[A-Z]+$/.test(name));
  // A star or a backslash that is part of the name is no place to put a star behind.
  return family ?? /^[A-Za-z][A-Za-z0-9]+_(?=.)/.exec(name)?.[0];
}

/** Variables, with one pattern for several of a family that need the same. */
function fewerVariables(needs: Needs): Needs {
  const groups = new Map<string, string[]>();
  for (const [name, operations] of needs) {
    const family = familyOf(name);
    const kind = family === undefined ? name : `${family}* ${[...operations].sort().join()}`;
    groups.set(kind, [...(groups.get(kind) ?? []), name]);
  }
  const wider: Needs = new Map();
  for (const [, names] of [...groups].sort(([one], [other]) => (one < other ? -1 : 1))) {
    const pattern = `${familyOf(names[0]!)}*`;
    // What some of a family are written with is not given to all of it.
    if (names.length === 1 || wider.has(pattern))
      for (const name of names) wider.set(name, needs.get(name)!);
    else wider.set(pattern, needs.get(names[0]!)!);
  }
  return wider;
}

/** The rules of one scope, those that allow given operations on given patterns made fewer. */
function generalizedScope(
  scope: "fs" | "env",
  { rules, ...rest }: PermissionRules,
  fewer: (needs: Needs) => Needs,
): PermissionRules {
  const needs: Needs = new Map();
  const kept: PermissionRule[] = [];
  for (const rule of rules) {
    const { mode, operations } = rule;
    const patterns = rule[permissionScopes[scope].patterns];
    if (mode !== "allow" || operations === undefined || patterns === undefined) kept.push(rule);
    else
      for (const pattern of patterns)
        needs.set(pattern, new Set([...(needs.get(pattern) ?? []), ...operations]));
  }
  return { ...rest, rules: [...kept, ...rulesOf(scope, fewer(needs))] };
}

/**
 * The same permissions with fewer and wider patterns: several files of one directory with one ending and like
 * operations become `/a/*.txt`, what is only read of packages `…/node_modules/**`, and several variables with one beginning
 * `npm_*`. Never throws.
 * @example
 * const wider = generalizePermissions(await rt.learnedPermissions());
 */
export function generalizePermissions<P extends Permissions>(permissions: P): P {
  const { fs, env } = permissions;
  return {
    ...permissions,
    ...(typeof fs === "object" && { fs: generalizedScope("fs", fs, fewerPaths) }),
    ...(typeof env === "object" && { env: generalizedScope("env", env, fewerVariables) }),
  };
}
