/**
 * Owns `secure-exec worker`: a worker of a fleet in this process, its log on stderr, its metrics on a
 * port, and what signals mean to it.
 * Untrusted: requests to the metrics port, of which only method and path are looked at.
 */
import { createServer } from "node:http";
import type { Server } from "node:http";
import { realpathSync } from "node:fs";
import { fleetLimits } from "../protocol/fleet.js";
import { labelsOf } from "../sdk/fleet/options.js";
import { memoryOfHost } from "../worker/load.js";
import type { Capacity } from "../worker/load.js";
import { logTo } from "../worker/log.js";
import type { Worker } from "../worker/worker.js";
import { serverOptions, serversOf } from "./fleet.js";
import { UsageError, bytesOf, countOf, pairsOf, parseArguments } from "./options.js";

const values = [
  ...serverOptions,
  "name",
  "capacity",
  "labels",
  "mounts",
  "metrics",
  "drain-timeout",
  "leases",
];
const defaultDrainSeconds = 30;
/** A machine with one program that does little is about this much; see docs/performance.md. */
const bytesPerMachine = 16 * 1024 ** 2;
const mostSlots = 100_000;

function capacityOf(texts: readonly string[]): Capacity {
  const { machines, reserve, ...others } = pairsOf("capacity", texts);
  const [unknown] = Object.keys(others);
  if (unknown !== undefined)
    throw new UsageError(`--capacity knows machines and reserve, not ${unknown}`);
  const { totalBytes } = memoryOfHost();
  const reserveBytes =
    reserve === undefined ? totalBytes / 16 : bytesOf("--capacity reserve", reserve);
  const fit = Math.floor((totalBytes - reserveBytes) / bytesPerMachine);
  const slots =
    machines === undefined
      ? Math.max(1, Math.min(fit, mostSlots))
      : countOf("--capacity machines", machines, 1, mostSlots);
  return { slots, reserveBytes };
}

function mountsOf(directories: readonly string[]): string[] {
  return directories.map((directory) => {
    try {
      return realpathSync(directory);
    } catch {
      throw new UsageError(`--mounts ${directory} does not exist`);
    }
  });
}

/** `[host:]port`; the host is this machine alone unless another is given. */
function listen(server: Server, text: string): Promise<string> {
  const [, host = "127.0.0.1", port] = /^(?:(.*):)?(\d{1,5})$/.exec(text) ?? [];
  if (port === undefined || Number(port) > 65_535)
    throw new UsageError("--metrics takes [host:]port");
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(Number(port), host, () => {
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? `${host}:${address.port}` : text);
    });
  });
}

function metricsOf(worker: Worker): Server {
  return createServer((request, response) => {
    const answer = (status: number, type: string, text: string): void => {
      response.writeHead(status, { "content-type": type }).end(text);
    };
    const plain = "text/plain; version=0.0.4; charset=utf-8";
    if (request.url === "/metrics") {
      worker.metricsText().then(
        (text) => answer(200, plain, text),
        (error: unknown) => answer(500, plain, String(error)),
      );
      return;
    }
    if (request.url === "/healthz") return answer(worker.isConnected ? 200 : 503, plain, "");
    // Ready: takes machines, or would as soon as there is room.
    if (request.url === "/readyz") return answer(worker.load.draining ? 503 : 200, plain, "");
    answer(404, plain, "");
  });
}

/** Serves until a signal; 0 when every machine had ended by itself, else 1. Throws `UsageError`. */
export async function worker(args: readonly string[]): Promise<number> {
  const given = parseArguments(args, { values, flags: ["loopback-ports"] });
  const drainMs =
    1000 *
    countOf("--drain-timeout", given.value("drain-timeout") ?? `${defaultDrainSeconds}`, 0, 86_400);
  const log = logTo((line) => process.stderr.write(line));
  const name = given.value("name");
  if (name !== undefined && (name === "" || name.length > fleetLimits.nameChars))
    throw new UsageError(`--name takes 1 to ${fleetLimits.nameChars} characters`);
  const leases = given.value("leases") ?? "auto";
  if (leases !== "auto" && leases !== "beats") throw new UsageError("--leases takes auto or beats");
  const { Worker: Started } = await import("../worker/worker.js");
  const started = await Started.start({
    servers: serversOf(given),
    ...(name !== undefined && { name }),
    labels: labelsOf("--labels", pairsOf("labels", given.values("labels"))),
    capacity: capacityOf(given.values("capacity")),
    rules: { mounts: mountsOf(given.values("mounts")), loopback: given.has("loopback-ports") },
    isStoreWanted: leases === "auto",
    log,
  });
  const metrics = metricsOf(started);
  const port = given.value("metrics");
  if (port !== undefined) log.info("metrics", { address: await listen(metrics, port) });
  log.info("ready", {
    worker: started.id,
    name: started.name,
    machines: started.load.capacity.slots,
  });
  await new Promise<void>((resolve) => {
    process.once("SIGTERM", resolve);
    process.once("SIGINT", resolve);
    void started.recalled.then(resolve);
  });
  // A second one does not wait for the deadline.
  process.once("SIGTERM", () => process.exit(1));
  process.once("SIGINT", () => process.exit(1));
  const cutOff = await started.drain(drainMs);
  log.info("drained", { cutOff });
  metrics.close();
  metrics.closeAllConnections();
  return cutOff === 0 ? 0 : 1;
}
