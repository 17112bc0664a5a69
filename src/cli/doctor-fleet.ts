/**
 * Owns what `secure-exec doctor --nats URL` finds of a fleet: the broker, whether leases can be in its store, and which
 * workers are heard of. It makes nothing there.
 * Untrusted: what the broker and workers say.
 */
import { setTimeout as wait } from "node:timers/promises";
import { fleetVersion } from "../protocol/fleet.js";
import type { LeaseKeeping, WorkerState } from "../protocol/fleet.js";
import { printable } from "../sdk/errors.js";
import type { ParsedFleetServers } from "../sdk/fleet/options.js";
import { table } from "./table.js";

/** Every worker says how it is once in that time. */
const listenMs = 1200;

export interface FleetReport {
  server: { version: string; roundTripMs: number; messageBytes: number };
  /** Of the fleet's protocol: workers of another one are not heard of. */
  protocol: number;
  /** Where `--leases auto` keeps them: what this account of the broker's offers. */
  leases: { by: LeaseKeeping; why: string };
  workers: { name: string; state: WorkerState; freeSlots: number; leases: LeaseKeeping }[];
}

/** Rejects with FLEET_CLIENT_MISSING and FLEET_UNREACHABLE. */
export async function examineFleet(servers: ParsedFleetServers): Promise<FleetReport> {
  const { Fleet } = await import("../sdk/fleet/fleet.js");
  const { LeaseStore, StoreError } = await import("../sdk/fleet/lease-store.js");
  const fleet = await Fleet.of(servers);
  const { broker } = fleet;
  // Nothing else keeps the process until the broker has answered.
  broker.hold();
  try {
    const roundTripMs = await broker.flush();
    const leases = await new LeaseStore(broker).look().then(
      (lifeMs): FleetReport["leases"] => ({
        by: "store",
        why:
          lifeMs === undefined
            ? "JetStream answers; the first worker makes the bucket"
            : `keys of the bucket live ${lifeMs / 1000} s`,
      }),
      (error: unknown): FleetReport["leases"] => {
        if (!(error instanceof StoreError)) throw error;
        return { by: "beats", why: error.message };
      },
    );
    await wait(listenMs);
    const workers = fleet.workers().map(({ name, state, slots, vms, leases: by }) => ({
      name,
      state,
      freeSlots: Math.max(0, slots - vms),
      leases: by,
    }));
    const { serverVersion: version, messageBytes } = broker;
    return {
      server: { version, roundTripMs, messageBytes },
      protocol: fleetVersion,
      leases,
      workers: workers.sort((a, b) => (a.name < b.name ? -1 : 1)),
    };
  } finally {
    broker.release();
    await broker.close();
  }
}

export function textOfFleet({ server, protocol, leases, workers }: FleetReport): string {
  const rows = workers.map(({ name, state, freeSlots, leases: by }) => [
    printable(name),
    state,
    String(freeSlots),
    by,
  ]);
  const heard =
    rows.length === 0
      ? "workers      none is heard of that speaks this version\n"
      : `\n${table([["WORKER", "STATE", "FREE", "LEASES"], ...rows])}`;
  const { version, roundTripMs, messageBytes } = server;
  return [
    `\nbroker       nats-server ${printable(version)}, ${roundTripMs.toFixed(1)} ms away, messages up to ${messageBytes} bytes\n`,
    `protocol     ${protocol}\n`,
    `leases       ${leases.by}: ${printable(leases.why)}\n`,
    heard,
  ].join("");
}
