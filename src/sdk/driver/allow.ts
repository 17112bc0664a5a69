/**
 * Owns the ready-made permissions. `allowAllFs` and its like can be the value of a
 * scope (`fs: allowAllFs`) or be spread into permissions (`...allowAllFs`).
 *
 * Invariant: each opens exactly the scopes it has as keys; permissions.ts sees that
 * key and asks nobody, so that a helper costs no more than "allow".
 */
import type { Permissions } from "../permissions.js";

/** A check that says yes to everything, and permissions that allow the scope. */
export type AllowAll<K extends keyof Permissions> = (() => true) & Readonly<Record<K, "allow">>;

function allow<K extends keyof Permissions>(scope: K): AllowAll<K> {
  return Object.freeze(
    Object.assign(() => true as const, { [scope]: "allow" as const }),
  ) as AllowAll<K>;
}

/** Every file operation. */
export const allowAllFs = allow("fs");
/** Every connection, datagram, listener and look-up, but for addresses that are not public. */
export const allowAllNetwork = allow("network");
/** Starting every command. */
export const allowAllChildProcess = allow("childProcess");
/** Reading and setting every environment variable. */
export const allowAllEnv = allow("env");

/** Everything, in every scope. */
export const allowAll = Object.freeze({
  ...allowAllFs,
  ...allowAllNetwork,
  ...allowAllChildProcess,
  ...allowAllEnv,
  process: "allow",
  tool: "allow",
} as const) satisfies Permissions;
