/**
 * Owns the check of JSON inside a caller's calls. A kernel trusts its SDK; a worker's caller is
 * another machine, so everything the kernel would take for granted is looked at here first.
 *
 * Invariant: what passes has the shape of its type, known names only, and sizes the SDK would allow.
 * Untrusted: every text given.
 */
import { isAbsolute, normalize } from "node:path";
import { realpathSync, statSync } from "node:fs";
import { borderLimits } from "../protocol/border.js";
import type { BorderOptions, OutwardAddition, RequestRule } from "../protocol/border.js";
import { auditDefaults } from "../protocol/decisions.js";
import type { EngineKind } from "../protocol/engine-start.js";
import type { AuditOptions, PolicyMode } from "../protocol/decisions.js";
import type {
  HostFetchRequest,
  ProcessOptions,
  TerminalSize,
  VmMount,
  VmOptions,
} from "../protocol/host-calls.js";
import { HostPattern } from "../protocol/host-pattern.js";
import { completeVmLimits } from "../protocol/limits.js";
import type { RunLimits } from "../protocol/limits.js";
import {
  parseNameGlob,
  parseNetworkPattern,
  parsePathGlob,
} from "../protocol/permission-patterns.js";
import { operationOf, scopeNames } from "../protocol/permissions.js";
import type {
  Answer,
  Policies,
  Rule,
  RuleSet,
  Scope,
  ScopePolicy,
} from "../protocol/permissions.js";
import { providerLimits, providerOperations } from "../protocol/provider.js";
import type { ProviderMountOptions } from "../protocol/provider.js";
import type { JsRuntime } from "../protocol/platforms.js";
import { executorTool } from "../protocol/host-commands.js";
import { toolLimits, toolNamePattern } from "../protocol/tools.js";
import type { ToolDescriptor } from "../protocol/tools.js";
import { printable } from "../sdk/errors.js";
import { parseLimits, parseRunLimits } from "../sdk/limits.js";
import { parseJsRuntime } from "../sdk/platform-options.js";
import { Refusal, malformed, refused } from "./refusal.js";

/** What the worker's owner allows beyond what stays inside a machine. */
export interface WorkerRules {
  /** Directories of this host below which machines may mount. */
  readonly mounts: readonly string[];
  /** Whether machines may be reached under ports of this host's loopback, and reach it. */
  readonly loopback: boolean;
}

export function parsed(what: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw malformed(what);
  }
}

/**
 * Which keys a type has, as a table that does not compile when the type gets another one: what the SDK comes to
 * send is not refused here, nor let through without a look.
 */
type KeysOf<T> = {
  readonly [K in keyof T]-?: object extends Pick<T, K> ? "optional" : "needed";
};

/** With these keys and no others. */
function bagOf<T>(
  what: string,
  value: unknown,
  keys: KeysOf<T>,
): Readonly<Record<keyof T, unknown>> {
  const presence: Readonly<Record<string, string>> = keys;
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw malformed(what);
  const given = value as Readonly<Record<string, unknown>>;
  if (!Object.keys(given).every((key) => Object.hasOwn(presence, key))) throw malformed(what);
  for (const [key, need] of Object.entries(presence))
    if (need === "needed" && !Object.hasOwn(given, key)) throw malformed(what);
  return given as Readonly<Record<keyof T, unknown>>;
}

function textOf(what: string, value: unknown, mostChars = Infinity): string {
  if (typeof value !== "string" || value.length > mostChars || value.includes("\0"))
    throw malformed(what);
  return value;
}

function textsOf(what: string, value: unknown): string[] {
  if (!Array.isArray(value)) throw malformed(what);
  return value.map((entry) => textOf(what, entry));
}

function mapOf(what: string, value: unknown): Record<string, string> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw malformed(what);
  const entries = Object.entries(value).map(([name, text]) => {
    if (name === "" || name.includes("\0")) throw malformed(what);
    return [name, textOf(what, text)];
  });
  return Object.fromEntries(entries) as Record<string, string>;
}

function flagOf(what: string, value: unknown): boolean {
  if (typeof value !== "boolean") throw malformed(what);
  return value;
}

function countOf(what: string, value: unknown, most: number = Number.MAX_SAFE_INTEGER): number {
  if (typeof value !== "number" || !(value >= 0) || value > most) throw malformed(what);
  return value;
}

function oneOf<T extends string>(what: string, value: unknown, known: readonly T[]): T {
  const found = known.find((name) => name === value);
  if (found === undefined) throw malformed(what);
  return found;
}

const modes = ["allow", "deny"] as const;

function patternCheck(scope: Scope, pattern: string): void {
  if (scope === "fs" || (scope === "childProcess" && pattern.includes("/"))) parsePathGlob(pattern);
  else if (scope === "network") parseNetworkPattern(pattern);
  else parseNameGlob(pattern);
}

function ruleOf(scope: Scope, value: unknown): Rule {
  const given = bagOf<Rule>("a rule", value, {
    mode: "needed",
    operations: "optional",
    patterns: "optional",
  });
  const rule: Rule = { mode: oneOf("a rule", given.mode, modes) };
  if (given.operations !== undefined) {
    rule.operations = textsOf("a rule", given.operations);
    if (!rule.operations.every((name) => operationOf(scope, name) === name))
      throw malformed("a rule");
  }
  if (given.patterns !== undefined) {
    rule.patterns = textsOf("a rule", given.patterns);
    try {
      for (const pattern of rule.patterns) patternCheck(scope, pattern);
    } catch {
      throw malformed("a rule's pattern");
    }
  }
  return rule;
}

function policyOf(scope: Scope, value: unknown): ScopePolicy {
  if (typeof value === "string") return oneOf("a policy", value, ["allow", "deny", "ask"] as const);
  const given = bagOf<RuleSet>("a policy", value, { default: "needed", rules: "needed" });
  if (!Array.isArray(given.rules)) throw malformed("a policy");
  return {
    default: oneOf("a policy", given.default, modes),
    rules: given.rules.map((rule) => ruleOf(scope, rule)),
  };
}

/** A part of the policies. */
export function policiesOf(value: unknown): Partial<Policies> {
  const optional = scopeNames.map((scope) => [scope, "optional"] as const);
  const given = bagOf<Partial<Policies>>(
    "permissions",
    value,
    Object.fromEntries(optional) as KeysOf<Partial<Policies>>,
  );
  const entries = Object.entries(given).map(([scope, policy]) => [
    scope,
    policyOf(scope as Scope, policy),
  ]);
  return Object.fromEntries(entries) as Partial<Policies>;
}

/** JSON leaves an input out that is undefined. */
type Example = { description: string; input?: unknown };

export function toolsOf(value: unknown): ToolDescriptor[] {
  if (!Array.isArray(value) || value.length > toolLimits.toolsPerVm) throw malformed("tools");
  return value.map((entry) => {
    const given = bagOf<ToolDescriptor>("a tool", entry, {
      name: "needed",
      aliases: "needed",
      description: "needed",
      inputSchema: "needed",
      examples: "needed",
      timeoutMs: "needed",
    });
    const { inputSchema, examples } = given;
    if (typeof inputSchema !== "object" || inputSchema === null) throw malformed("a tool");
    if (!Array.isArray(examples) || examples.length > toolLimits.examples)
      throw malformed("a tool");
    if (JSON.stringify(inputSchema).length > toolLimits.schemaBytes) throw malformed("a tool");
    const name = textOf("a tool", given.name);
    const aliases = textsOf("a tool", given.aliases);
    const mayBe = (one: string): boolean => toolNamePattern.test(one) || one === executorTool;
    if (![name, ...aliases].every(mayBe)) throw malformed("a tool");
    return {
      name,
      aliases,
      description: textOf("a tool", given.description, toolLimits.descriptionChars),
      inputSchema: inputSchema as Record<string, unknown>,
      examples: examples.map((example: unknown) => {
        const { description, input } = bagOf<Example>("a tool", example, {
          description: "needed",
          input: "optional",
        });
        if ((JSON.stringify(input) ?? "").length > toolLimits.exampleBytes)
          throw malformed("a tool");
        return { description: textOf("a tool", description, toolLimits.descriptionChars), input };
      }),
      timeoutMs: countOf("a tool", given.timeoutMs, toolLimits.maxTimeoutMs),
    };
  });
}

function isBelow(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory === "/" ? "/" : `${directory}/`);
}

/** Options whose mounts hold programs. */
const directoriesOnly: readonly string[] = ["nodeModules", "commandsDir"];

/** Nothing where it throws: who may not look somewhere finds nothing there. */
function attempted<T>(find: () => T): T | undefined {
  try {
    return find();
  } catch {
    return undefined;
  }
}

/** The path without links. What the SDK looks at on its own host, it cannot look at here. */
function whatExists(mount: string, path: string, overlay: boolean): string {
  const directoryOnly = overlay || directoriesOnly.includes(mount);
  const option = directoriesOnly.includes(mount)
    ? mount
    : `${printable(mount, 100)}.${overlay ? "overlay.lower" : "hostPath"}`;
  const invalid = (problem: string): Refusal =>
    new Refusal("ERR_SECURE_EXEC_INVALID_OPTION", `${option} ${problem}`, option);
  const stat = attempted(() => statSync(path));
  if (stat === undefined) throw invalid(`does not exist on the worker: ${printable(path, 4095)}`);
  if (directoryOnly && !stat.isDirectory()) throw invalid("must be a directory of the worker");
  if (!stat.isDirectory() && !stat.isFile()) throw invalid("must be a directory or a regular file");
  return realpathSync(path);
}

/** One that the worker's owner allows; the path is looked at without its links. */
export function mountOf(value: unknown, { mounts }: WorkerRules): VmMount {
  const given = bagOf<VmMount>("a mount", value, {
    option: "needed",
    guestPath: "needed",
    hostPath: "optional",
    overlay: "optional",
    provider: "optional",
    readOnly: "needed",
    executable: "optional",
  });
  if (given.provider !== undefined)
    return {
      option: textOf("a mount", given.option, 256),
      guestPath: textOf("a mount", given.guestPath, 4095),
      provider: providerOf(given.provider),
      readOnly: flagOf("a mount", given.readOnly),
    };
  const hostPath = textOf("a mount", given.hostPath, 4095);
  if (!isAbsolute(hostPath) || normalize(hostPath) !== hostPath) throw malformed("a mount");
  if (!mounts.some((directory) => isBelow(hostPath, directory)))
    throw refused(`mounts of ${hostPath} are not among those of the worker's --mounts`);
  const option = textOf("a mount", given.option, 256);
  const overlay = given.overlay !== undefined && flagOf("a mount", given.overlay);
  const real = whatExists(option, hostPath, overlay);
  if (!mounts.some((directory) => isBelow(real, directory)))
    throw refused(`${hostPath} leads out of the worker's --mounts`);
  return {
    option,
    guestPath: textOf("a mount", given.guestPath, 4095),
    hostPath: real,
    readOnly: flagOf("a mount", given.readOnly),
    ...(given.overlay !== undefined && { overlay }),
    ...(given.executable !== undefined && { executable: flagOf("a mount", given.executable) }),
  };
}

/** The provider itself is the caller's; its answers are checked by the kernel, wherever it is. */
function providerOf(value: unknown): ProviderMountOptions {
  const given = bagOf<ProviderMountOptions>("a provider", value, {
    id: "needed",
    operations: "needed",
    timeoutMs: "needed",
    cacheMs: "needed",
    maxFileBytes: "needed",
  });
  return {
    id: countOf("a provider", given.id, 2 ** 32 - 1),
    operations: textsOf("a provider", given.operations).map((operation) =>
      oneOf("a provider", operation, providerOperations),
    ),
    timeoutMs: countOf("a provider", given.timeoutMs, longestTimerMs),
    cacheMs: countOf("a provider", given.cacheMs, longestTimerMs),
    maxFileBytes: countOf("a provider", given.maxFileBytes, providerLimits.maxFileBytes),
  };
}

function portsOf(value: unknown, { loopback }: WorkerRules): number[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw malformed("loopbackExemptPorts");
  if (value.length > 0 && !loopback)
    throw refused("loopbackExemptPorts need the worker's --loopback-ports");
  return value.map((port) => {
    if (!Number.isInteger(port) || port < 1 || port > 65_535)
      throw malformed("loopbackExemptPorts");
    return port as number;
  });
}

function auditOf(value: unknown): AuditOptions {
  const given = bagOf<AuditOptions>("audit", value, {
    entries: "needed",
    all: "needed",
    stream: "needed",
  });
  return {
    entries: countOf("audit", given.entries, auditDefaults.mostEntries),
    all: flagOf("audit", given.all),
    stream: flagOf("audit", given.stream),
  };
}

function jsRuntimeOf(value: unknown): JsRuntime {
  const { allowedBuiltins, ...rest } = bagOf<JsRuntime>("jsRuntime", value, {
    nodeVersion: "needed",
    platform: "needed",
    moduleResolution: "needed",
    allowedBuiltins: "needed",
    timing: "needed",
  });
  return parseJsRuntime({ ...rest, ...(allowedBuiltins !== null && { allowedBuiltins }) });
}

const engines: readonly EngineKind[] = ["forked", "dedicated"];
const policyModes: readonly PolicyMode[] = ["enforce", "dry-run", "learn"];
const vmKeys: KeysOf<VmOptions> = {
  source: "optional",
  template: "optional",
  fromSetUp: "optional",
  restores: "optional",
  env: "needed",
  cwd: "needed",
  mounts: "needed",
  jsRuntime: "needed",
  engine: "needed",
  nativeAddons: "needed",
  loopbackExemptPorts: "optional",
  limits: "needed",
  deterministic: "optional",
  border: "optional",
  warnsOfLimits: "needed",
  permissions: "needed",
  permissionTimeoutMs: "needed",
  policyMode: "needed",
  audit: "needed",
  tools: "needed",
};
const longestTimerMs = 2 ** 31 - 1;
const mostSeedChars = 1024;
/** ECMA-262, Time Values and Time Range. */
const latestTimeMs = 8.64e15;

type Deterministic = NonNullable<VmOptions["deterministic"]>;

function deterministicOf(value: unknown): Deterministic {
  const given = bagOf<Deterministic>("deterministic", value, {
    seed: "needed",
    startTimeMs: "needed",
  });
  return {
    seed: textOf("deterministic", given.seed, mostSeedChars),
    startTimeMs: countOf("deterministic", given.startTimeMs, latestTimeMs),
  };
}

function requestRuleOf(value: unknown): RequestRule {
  const given = bagOf<RequestRule>("a rule of network", value, {
    host: "needed",
    methods: "optional",
    paths: "optional",
  });
  const paths = given.paths === undefined ? [] : textsOf("a rule of network", given.paths);
  for (const path of paths) parsePathGlob(path);
  return {
    host: new HostPattern(textOf("a rule of network", given.host)).text,
    ...(given.methods !== undefined && { methods: textsOf("a rule of network", given.methods) }),
    ...(given.paths !== undefined && { paths }),
  };
}

export function borderOf(value: unknown): BorderOptions {
  const given = bagOf<BorderOptions>("network", value, {
    hosts: "needed",
    rules: "needed",
    asks: "needed",
    ca: "needed",
  });
  const hosts = textsOf("network", given.hosts);
  if (!Array.isArray(given.rules) || hosts.length > borderLimits.hosts) throw malformed("network");
  try {
    return {
      hosts: hosts.map((host) => new HostPattern(host).text),
      rules: given.rules.map(requestRuleOf),
      asks: flagOf("network", given.asks),
      ca: textsOf("network", given.ca),
    };
  } catch {
    throw malformed("network");
  }
}

function namedValuesOf(value: unknown): [string, string][] {
  if (!Array.isArray(value)) throw malformed("an addition");
  return value.map((entry: unknown) => {
    const [name, text, more] = textsOf("an addition", entry);
    if (name === undefined || text === undefined || more !== undefined)
      throw malformed("an addition");
    return [name, text];
  });
}

export function additionOf(text: string): OutwardAddition {
  if (text.length > borderLimits.additionBytes) throw malformed("an addition");
  const given = bagOf<OutwardAddition>("an addition", parsed("an addition", text), {
    headers: "needed",
    query: "needed",
  });
  return { headers: namedValuesOf(given.headers), query: namedValuesOf(given.query) };
}

/** `source` and `template` are as the caller gave them. Throws `Refusal` and errors of the SDK. */
export function vmOptionsOf(text: string, rules: WorkerRules): VmOptions {
  const given = bagOf<VmOptions>("options", parsed("options", text), vmKeys);
  const { source, template, mounts, deterministic, border } = given;
  if (!Array.isArray(mounts)) throw malformed("mounts");
  const permissions = policiesOf(given.permissions);
  if (!scopeNames.every((scope) => permissions[scope] !== undefined))
    throw malformed("permissions");
  const cwd = textOf("cwd", given.cwd);
  if (!cwd.startsWith("/")) throw malformed("cwd");
  return {
    ...(source !== undefined && { source: countOf("source", source) }),
    ...(template !== undefined && { template: countOf("template", template) }),
    ...(given.fromSetUp !== undefined && { fromSetUp: flagOf("fromSetUp", given.fromSetUp) }),
    ...(given.restores !== undefined && { restores: flagOf("restores", given.restores) }),
    env: mapOf("env", given.env),
    cwd,
    mounts: mounts.map((mount) => mountOf(mount, rules)),
    jsRuntime: jsRuntimeOf(given.jsRuntime),
    engine: oneOf("engine", given.engine, engines),
    nativeAddons: flagOf("nativeAddons", given.nativeAddons),
    loopbackExemptPorts: portsOf(given.loopbackExemptPorts, rules),
    limits: parseLimits(given.limits),
    ...(deterministic !== undefined && { deterministic: deterministicOf(deterministic) }),
    ...(border !== undefined && { border: borderOf(border) }),
    warnsOfLimits: flagOf("warnsOfLimits", given.warnsOfLimits),
    permissions: permissions as Policies,
    permissionTimeoutMs: countOf("permissionTimeoutMs", given.permissionTimeoutMs, longestTimerMs),
    policyMode: oneOf("policyMode", given.policyMode, policyModes),
    audit: auditOf(given.audit),
    tools: toolsOf(given.tools),
  };
}

const processKeys: KeysOf<ProcessOptions> = {
  mode: "needed",
  template: "optional",
  language: "needed",
  name: "needed",
  args: "needed",
  env: "needed",
  cwd: "needed",
  stdin: "needed",
  terminal: "optional",
  endWhenSettled: "optional",
  encoding: "optional",
  engine: "optional",
  limits: "needed",
  permissions: "optional",
  stdoutLimitBytes: "needed",
  stderrLimitBytes: "needed",
};
const mostLimits = completeVmLimits();
/** struct winsize has 16 bits for each. */
const mostCells = 0xffff;

/** A run's limits are held below its machine's by the kernel itself; here only their shape counts. */
function runLimitsOf(value: unknown): RunLimits {
  if (typeof value !== "object" || value === null) throw malformed("limits");
  // Compared with what the caller asks itself, nothing is above.
  return parseRunLimits(value, { ...mostLimits, ...(value as RunLimits) });
}

function terminalOf(value: unknown): TerminalSize {
  const { rows, columns } = bagOf<TerminalSize>("terminal", value, {
    rows: "needed",
    columns: "needed",
  });
  return {
    rows: countOf("terminal", rows, mostCells),
    columns: countOf("terminal", columns, mostCells),
  };
}

/** `template` is as the caller gave it. */
export function processOptionsOf(text: string): ProcessOptions {
  const given = bagOf<ProcessOptions>("options", parsed("options", text), processKeys);
  const { terminal, encoding, endWhenSettled, engine, template, permissions } = given;
  return {
    ...(permissions !== undefined && { permissions: policiesOf(permissions) }),
    ...(engine !== undefined && { engine: oneOf("engine", engine, engines) }),
    mode: oneOf("mode", given.mode, ["program", "template", "resident", "exec"]),
    ...(template !== undefined && { template: countOf("template", template) }),
    language: oneOf("language", given.language, ["js", "ts"]),
    name: textOf("name", given.name),
    args: textsOf("args", given.args),
    env: mapOf("env", given.env),
    cwd: textOf("cwd", given.cwd),
    stdin: flagOf("stdin", given.stdin),
    ...(terminal !== undefined && { terminal: terminalOf(terminal) }),
    ...(endWhenSettled !== undefined && {
      endWhenSettled: flagOf("endWhenSettled", endWhenSettled),
    }),
    ...(encoding !== undefined && {
      encoding: oneOf("encoding", encoding, ["json", "structured"] as const),
    }),
    limits: runLimitsOf(given.limits),
    stdoutLimitBytes: countOf("stdoutLimitBytes", given.stdoutLimitBytes),
    stderrLimitBytes: countOf("stderrLimitBytes", given.stderrLimitBytes),
  };
}

export function fetchRequestOf(text: string): HostFetchRequest {
  const given = bagOf<HostFetchRequest>("request", parsed("request", text), {
    method: "needed",
    path: "needed",
    headers: "needed",
  });
  return {
    method: textOf("request", given.method),
    path: textOf("request", given.path),
    headers: mapOf("request", given.headers),
  };
}

export function answersOf(text: string): Answer[] {
  const given = parsed("answers", text);
  if (!Array.isArray(given)) throw malformed("answers");
  return given.map((entry) => {
    const { allow, reason } = bagOf<Answer>("answers", entry, {
      allow: "needed",
      reason: "optional",
    });
    return {
      allow: flagOf("answers", allow),
      ...(reason !== undefined && { reason: String(reason) }),
    };
  });
}
