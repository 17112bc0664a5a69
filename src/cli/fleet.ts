/** Owns what the commands about fleets have in common, and `secure-exec fleet`. */
import { setTimeout as wait } from "node:timers/promises";
import { printable } from "../sdk/errors.js";
import { credentialsFromFile, parseFleetServers, textOfFile } from "../sdk/fleet/options.js";
import type { ParsedFleetServers } from "../sdk/fleet/options.js";
import { UsageError, countOf, parseArguments } from "./options.js";
import type { Arguments } from "./options.js";
import { listMachines, revokeLeases } from "./leases.js";
import { ageOf, table } from "./table.js";

/** Options that say where the broker is and who asks. */
export const serverOptions = [
  "nats",
  "credentials",
  "tls-ca",
  "tls-cert",
  "tls-key",
  "subject",
  "inbox-prefix",
] as const;

/** Throws `UsageError` and INVALID_OPTION. */
export function serversOf(given: Arguments): ParsedFleetServers {
  const servers = given.values("nats").flatMap((text) => text.split(","));
  if (servers.length === 0) throw new UsageError("--nats is missing");
  const file = (name: string): Record<string, string> => {
    const path = given.value(`tls-${name}`);
    return path === undefined ? {} : { [name]: textOfFile(`--tls-${name}`, path) };
  };
  const tls = { ...file("ca"), ...file("cert"), ...file("key") };
  const credentials = given.value("credentials");
  return parseFleetServers(
    {
      servers,
      subject: given.value("subject"),
      inboxPrefix: given.value("inbox-prefix"),
      ...(Object.keys(tls).length > 0 && { tls }),
      ...(credentials !== undefined && {
        credentials: credentialsFromFile("--credentials", credentials),
      }),
    },
    "--nats",
  );
}

const mebibyte = 1024 ** 2;

async function status(args: readonly string[]): Promise<number> {
  const given = parseArguments(args, {
    values: [...serverOptions, "wait"],
    flags: ["json", "machines"],
  });
  const waitMs = countOf("--wait", given.value("wait") ?? "1200", 0, 60_000);
  const { Fleet } = await import("../sdk/fleet/fleet.js");
  const servers = serversOf(given);
  const fleet = await Fleet.of(servers);
  // Every worker says how it is once in that time, and when it is asked.
  await wait(waitMs);
  if (given.has("machines"))
    return listMachines(fleet, servers.subject, given.has("json")).finally(() =>
      fleet.broker.close(),
    );
  const workers = fleet.workers().sort((a, b) => (a.name < b.name ? -1 : 1));
  await fleet.broker.close();
  if (given.has("json")) process.stdout.write(`${JSON.stringify(workers, undefined, 2)}\n`);
  else {
    const rows = workers.map((worker) => [
      printable(worker.name),
      worker.worker.slice(0, 8),
      worker.state,
      `${worker.vms}/${worker.slots}`,
      `${Math.round(worker.freeBytes / mebibyte)}/${Math.round(worker.totalBytes / mebibyte)} MiB`,
      worker.load.toFixed(2),
      worker.leases,
      ageOf(worker.ageMs),
      printable(
        Object.entries(worker.labels)
          .map((pair) => pair.join("="))
          .join(","),
      ),
    ]);
    const head = [
      "WORKER",
      "ID",
      "STATE",
      "MACHINES",
      "FREE MEMORY",
      "LOAD",
      "LEASES",
      "AGE",
      "LABELS",
    ];
    process.stdout.write(table([head, ...rows]));
  }
  return workers.length > 0 ? 0 : 1;
}

async function revoke(args: readonly string[]): Promise<number> {
  const given = parseArguments(args, { values: [...serverOptions, "lease"] });
  const servers = serversOf(given);
  const { Fleet } = await import("../sdk/fleet/fleet.js");
  const fleet = await Fleet.of(servers);
  const wanted = given.values("lease").flatMap((text) => text.split(","));
  return revokeLeases(fleet, servers.subject, wanted).finally(() => fleet.broker.close());
}

/** `secure-exec fleet …`: the exit code; 1 when no worker is there. Throws `UsageError`. */
export function fleet([command, ...rest]: readonly string[]): Promise<number> {
  if (command === "status") return status(rest);
  if (command === "revoke") return revoke(rest);
  throw new UsageError("fleet knows status and revoke");
}
