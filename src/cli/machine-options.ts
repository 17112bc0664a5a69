/**
 * Owns the options that say what a machine is: which files, variables, permissions and limits it has. Every
 * command that makes one takes them.
 *
 * Invariants: what is not given is the SDK's default; nothing of the host is shown that no option names.
 * Untrusted: a file of permissions or variables is the caller's; the SDK checks what is in it.
 */
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { basename, posix, resolve } from "node:path";
import { meantBy, printable } from "../sdk/errors.js";
import type { HostDirectoryMount } from "../sdk/mounts.js";
import type { NodeRuntimeCreateOptions } from "../sdk/option-types.js";
import { limitNames } from "../sdk/limits.js";
import { permissionScopes, scopeNames, scopeOf } from "../sdk/permissions.js";
import type { Permissions } from "../sdk/permissions.js";
import { durationOf, sizeOf, UsageError } from "./arguments.js";
import type { Flag, Given } from "./arguments.js";

const projectPath = "/app";

export const machineFlags: readonly Flag[] = [
  {
    name: "env",
    value: "NAME[=VALUE]",
    repeated: true,
    help: "set a variable; without =VALUE the host's own",
  },
  { name: "env-file", value: "FILE", repeated: true, help: "variables from lines NAME=VALUE" },
  {
    name: "mount",
    short: "v",
    value: "HOST:GUEST[:rw]",
    repeated: true,
    help: "show a directory or file of the host, read-only without :rw",
  },
  {
    name: "project",
    value: "DIR",
    help: `show DIR read-only at ${projectPath} and start there; a FILE in it runs from there`,
  },
  { name: "node-modules", value: "DIR", help: "show a node_modules directory, read-only" },
  { name: "cwd", short: "w", value: "DIR", help: "working directory in the machine" },
  {
    name: "allow",
    value: "SCOPE[=PATTERN,…]",
    repeated: true,
    help: `open a scope (${scopeNames.join(", ")}), or what fits the patterns`,
  },
  {
    name: "deny",
    value: "SCOPE[=PATTERN,…]",
    repeated: true,
    help: "shut a scope, or what fits the patterns",
  },
  {
    name: "allow-net",
    value: "HOST[:PORT],…",
    valueOptional: true,
    repeated: true,
    help: "the same as --allow network[=…]",
  },
  { name: "permissions", value: "FILE", help: "permissions as JSON, as `audit --learn` prints" },
  { name: "dry-run", help: "allow everything and only record what would be denied" },
  {
    name: "port",
    short: "p",
    value: "PORT",
    repeated: true,
    help: "a listener on PORT is reachable at the host's 127.0.0.1, and the host's in the machine",
  },
  { name: "memory", short: "m", value: "SIZE", help: "memory of a process, such as 512m" },
  { name: "cpu-time", value: "TIME", help: "CPU time of a program and all it starts" },
  {
    name: "limit",
    value: "NAME=NUMBER",
    repeated: true,
    help: "any other limit by its name in docs/limits.md",
  },
  {
    name: "node-version",
    value: "VERSION",
    help: "the version that process.version says; `engine` is the real one",
  },
  { name: "native-addons", help: "programs may load native addons of the machine's files" },
  { name: "ca", value: "FILE", repeated: true, help: "certificates in PEM that programs trust" },
  {
    name: "snapshot",
    value: "FILE",
    help: "begin with the files of a snapshot, as `secure-exec snapshot` writes",
  },
];

function splitOnce(text: string, mark: string): [string, string | undefined] {
  const at = text.indexOf(mark);
  return at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + mark.length)];
}

/** Lines NAME=VALUE, as `node --env-file` reads them in their simple form. */
function envFileOf(file: string): [string, string][] {
  return readFileSync(file, "utf8")
    .split(/\r?\n/)
    .flatMap((line): [string, string][] => {
      const text = line.trim().replace(/^export\s+/, "");
      if (text === "" || text.startsWith("#")) return [];
      const [name, value] = splitOnce(text, "=");
      if (value === undefined) throw new UsageError(`${file}: ${printable(text)} is no NAME=VALUE`);
      return [[name.trim(), value.trim().replace(/^(["'])(.*)\1$/, "$2")]];
    });
}

function envOf(given: Given): Record<string, string> {
  const env = Object.create(null) as Record<string, string>;
  for (const file of given.get("env-file") ?? [])
    for (const [name, value] of envFileOf(file)) env[name] = value;
  for (const text of given.get("env") ?? []) {
    const [name, value] = splitOnce(text, "=");
    const own = value ?? process.env[name];
    if (own === undefined)
      throw new UsageError(`--env ${printable(name)}: the host has no such variable`);
    env[name] = own;
  }
  return env;
}

/** `~` alone and before a slash is the caller's home: after a colon no shell has replaced it. */
const hostPath = (text: string): string => resolve(text.replace(/^~(?=\/|$)/, homedir()));

function mountOf(text: string): HostDirectoryMount {
  const [, host = "", guest = "", mode] = /^(.+?):(\/[^:]*)(?::(ro|rw))?$/.exec(text) ?? [];
  if (host === "")
    throw new UsageError(`--mount must be HOST:GUEST or HOST:GUEST:rw: ${printable(text)}`);
  return { hostPath: hostPath(host), guestPath: guest, readOnly: mode !== "rw" };
}

type Bag = Record<string, unknown>;

/** Permissions of the file, with those of the options put before its rules. */
function permissionsOf(given: Given): Permissions | undefined {
  const [file] = given.get("permissions") ?? [];
  const permissions: Bag =
    file === undefined ? {} : (JSON.parse(readFileSync(file, "utf8")) as Bag);
  const nets = (given.get("allow-net") ?? []).map((value) =>
    value === "" ? "network" : `network=${value}`,
  );
  const asked = [
    ...(given.get("deny") ?? []).map((text) => ["deny", text] as const),
    ...[...(given.get("allow") ?? []), ...nets].map((text) => ["allow", text] as const),
  ];
  for (const [mode, text] of asked) addRule(permissions, mode, text);
  if (given.has("dry-run")) permissions.mode = "dry-run";
  return Object.keys(permissions).length === 0 ? undefined : (permissions as Permissions);
}

/** A whole scope is its default; patterns are a rule, denials first. */
function addRule(permissions: Bag, mode: "allow" | "deny", text: string): void {
  const [name, list] = splitOnce(text, "=");
  const scope = scopeOf(name === "net" ? "network" : name);
  if (scope === undefined) {
    const meant = meantBy(name, scopeNames);
    const hint =
      meant === undefined ? `known are ${scopeNames.join(", ")}` : `did you mean ${meant}?`;
    throw new UsageError(`--${mode}: ${printable(name)} is no scope; ${hint}`);
  }
  const before = permissions[scope];
  const set =
    typeof before === "object" && before !== null
      ? (before as { default?: string; rules: unknown[] })
      : undefined;
  if (list === undefined) {
    permissions[scope] = set === undefined ? mode : { ...set, default: mode };
    return;
  }
  const patterns = list.split(",").filter((pattern) => pattern !== "");
  const rule = { mode, [permissionScopes[scope].patterns]: patterns };
  const initial = mode === "allow" ? "deny" : permissionScopes[scope].byDefault;
  const byDefault = typeof before === "string" ? before : initial;
  // An allowance beside denials opens what it names, and leaves the rest as the denials did.
  permissions[scope] =
    set === undefined
      ? { default: byDefault, rules: [rule] }
      : { ...set, rules: [...set.rules, rule] };
}

function limitsOf(given: Given): Record<string, number> {
  const limits: Record<string, number> = {};
  for (const text of given.get("limit") ?? []) {
    const [name, value] = splitOnce(text, "=");
    if (!limitNames.includes(name)) {
      const meant = meantBy(name, limitNames);
      const hint = meant === undefined ? "see docs/limits.md" : `did you mean ${meant}?`;
      throw new UsageError(`--limit: ${printable(name)} is no limit; ${hint}`);
    }
    limits[name] = name.endsWith("Bytes")
      ? sizeOf(`--limit ${name}`, value ?? "")
      : Number(value ?? "");
  }
  const [memory] = given.get("memory") ?? [];
  if (memory !== undefined) limits.memoryBytes = sizeOf("--memory", memory);
  const [cpuTime] = given.get("cpu-time") ?? [];
  if (cpuTime !== undefined) limits.cpuTimeMs = durationOf("--cpu-time", cpuTime);
  return limits;
}

/** The options of `NodeRuntime.create` that the command line means. Throws UsageError. */
export function machineOptionsOf(given: Given): NodeRuntimeCreateOptions {
  const [project] = given.get("project") ?? [];
  const [cwd = project === undefined ? undefined : projectPath] = given.get("cwd") ?? [];
  const [nodeModules] = given.get("node-modules") ?? [];
  const [nodeVersion] = given.get("node-version") ?? [];
  const [snapshot] = given.get("snapshot") ?? [];
  const ca = (given.get("ca") ?? []).map((file) => readFileSync(file));
  const permissions = permissionsOf(given);
  const ports = (given.get("port") ?? []).map((text) => {
    if (!/^\d+$/.test(text)) throw new UsageError(`--port must be a number: ${printable(text)}`);
    return Number(text);
  });
  return {
    env: envOf(given),
    mounts: [
      ...(given.get("mount") ?? []).map(mountOf),
      ...(project === undefined
        ? []
        : [{ hostPath: hostPath(project), guestPath: projectPath, readOnly: true }]),
    ],
    limits: limitsOf(given),
    loopbackExemptPorts: ports,
    ...(cwd !== undefined && { cwd }),
    ...(nodeModules !== undefined && { nodeModules: hostPath(nodeModules) }),
    ...(nodeVersion !== undefined && { nodeVersion }),
    ...(given.has("native-addons") && { nativeAddons: true }),
    ...(snapshot !== undefined && { snapshot }),
    ...(ca.length > 0 && { ca }),
    ...(permissions !== undefined && { permissions }),
  };
}

/** Where a file of the host is in the machine: under the project, if that has it; otherwise its name alone. */
export function programOf(file: string, given: Given): { name: string; inProject: boolean } {
  const [project] = given.get("project") ?? [];
  if (project === undefined) return { name: basename(file), inProject: false };
  const [top, full] = [hostPath(project), resolve(file)];
  const inside = full.startsWith(top === "/" ? "/" : `${top}/`);
  // A name that is not there is looked for in the project.
  const path = inside ? full.slice(top.length + 1) : file;
  return { name: posix.join(projectPath, path), inProject: true };
}
