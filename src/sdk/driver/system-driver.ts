/**
 * Owns the two objects that the older generation puts a runtime together from: the
 * system driver, which is the options of a machine, and the factory of runtime
 * drivers, of which there is one kind.
 *
 * Invariants: what a driver does not allow is denied, in every scope; options are
 * checked when the driver is made and cannot be changed afterwards; one driver may
 * serve any number of runtimes, each with a machine of its own.
 */
import { resolve } from "node:path";
import { invalidOption } from "../errors.js";
import type { HostDirectoryMount, NodeModulesMount } from "../mounts.js";
import { bagOf, parseCreateOptions } from "../options.js";
import type { Bag, CreateOptions } from "../options.js";
import { scopeNames, scopeOf } from "../../protocol/permissions.js";
import type { Permissions } from "../permissions.js";
import type { HostTools } from "../tools.js";

export interface NodeDriverOptions {
  /** What programs may do. A scope that is left out is denied. */
  permissions?: Permissions;
  /** false shuts the network whatever `permissions.network` says. */
  useDefaultNetwork?: boolean;
  /** As of `NodeRuntime.create`. */
  permissionTimeoutMs?: number;
  loopbackExemptPorts?: number[];
  env?: Record<string, string>;
  cwd?: string;
  files?: Record<string, string | Uint8Array>;
  mounts?: HostDirectoryMount[];
  nodeModules?: string | NodeModulesMount;
  commandsDir?: string;
  tools?: HostTools;
  /** `cwd` is a directory of the host; its node_modules is shown read-only at /root/node_modules. */
  moduleAccess?: { cwd?: string };
}

const passedOn = [
  "permissionTimeoutMs",
  "loopbackExemptPorts",
  "env",
  "cwd",
  "files",
  "mounts",
  "nodeModules",
  "commandsDir",
  "tools",
] as const;
const driverNames = [...passedOn, "permissions", "useDefaultNetwork", "moduleAccess"];
/** Objects of the caller's that would act as the machine's own parts. */
const plannedNames = ["filesystem", "networkAdapter", "commandExecutor"];
const modulesPath = "/root/node_modules";

/** Adds a denial for each scope that is not named. */
function denyByDefault(given: Bag, useDefaultNetwork: boolean, toolsGiven: boolean): Bag {
  const complete: Record<string, unknown> = { ...given };
  const named = new Map(
    Object.entries(given)
      .filter(([, policy]) => policy !== undefined)
      .map(([name, policy]) => [scopeOf(name), policy]),
  );
  for (const scope of scopeNames) {
    if (named.has(scope)) continue;
    // Given tools open their scope, as everywhere.
    if (scope === "tool" && toolsGiven) continue;
    // The older generation has no such scope: who may start processes may signal them.
    const spawns = named.get("childProcess");
    const opened =
      scope === "process" && spawns !== undefined && !["deny", false].includes(spawns as never);
    complete[scope] = opened ? "allow" : "deny";
  }
  if (!useDefaultNetwork) complete["network"] = "deny";
  return complete;
}

function modulesOf(value: unknown): NodeModulesMount {
  const { cwd = process.cwd() } = bagOf(value, ["cwd"]);
  if (typeof cwd !== "string") throw invalidOption("moduleAccess.cwd", "must be a string");
  return { hostPath: resolve(cwd, "node_modules"), guestPath: modulesPath };
}

let optionsOf: (driver: NodeDriver, more: Bag) => CreateOptions;
export { optionsOf };

/** The options of machines; made by `createNodeDriver`. */
export class NodeDriver {
  readonly #given: Bag;

  static {
    optionsOf = (driver, more) => parseCreateOptions({ ...driver.#given, ...more });
  }

  /** Throws INVALID_OPTION, or NOT_IMPLEMENTED for parts that the caller would have to provide. */
  constructor(options?: NodeDriverOptions) {
    const given = bagOf(options, driverNames, plannedNames);
    const { moduleAccess, nodeModules, permissions = {}, useDefaultNetwork = true } = given;
    if (typeof useDefaultNetwork !== "boolean")
      throw invalidOption("useDefaultNetwork", "must be a boolean");
    if (typeof permissions !== "object" || permissions === null || Array.isArray(permissions))
      throw invalidOption("permissions", "must be an object");
    if (moduleAccess !== undefined && nodeModules !== undefined)
      throw invalidOption("moduleAccess", "means the same as nodeModules; give one");
    const toolsGiven = given.tools !== undefined;
    this.#given = {
      ...Object.fromEntries(passedOn.map((name) => [name, given[name]])),
      permissions: denyByDefault(permissions as Bag, useDefaultNetwork, toolsGiven),
      ...(moduleAccess !== undefined && { nodeModules: modulesOf(moduleAccess) }),
    };
    parseCreateOptions(this.#given);
  }
}

export function createNodeDriver(options?: NodeDriverOptions): NodeDriver {
  return new NodeDriver(options);
}

/** Says how programs are run, of which there is one way: in OS processes of their own. */
export class NodeRuntimeDriverFactory {}

export function createNodeRuntimeDriverFactory(
  options?: Record<string, never>,
): NodeRuntimeDriverFactory {
  bagOf(options, []);
  return Object.freeze(new NodeRuntimeDriverFactory());
}

/** Both objects, or the reason why they are not what they should be. */
export function checkDrivers(systemDriver: unknown, factory: unknown): NodeDriver {
  if (!(systemDriver instanceof NodeDriver))
    throw invalidOption("systemDriver", "must be made by createNodeDriver()");
  if (!(factory instanceof NodeRuntimeDriverFactory))
    throw invalidOption("runtimeDriverFactory", "must be made by createNodeRuntimeDriverFactory()");
  return systemDriver;
}
