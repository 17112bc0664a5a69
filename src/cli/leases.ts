/**
 * Owns what the command line says and does about leases in the broker's store: the list by holder, and taking one back.
 * Untrusted: what the store has, which whoever may write there has written.
 */
import { parseLeaseText } from "../protocol/fleet.js";
import type { LeaseText } from "../protocol/fleet.js";
import { printable } from "../sdk/errors.js";
import type { Fleet } from "../sdk/fleet/fleet.js";
import { LeaseStore, StoreError, forEach } from "../sdk/fleet/lease-store.js";
import { UsageError } from "./options.js";
import { ageOf, table } from "./table.js";

/** So much of an identifier is shown; as much is enough to name it where nothing else begins so. */
const shownChars = 12;

interface Listed extends LeaseText {
  /** The last part of its key: of a machine a digest, of a worker its identifier. */
  readonly id: string;
  readonly key: string;
  readonly renewed: string;
  /** Whether its worker has been heard of. */
  readonly heard: boolean;
}

const idOf = (key: string): string => key.slice(key.lastIndexOf(".") + 1);

async function listOf(store: LeaseStore, prefix: string, heard: Set<string>): Promise<Listed[]> {
  const listed: Listed[] = [];
  await forEach(await store.keys(prefix), async (key) => {
    const entry = await store.get(key);
    const text = entry?.isRevoked === false ? parseLeaseText(entry.value) : undefined;
    if (entry === undefined || text === undefined) return;
    listed.push({
      id: idOf(key),
      key,
      ...text,
      // The first write does not know it yet.
      number: text.number || entry.revision,
      renewed: entry.time,
      heard: heard.has(text.worker),
    });
  });
  return listed.sort((a, b) =>
    a.holder === b.holder ? a.number - b.number : a.holder < b.holder ? -1 : 1,
  );
}

/** What the store cannot do, on stderr: 1. */
function without(error: unknown): number {
  if (!(error instanceof StoreError)) throw error;
  process.stderr.write(
    `secure-exec: no leases in the broker's store: ${printable(error.message)}\n`,
  );
  return 1;
}

/** Lists machines by who holds them: the exit code, 1 where leases are not in a store. */
export async function listMachines(fleet: Fleet, prefix: string, isJson: boolean): Promise<number> {
  const store = new LeaseStore(fleet.broker);
  const heard = new Set(fleet.workers().map(({ worker }) => worker));
  let machines: Listed[];
  let workers: Listed[];
  try {
    [machines, workers] = await Promise.all([
      listOf(store, `${prefix}.vm.`, heard),
      listOf(store, `${prefix}.worker.`, heard),
    ]);
  } catch (error) {
    return without(error);
  }
  if (isJson) {
    process.stdout.write(`${JSON.stringify({ machines, workers }, undefined, 2)}\n`);
    return 0;
  }
  const rows = machines.map((one) => [
    printable(one.holder),
    one.id.slice(0, shownChars),
    String(one.number),
    printable(one.name),
    one.worker.slice(0, shownChars),
    one.heard ? "held" : "silent",
    `${one.leaseMs / 1000}s`,
    ageOf(Math.max(0, Date.now() - one.since)),
  ]);
  const head = ["HOLDER", "MACHINE", "NUMBER", "WORKER", "ID", "STATE", "LEASE", "AGE"];
  process.stdout.write(table([head, ...rows]));
  for (const { name, id, heard: isHeard } of workers)
    if (!isHeard)
      process.stdout.write(
        `worker ${printable(name)} (${id.slice(0, shownChars)}) is in the store and was not heard of\n`,
      );
  return 0;
}

/** Takes leases back: their machines end, and a worker drains. Throws `UsageError` for what names none or several. */
export async function revokeLeases(
  fleet: Fleet,
  prefix: string,
  wanted: readonly string[],
): Promise<number> {
  if (wanted.length === 0) throw new UsageError("--lease is missing");
  const store = new LeaseStore(fleet.broker);
  try {
    const all = [
      ...(await store.keys(`${prefix}.vm.`)),
      ...(await store.keys(`${prefix}.worker.`)),
    ];
    const found = wanted.map((part) => {
      const fit = all.filter((key) => idOf(key).startsWith(part));
      if (part === "" || fit.length !== 1)
        throw new UsageError(`--lease ${part} names ${part === "" ? 0 : fit.length} leases`);
      return fit[0]!;
    });
    for (const key of found) {
      await store.revoke(key);
      process.stdout.write(`revoked ${key}\n`);
    }
  } catch (error) {
    return without(error);
  }
  return 0;
}
