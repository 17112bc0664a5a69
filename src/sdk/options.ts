/**
 * Owns what callers may pass: the option types and their checks. Everything is
 * checked before anything runs, and what cannot be honoured is refused, never ignored.
 *
 * Invariants: a parsed value is a copy that the caller cannot change afterwards;
 * an option with the value `undefined` counts as not given.
 * Untrusted: callers are trusted, but what they pass may come from elsewhere.
 */
import { X509Certificate } from "node:crypto";
import { hostCertificates } from "../abi/machine.js";
import { parseIsolation } from "./isolation.js";
import { invalidOption, unknownOption } from "./errors.js";
import { isPort } from "./listeners.js";
import type { FileProvider } from "./provider.js";
import { mountsOf } from "./mounts.js";
import { auditDefaults } from "../protocol/decisions.js";
import type { AuditOptions } from "../protocol/decisions.js";
import type { EngineKind } from "../protocol/engine-start.js";
import type { VmMount, VmOptions } from "../protocol/host-calls.js";
import { parsePermissions } from "./permissions.js";
import type { ParsedPermissions, Permissions } from "./permissions.js";
import { parseLimits } from "./limits.js";
import type { VmLimits } from "../protocol/limits.js";
import type { SnapshotManifest } from "../protocol/snapshot.js";
import { jsRuntimeKeys, parseJsRuntime } from "./platform-options.js";
import { parseKernels } from "./kernel-group.js";
import type { Kernels } from "./kernel-group.js";
import { SidecarProcess } from "./sidecar-process.js";
import { parseFleet } from "./fleet/options.js";
import type { ParsedFleet } from "./fleet/options.js";
import { snapshotSourceOf } from "./snapshot.js";
import type { NodeRuntimeSnapshotSource } from "./snapshot.js";
import { parseNetwork } from "./network-options.js";
import type { ParsedNetwork } from "./network-options.js";
import { parseTools } from "./tool-definitions.js";
import type { ParsedTools } from "./tool-definitions.js";
import type { JsRuntime } from "../protocol/platforms.js";
import {
  type Bag,
  isRecord,
  bagOf,
  absolutePathOf,
  envOf,
  functionOf,
  bytesOf,
  timeoutOf,
} from "./option-checks.js";
import type {
  DecisionHook,
  LimitHook,
  NodeRuntimeBootTiming,
  NodeRuntimeCreateOptions,
} from "./option-types.js";

const defaultCwd = "/home/user";

const toolNames = ["tools", "bindings", "hostFunctions"] as const;
const createNames = [
  "snapshot",
  "trustSnapshot",
  "env",
  "cwd",
  "files",
  "mounts",
  "nodeModules",
  "commandsDir",
  "sidecar",
  "kernels",
  "fleet",
  "onBootTiming",
  "permissions",
  "permissionTimeoutMs",
  "onDecision",
  "audit",
  "loopbackExemptPorts",
  ...toolNames,
  "limits",
  "deterministic",
  "record",
  "onLimitWarning",
  "ca",
  "network",
  "engine",
  "nativeAddons",
  "isolation",
  "jsRuntime",
  ...jsRuntimeKeys,
];
const plannedNames = ["wasmCommandDirs", "user"];
const permissionTimeoutMs = 10_000;
const pemCertificate = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;
export interface CreateOptions {
  snapshot: NodeRuntimeSnapshotSource | undefined;
  env: Record<string, string>;
  cwd: string;
  files: [path: string, data: Uint8Array][];
  mounts: VmMount[];
  /** Those of the mounts, by the numbers that name them there. */
  providers: ReadonlyMap<number, FileProvider>;
  sidecar: SidecarProcess | undefined;
  kernels: Kernels;
  /** Given only where it was. */
  fleet?: ParsedFleet;
  onBootTiming: ((timing: NodeRuntimeBootTiming) => void) | undefined;
  /** Names of layers. */
  isolation: readonly string[];
  loopbackExemptPorts: number[];
  permissions: ParsedPermissions;
  permissionTimeoutMs: number;
  tools: ParsedTools;
  limits: VmLimits;
  deterministic?: NonNullable<VmOptions["deterministic"]>;
  record?: boolean;
  network?: ParsedNetwork;
  onLimitWarning?: LimitHook;
  /** Given only where something of it was. */
  audit?: ParsedAudit;
  jsRuntime: JsRuntime;
  engine: EngineKind;
  nativeAddons: boolean;
}

function portsOf(option: string, value: unknown): number[] {
  if (value === undefined) return [];
  if (!Array.isArray(value) || !value.every(isPort))
    throw invalidOption(option, "must be an array of ports from 1 to 65535");
  return [...new Set(value)];
}

/** The tools under whichever of the three names they were given. */
function toolsOf(given: Bag): ParsedTools {
  const [name = "tools", second] = toolNames.filter((key) => given[key] !== undefined);
  if (second !== undefined) throw invalidOption(second, `means the same as ${name}; give one`);
  return parseTools(name, given[name]);
}

export type ParsedAudit = Omit<AuditOptions, "stream"> & { onDecision: DecisionHook | undefined };

function auditOf(value: unknown, hook: unknown): { audit?: ParsedAudit } {
  const onDecision = functionOf<DecisionHook>("onDecision", hook);
  if (value === undefined && onDecision === undefined) return {};
  const { entries: byDefault, mostEntries } = auditDefaults;
  if (typeof value === "boolean") return { audit: { entries: byDefault, all: value, onDecision } };
  if (value !== undefined && !isRecord(value))
    throw invalidOption("audit", "must be a boolean or an object");
  const { entries = byDefault, all = onDecision !== undefined, ...rest } = value ?? {};
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) throw unknownOption([unknown], ["entries", "all"], "audit.");
  if (typeof all !== "boolean") throw invalidOption("audit.all", "must be a boolean");
  if (typeof entries !== "number" || !(entries >= 1 && entries <= mostEntries) || entries % 1 !== 0)
    throw invalidOption("audit.entries", `must be a whole number from 1 to ${mostEntries}`);
  return { audit: { entries, all, onDecision } };
}

const defaultStartTimeMs = Date.UTC(2024, 0, 1);
/** ECMA-262, 21.4.1.1; a run may last some years of its own time. */
const latestStartTimeMs = 8e15;

function deterministicOf(value: unknown): NonNullable<VmOptions["deterministic"]> {
  const option = "deterministic";
  if (!isRecord(value)) throw invalidOption(option, "must be an object with a seed");
  const { seed, startTimeMs = defaultStartTimeMs, ...rest } = value;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) throw invalidOption(`${option}.${unknown}`, "is not a known option");
  if (!Number.isSafeInteger(seed) && (typeof seed !== "string" || seed.length > 1024))
    throw invalidOption(
      `${option}.seed`,
      "must be a whole number or a string of up to 1024 characters",
    );
  if (typeof startTimeMs !== "number" || !(startTimeMs >= 0 && startTimeMs <= latestStartTimeMs))
    throw invalidOption(`${option}.startTimeMs`, "must be milliseconds since the epoch");
  return { seed: String(seed), startTimeMs: Math.floor(startTimeMs) };
}

function recordOf(given: Bag): { record?: boolean } {
  const { record, deterministic, mounts, nodeModules, commandsDir } = given;
  if (record === undefined) return {};
  if (typeof record !== "boolean") throw invalidOption("record", "must be a boolean");
  if (record && deterministic === undefined)
    throw invalidOption("record", "needs the option deterministic");
  if (record && [mounts, nodeModules, commandsDir].some((value) => value !== undefined))
    throw invalidOption(
      "record",
      "is not possible with directories of the host; give copies as files",
    );
  return { record };
}

/** The texts of the certificates given; each of them is read once here. */
function certificatesOf(value: unknown): string[] {
  if (value === undefined) return [];
  const given: unknown[] = Array.isArray(value) ? value : [value];
  return given.flatMap((entry, index) => {
    const option = Array.isArray(value) ? `ca[${index}]` : "ca";
    const text = Buffer.from(bytesOf(option, entry)).toString("utf8");
    const found = text.match(pemCertificate) ?? [];
    if (found.length === 0) throw invalidOption(option, "holds no certificate in PEM");
    for (const one of found) {
      try {
        void new X509Certificate(one);
      } catch {
        throw invalidOption(option, "holds a certificate that cannot be read");
      }
    }
    return found;
  });
}

/**
 * The options of a runtime that is made from a snapshot: what the snapshot says where they say nothing.
 * Throws INVALID_OPTION for values of the snapshot, too.
 */
export function withManifest(
  value: NodeRuntimeCreateOptions,
  { env, cwd, limits, permissions }: SnapshotManifest,
): CreateOptions {
  const trusted = value.trustSnapshot === true;
  return parseCreateOptions({
    ...value,
    env: { ...env, ...value.env },
    cwd: value.cwd ?? cwd,
    ...(trusted && {
      limits: { ...limits, ...value.limits },
      permissions: { ...permissions, ...permissionsBag(value.permissions) },
    }),
  });
}

/** The form with scopes, of either form. */
function permissionsBag(given: NodeRuntimeCreateOptions["permissions"]): Permissions {
  return typeof given === "string" ? { mode: given } : { ...given };
}

export function parseCreateOptions(value: unknown): CreateOptions {
  const given = bagOf(value, createNames, plannedNames);
  const toolsGiven = toolNames.some((name) => given[name] !== undefined);
  const { files = {}, sidecar } = given;
  const certificates = certificatesOf(given.ca);
  if (!isRecord(files)) throw invalidOption("files", "must be an object of guest paths");
  if (sidecar !== undefined && !(sidecar instanceof SidecarProcess)) {
    throw invalidOption("sidecar", "must be a SidecarProcess");
  }
  const network = parseNetwork(given.network, certificates);
  const fleet = parseFleet(given.fleet);
  if (fleet !== undefined && sidecar !== undefined)
    throw invalidOption("sidecar", "is a process of this host; a machine of a fleet has none");
  const elsewhere = fleet === undefined ? sidecar && "sidecar" : "fleet";
  if (given.kernels !== undefined && elsewhere !== undefined)
    throw invalidOption(
      "kernels",
      `is for machines of the host's own kernels; ${elsewhere} names another`,
    );
  const { trustSnapshot = false } = given;
  if (typeof trustSnapshot !== "boolean") throw invalidOption("trustSnapshot", "must be a boolean");
  const owner = fleet === undefined ? "host" : "worker";
  const mounted = mountsOf(given.mounts, given.nodeModules, given.commandsDir, owner);
  if (given.deterministic !== undefined && mounted.providers.size > 0)
    throw invalidOption(
      "deterministic",
      "is not possible with file systems that code of the host serves",
    );
  return {
    snapshot: snapshotSourceOf(given.snapshot),
    env: {
      ...(certificates.length > 0 && { NODE_EXTRA_CA_CERTS: hostCertificates }),
      ...envOf(given.env),
    },
    cwd: given.cwd === undefined ? defaultCwd : absolutePathOf("cwd", given.cwd),
    files: [
      // Where programs find them.
      ...(certificates.length === 0
        ? []
        : [[hostCertificates, Buffer.from(`${certificates.join("\n")}\n`)] as [string, Buffer]]),
      ...Object.entries(files).map(([path, data]): [string, Uint8Array] => {
        const option = `files[${JSON.stringify(path)}]`;
        const absolute = absolutePathOf(option, path);
        if (absolute.endsWith("/") || /\/\.\.?$/.test(absolute))
          throw invalidOption(option, "must name a file");
        return [absolute, bytesOf(option, data)];
      }),
    ],
    ...mounted,
    sidecar,
    kernels: parseKernels(given.kernels),
    ...(fleet !== undefined && { fleet }),
    onBootTiming: functionOf("onBootTiming", given.onBootTiming),
    loopbackExemptPorts: portsOf("loopbackExemptPorts", given.loopbackExemptPorts),
    permissions: parsePermissions(given.permissions, toolsGiven),
    permissionTimeoutMs:
      timeoutOf(given.permissionTimeoutMs, "permissionTimeoutMs") ?? permissionTimeoutMs,
    tools: toolsOf(given),
    limits: parseLimits(given.limits),
    ...(given.deterministic !== undefined && {
      deterministic: deterministicOf(given.deterministic),
    }),
    ...recordOf(given),
    ...(network !== undefined && { network }),
    ...auditOf(given.audit, given.onDecision),
    ...(given.onLimitWarning !== undefined && {
      onLimitWarning: functionOf<LimitHook>("onLimitWarning", given.onLimitWarning)!,
    }),
    isolation: parseIsolation(given.isolation),
    jsRuntime: parseJsRuntime(given),
    engine: engineOf(given.engine ?? "forked", given.deterministic !== undefined),
    nativeAddons: nativeAddonsOf(given.nativeAddons ?? false, given.deterministic !== undefined),
  };
}

export function engineOf(value: unknown, deterministic = false): EngineKind {
  if (value === "dedicated" && deterministic)
    throw invalidOption("engine", 'must be "forked" in a deterministic machine');
  if (value === "forked" || value === "dedicated") return value;
  throw invalidOption("engine", 'must be "forked" or "dedicated"');
}

function nativeAddonsOf(value: unknown, deterministic: boolean): boolean {
  if (typeof value !== "boolean") throw invalidOption("nativeAddons", "must be a boolean");
  // Native code has clocks and threads that are nobody's to order.
  if (value && deterministic)
    throw invalidOption("nativeAddons", "must be false in a deterministic machine");
  return value;
}
