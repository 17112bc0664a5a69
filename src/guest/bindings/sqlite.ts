/**
 * Puts the machine's files under `node:sqlite`. The engine's SQLite, its classes and their
 * checks stay; what is ours is the file system below it and the few places where native
 * code would call into it at a wrong time. It protects nothing: files are the kernel's.
 */
import { beforeFirstLoad } from "../builtin-loads.js";
import type { GuestEnvironment } from "../environment.js";
import type * as Databases from "../sqlite/databases.js";
import type { EngineModule } from "../engine-types.js";

// Loaded by those who open a database: the zygote's start would pay for it.
const databases = (): typeof Databases => require("../sqlite/databases.js");

export function installSqlite(env: GuestEnvironment): void {
  const place = beforeFirstLoad(env.requireBuiltin, ["sqlite"], () => placeFiles(env));
  prepareStorage = () => {
    place();
    databases().prepare(env);
  };
}

function placeFiles(env: GuestEnvironment): void {
  const binding = env.internalBinding("sqlite");
  const native = binding.DatabaseSync;
  const offered = new Proxy(native, {
    construct: (_, args, newTarget) => databases().construct(env, args, newTarget),
  });
  native.prototype.constructor = offered;
  binding.DatabaseSync = offered;
  binding.backup = function backup(
    source: unknown,
    path: unknown,
    ...options: unknown[]
  ): Promise<number> {
    return databases().backup(env, [source, path, ...options]);
  };
  databaseClasses = { Database: native, Statement: binding.StatementSync };
}

/** For what else of the engine keeps its data in SQLite: localStorage. */
export let prepareStorage: () => void;

/** The engine's own, of this thread. */
export let databaseClasses: { Database: EngineModule; Statement: EngineModule };

/** In a worker: what its maker shares with it. */
export let threadLedger: SharedArrayBuffer | undefined;

export function shareLedger(shared: SharedArrayBuffer): void {
  threadLedger = shared;
}

/** Two addresses, the first of which is 0 until a database was opened; then whether a callback runs. */
export const ledgerAddresses = 2;
export const ledgerAddressBytes = ledgerAddresses * BigUint64Array.BYTES_PER_ELEMENT;

/** For ../sqlite/thread-ledger.ts, which only those load whose workers open databases. */
export const newLedger = (): SharedArrayBuffer =>
  new SharedArrayBuffer(ledgerAddressBytes + Int32Array.BYTES_PER_ELEMENT);

export const usesDatabases = (ledger: SharedArrayBuffer): boolean =>
  Atomics.load(new BigUint64Array(ledger, 0, ledgerAddresses), 0) !== 0n;
