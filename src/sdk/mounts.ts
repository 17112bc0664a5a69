/**
 * Owns the `mounts`, `nodeModules` and `commandsDir` options: their types and their checks.
 *
 * Invariants: what passes names an existing directory or file of the host, or an object that serves files, and a
 * place in the guest where a mount can be; no two mounts share a place or contain
 * one another. The kernel confines a mount to its host path; nothing here does.
 */
import { statSync } from "node:fs";
import { posix, resolve } from "node:path";
import type { VmMount } from "../protocol/host-calls.js";
import { providerLimits } from "../protocol/provider.js";
import { invalidOption, unknownOption } from "./errors.js";
import { FileProvider } from "./provider.js";
import type { NodeRuntimeFileProvider } from "./provider.js";

/** A directory or file of the host, shown at a path of the guest. */
export interface HostDirectoryMount {
  /** Absolute path in the guest. */
  guestPath: string;
  /** Path on the host; a relative one starts at the host's working directory. */
  hostPath: string;
  /** @default true */
  readOnly?: boolean;
}

/** A directory of the host of which a machine changes a copy of its own: what is changed stays in memory. */
export interface OverlayMount {
  /** Absolute path in the guest. */
  guestPath: string;
  overlay: {
    /** Directory of the host, which is only read; a relative path starts at the host's working directory. */
    lower: string;
  };
}

/** A file system that code of the host serves. */
export interface FileProviderMount {
  /** Absolute path in the guest. */
  guestPath: string;
  /** What serves it. */
  provider: NodeRuntimeFileProvider;
  /**
   * Refuses every change, whatever the provider can do.
   * @default false
   */
  readOnly?: boolean;
  /**
   * How long one question to the provider may take, in milliseconds; ETIMEDOUT then.
   * @default 10,000
   */
  timeoutMs?: number;
  /**
   * How long attributes, lists and links may be answered again without asking, in milliseconds. What programs of
   * the machine change is never old.
   * @default what the provider says, or 0
   */
  cacheMs?: number;
  /**
   * The largest file that is read or written; EFBIG beyond.
   * @default 64 MiB
   */
  maxFileBytes?: number;
}

/** A node_modules directory of the host, always read-only. */
export interface NodeModulesMount {
  /** Path on the host; a relative one starts at the host's working directory. */
  hostPath: string;
  /** @default /tmp/node_modules, to which /node_modules leads, so that every program finds it */
  guestPath?: string;
}

const defaultNodeModulesPath = "/tmp/node_modules";
/** Programs are written to /tmp; the others are the kernel's own file systems. */
const takenPlaces = ["/", "/tmp", "/proc", "/dev", "/sys"];
const kernelTrees = ["/proc", "/dev", "/sys"];

type Bag = Readonly<Record<string, unknown>>;

function bagOf(option: string, value: unknown, known: readonly string[]): Bag {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw invalidOption(option, "must be an object");
  const given = Object.entries(value).filter(([, entry]) => entry !== undefined);
  for (const [name] of given) {
    if (!known.includes(name)) throw unknownOption([name], known, `${option}.`);
  }
  return Object.fromEntries(given);
}

function textOf(option: string, value: unknown): string {
  if (typeof value !== "string") throw invalidOption(option, "must be a string");
  if (value === "") throw invalidOption(option, "must not be empty");
  if (value.includes("\0")) throw invalidOption(option, "must not contain a NUL character");
  return value;
}

function isBelow(path: string, directory: string): boolean {
  return path === directory || path.startsWith(`${directory}/`);
}

/** A place where a mount can be, in the form in which it is known. */
export function guestPathOf(option: string, value: unknown): string {
  const given = textOf(option, value);
  if (!given.startsWith("/")) throw invalidOption(option, "must be an absolute path of the guest");
  if (given.split("/").includes("..")) throw invalidOption(option, 'must not contain ".."');
  const path = posix.normalize(given).replace(/(.)\/$/, "$1");
  if (Buffer.byteLength(path) >= 4096) throw invalidOption(option, "is too long for a path");
  if (takenPlaces.includes(path) || kernelTrees.some((tree) => isBelow(path, tree)))
    throw invalidOption(option, `must not be ${path}, which the machine needs for itself`);
  return path;
}

/** Whose directories a mount names: this host's, or those of a fleet's worker, which looks for itself. */
export type MountOwner = "host" | "worker";

function hostPathOf(
  option: string,
  value: unknown,
  directoryOnly: boolean,
  owner: MountOwner,
): string {
  const given = textOf(option, value);
  if (owner === "worker" && given.startsWith("/")) return posix.normalize(given);
  if (owner === "worker") throw invalidOption(option, "must be an absolute path of the worker");
  const path = resolve(given);
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) throw invalidOption(option, `does not exist on the host: ${path}`);
  if (stat.isDirectory()) return path;
  if (directoryOnly) throw invalidOption(option, "must be a directory of the host");
  if (!stat.isFile()) throw invalidOption(option, "must be a directory or a regular file");
  return path;
}

function hostDirectoryMount(option: string, value: unknown, owner: MountOwner): VmMount {
  const given = bagOf(option, value, ["guestPath", "hostPath", "readOnly"]);
  const { readOnly = true } = given;
  if (typeof readOnly !== "boolean") throw invalidOption(`${option}.readOnly`, "must be a boolean");
  return {
    option,
    guestPath: guestPathOf(`${option}.guestPath`, given.guestPath),
    hostPath: hostPathOf(`${option}.hostPath`, given.hostPath, false, owner),
    readOnly,
  };
}

const defaultProviderTimeoutMs = 10_000;
const defaultMaxFileBytes = 64 * 1024 * 1024;
/** setTimeout's, and most of a day and a half more than anybody waits. */
const longestMs = 2 ** 31 - 1;

/** A mount as it is parsed, and what serves it. */
export interface ParsedMount {
  mount: VmMount;
  provider?: FileProvider;
}

let lastProvider = 0;

function numberOf(option: string, value: unknown, least: number, most: number): number {
  if (typeof value !== "number" || !(value >= least && value <= most))
    throw invalidOption(option, `must be a number from ${least} to ${most}`);
  return value;
}

/** `below`: the directory of the provider that is the mount's root. */
function providerMount(option: string, value: unknown, below = ""): ParsedMount {
  const given = bagOf(option, value, [
    "guestPath",
    "provider",
    "readOnly",
    "timeoutMs",
    "cacheMs",
    "maxFileBytes",
  ]);
  const { provider: object, readOnly = false } = given;
  if (typeof readOnly !== "boolean") throw invalidOption(`${option}.readOnly`, "must be a boolean");
  if (typeof object !== "object" || object === null)
    throw invalidOption(`${option}.provider`, "must be an object of functions");
  const provider = new FileProvider(object, below);
  if (!provider.operations.includes("stat"))
    throw invalidOption(`${option}.provider`, "must have a method stat or lstat");
  const { cacheMs = (object as NodeRuntimeFileProvider).cacheMs ?? 0 } = given;
  const { timeoutMs = defaultProviderTimeoutMs, maxFileBytes = defaultMaxFileBytes } = given;
  lastProvider = (lastProvider + 1) >>> 0;
  const settings = {
    id: lastProvider,
    operations: provider.operations,
    timeoutMs: numberOf(`${option}.timeoutMs`, timeoutMs, 1, longestMs),
    cacheMs: numberOf(`${option}.cacheMs`, cacheMs, 0, longestMs),
    maxFileBytes: numberOf(`${option}.maxFileBytes`, maxFileBytes, 1, providerLimits.maxFileBytes),
  };
  const guestPath = guestPathOf(`${option}.guestPath`, given.guestPath);
  return { mount: { option, guestPath, provider: settings, readOnly }, provider };
}

/** A directory of an object that serves files, at its own path. */
export function servedMount(option: string, path: string, provider: object): ParsedMount {
  return providerMount(option, { guestPath: path, provider }, path);
}

function overlayMount(option: string, value: unknown, owner: MountOwner): VmMount {
  const { guestPath, overlay } = bagOf(option, value, ["guestPath", "overlay"]);
  const { lower } = bagOf(`${option}.overlay`, overlay, ["lower"]);
  return {
    option,
    guestPath: guestPathOf(`${option}.guestPath`, guestPath),
    hostPath: hostPathOf(`${option}.overlay.lower`, lower, true, owner),
    overlay: true,
    readOnly: false,
  };
}

/** A mount of the option `mounts`, or of `NodeRuntime.mount`. */
export function mountOf(option: string, value: unknown, owner: MountOwner = "host"): ParsedMount {
  if (typeof value === "object" && value !== null && "provider" in value)
    return providerMount(option, value);
  if (typeof value === "object" && value !== null && "overlay" in value)
    return { mount: overlayMount(option, value, owner) };
  return { mount: hostDirectoryMount(option, value, owner) };
}

function nodeModulesMount(value: unknown, owner: MountOwner): VmMount {
  const option = "nodeModules";
  if (typeof value === "string") {
    const hostPath = hostPathOf(option, value, true, owner);
    return { option, guestPath: defaultNodeModulesPath, hostPath, readOnly: true };
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw invalidOption(option, "must be a path of the host or an object");
  const given = bagOf(option, value, ["guestPath", "hostPath"]);
  const { guestPath = defaultNodeModulesPath } = given;
  return {
    option,
    guestPath: guestPathOf(`${option}.guestPath`, guestPath),
    hostPath: hostPathOf(`${option}.hostPath`, given.hostPath, true, owner),
    readOnly: true,
  };
}

/** Where the guest's PATH looks first. */
const commandsPath = "/usr/local/sbin";
const commandsVariable = "SECURE_EXEC_WASM_COMMANDS_DIR";

/** The directory of commands: the option, or else the host's environment. */
function commandsMount(value: unknown, owner: MountOwner): VmMount | undefined {
  const option = value === undefined ? commandsVariable : "commandsDir";
  const byDefault = owner === "host" ? process.env[commandsVariable] : undefined;
  const given = value ?? (byDefault || undefined);
  if (given === undefined) return undefined;
  const hostPath = hostPathOf(option, given, true, owner);
  return { option, guestPath: commandsPath, hostPath, readOnly: true, executable: true };
}

/** Every mount that the three options ask for. */
export function mountsOf(
  mounts: unknown,
  nodeModules: unknown,
  commandsDir?: unknown,
  owner: MountOwner = "host",
): { mounts: VmMount[]; providers: ReadonlyMap<number, FileProvider> } {
  if (mounts !== undefined && !Array.isArray(mounts))
    throw invalidOption("mounts", "must be an array");
  const parsed = ((mounts ?? []) as unknown[]).map((mount, index) =>
    mountOf(`mounts[${index}]`, mount, owner),
  );
  const providers = parsed.flatMap(({ mount, provider }): [number, FileProvider][] =>
    provider === undefined ? [] : [[mount.provider!.id, provider]],
  );
  const all = parsed.map(({ mount }) => mount);
  if (nodeModules !== undefined) all.push(nodeModulesMount(nodeModules, owner));
  const commands = commandsMount(commandsDir, owner);
  if (commands !== undefined) all.push(commands);
  all.forEach((mount, index) => {
    for (const other of all.slice(0, index)) {
      if (!isBelow(mount.guestPath, other.guestPath) && !isBelow(other.guestPath, mount.guestPath))
        continue;
      const same = mount.guestPath === other.guestPath;
      const problem = same ? "is also the place of" : "overlaps with the place of";
      throw invalidOption(
        mount.executable === true ? mount.option : `${mount.option}.guestPath`,
        `${mount.guestPath} ${problem} ${other.option} (${other.guestPath})`,
      );
    }
  });
  return { mounts: all, providers: new Map(providers) };
}
