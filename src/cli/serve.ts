/**
 * Owns `secure-exec serve`: a server on this host that clients of another system speak to.
 * Untrusted: what clients send; the port's modules check it.
 */
import { once } from "node:events";
import { UsageError } from "./arguments.js";
import type { Arguments, Flag } from "./arguments.js";
import { machineOptionsOf } from "./machine-options.js";

const keyVariable = "SECURE_EXEC_E2B_KEY";

export const serveFlags: readonly Flag[] = [
  {
    name: "e2b",
    value: "PORT",
    valueOptional: true,
    help: "for e2b's SDKs, on that port or on a free one (needed)",
  },
  { name: "host", value: "ADDRESS", help: `where to listen; 127.0.0.1 by default` },
  { name: "sandboxes", value: "COUNT", help: "sandboxes at a time; 32 by default" },
];

function countOf(option: string, text: string, most: number): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 0 || count > most)
    throw new UsageError(`${option} takes a whole number from 0 to ${most}`);
  return count;
}

/** Serves until a signal comes. */
export async function serve({ given, rest }: Arguments): Promise<number> {
  const ended = Promise.race(["SIGINT", "SIGTERM", "SIGHUP"].map((name) => once(process, name)));
  const [inline] = given.get("e2b") ?? [];
  const [word, ...more] = rest;
  if (inline === undefined || more.length > 0 || (inline !== "" && word !== undefined))
    throw new UsageError("serve takes --e2b and a port");
  const port = countOf("--e2b", (inline === "" ? word : inline) ?? "0", 65_535);
  const [host] = given.get("host") ?? [];
  const [sandboxes] = given.get("sandboxes") ?? [];
  const apiKey = process.env[keyVariable];
  if (apiKey !== undefined && !/^e2b_[0-9a-f]+$/.test(apiKey))
    throw new UsageError(`${keyVariable} must be e2b_ and hexadecimal digits`);
  const { serveE2b } = await import("../ports/e2b/server.js");
  const server = await serveE2b({
    runtime: machineOptionsOf(given),
    port,
    ...(host !== undefined && { host }),
    ...(sandboxes !== undefined && { sandboxes: countOf("--sandboxes", sandboxes, 10_000) }),
    ...(apiKey !== undefined && { apiKey }),
  });
  process.stdout.write(
    `E2B_API_URL=${server.url}\nE2B_SANDBOX_URL=${server.url}\nE2B_API_KEY=${server.apiKey}\n`,
  );
  await ended;
  await server.close();
  return 0;
}
