/** Owns how a runtime with the `fleet` option comes to a kernel: a session of its own with a worker that has room. */
import { KernelConnection } from "../kernel-connection.js";
import { Fleet } from "./fleet.js";
import { FleetLink } from "./link.js";
import type { ParsedFleet } from "./options.js";

/** Rejects with FLEET_FULL, FLEET_UNREACHABLE and FLEET_CLIENT_MISSING. */
export async function placeMachine(wanted: ParsedFleet): Promise<KernelConnection> {
  const fleet = await Fleet.of(wanted);
  const placed = await fleet.place(wanted);
  return KernelConnection.over(new FleetLink(fleet, placed, wanted.leaseMs));
}
