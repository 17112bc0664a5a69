/**
 * Owns what a host learns of the layers around its programs, and what it may insist on.
 * The answers are the zygote's own, about itself and so about every guest forked from it.
 */
import type { KernelStats } from "../protocol/host-calls.js";
import { isolationLayers } from "../protocol/isolation.js";
import type { IsolationLayer, IsolationReport } from "../protocol/isolation.js";
import { failure, invalidOption } from "./errors.js";
import type { KernelConnection } from "./kernel-connection.js";

export type { IsolationLayer };

/** What has to be between programs and the host. */
export interface IsolationOptions {
  /**
   * Layers without which `create` rejects with ISOLATION_UNAVAILABLE, naming the first that is missing and why;
   * what no program runs without is not optional (docs/isolation.md).
   * @default []
   */
  require?: IsolationLayer[];
}

/** One layer around the programs that run now. */
export type NodeRuntimeIsolationLayer = Readonly<IsolationReport>;

const names: readonly string[] = isolationLayers;

/** The layers that the option names; throws INVALID_OPTION. */
export function parseIsolation(value: unknown): readonly string[] {
  if (value === undefined) return [];
  if (typeof value !== "object" || value === null)
    throw invalidOption("isolation", "must be an object");
  for (const key of Object.keys(value)) {
    if (key !== "require") throw invalidOption(`isolation.${key}`, "is unknown");
  }
  const { require: required = [] } = value as { require?: unknown };
  if (!Array.isArray(required)) throw invalidOption("isolation.require", "must be an array");
  for (const name of required) {
    if (typeof name !== "string" || !names.includes(name)) {
      throw invalidOption("isolation.require", `must hold names of layers: ${names.join(", ")}`);
    }
  }
  return required as string[];
}

/** Every layer, in the order in which they matter. */
export async function isolationOf(
  connection: KernelConnection,
): Promise<NodeRuntimeIsolationLayer[]> {
  const { json } = await connection.call("stats", {});
  return (JSON.parse(json) as KernelStats).isolation;
}

/** Rejects with ISOLATION_UNAVAILABLE unless programs have all of them. */
export async function requireLayers(
  connection: KernelConnection,
  required: readonly string[],
): Promise<void> {
  const layers = await isolationOf(connection);
  for (const name of required) {
    const found = layers.find(({ layer }) => layer === name);
    if (found?.active === true) continue;
    const why = `${name}: ${found?.why ?? "nothing is known of it"}`;
    throw failure("ISOLATION_UNAVAILABLE", { why }, { details: { layer: name } });
  }
}
