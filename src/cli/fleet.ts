/** Owns what the commands about fleets have in common, and `secure-exec fleet status`. */
import { setTimeout as wait } from "node:timers/promises";
import { printable } from "../sdk/errors.js";
import { credentialsFromFile, parseFleetServers, textOfFile } from "../sdk/fleet/options.js";
import type { ParsedFleetServers } from "../sdk/fleet/options.js";
import { UsageError, countOf, parseArguments } from "./options.js";
import type { Arguments } from "./options.js";
import { table } from "./table.js";

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

function ageOf(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000);
  const parts: [number, string][] = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "m"],
    [seconds % 60, "s"],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  const shown = parts.slice(first === -1 ? 3 : first, (first === -1 ? 3 : first) + 2);
  return shown.map(([count, unit]) => `${count}${unit}`).join("");
}

async function status(args: readonly string[]): Promise<number> {
  const given = parseArguments(args, { values: [...serverOptions, "wait"], flags: ["json"] });
  const waitMs = countOf("--wait", given.value("wait") ?? "1200", 0, 60_000);
  const { Fleet } = await import("../sdk/fleet/fleet.js");
  const fleet = await Fleet.of(serversOf(given));
  // Every worker says how it is once in that time, and when it is asked.
  await wait(waitMs);
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
      ageOf(worker.ageMs),
      printable(
        Object.entries(worker.labels)
          .map((pair) => pair.join("="))
          .join(","),
      ),
    ]);
    const head = ["WORKER", "ID", "STATE", "MACHINES", "FREE MEMORY", "LOAD", "AGE", "LABELS"];
    process.stdout.write(table([head, ...rows]));
  }
  return workers.length > 0 ? 0 : 1;
}

/** `secure-exec fleet …`: the exit code; 1 when no worker is there. Throws `UsageError`. */
export function fleet([command, ...rest]: readonly string[]): Promise<number> {
  if (command !== "status") throw new UsageError("fleet knows one command, status");
  return status(rest);
}
