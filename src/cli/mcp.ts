/**
 * Owns `secure-exec mcp`: the MCP server on this process's stdin and stdout, or on a port of
 * loopback.
 * Untrusted: what clients send; the port's modules check it.
 */
import { once } from "node:events";
import { durationOf, UsageError } from "./arguments.js";
import type { Arguments, Flag } from "./arguments.js";
import { machineOptionsOf } from "./machine-options.js";

const tokenVariable = "SECURE_EXEC_MCP_TOKEN";

export const mcpFlags: readonly Flag[] = [
  {
    name: "http",
    value: "PORT",
    valueOptional: true,
    help: "listen on that port of 127.0.0.1, or on a free one",
  },
  { name: "timeout", value: "TIME", help: "the longest that a call may take; 60s by default" },
];

/** The port of `--http PORT` or `--http=PORT`, 0 for a free one; undefined without. */
function portOf({ given, rest }: Arguments): number | undefined {
  const [inline] = given.get("http") ?? [];
  const [word, ...more] = rest;
  if (more.length > 0 || (inline === undefined && word !== undefined) || (inline && word))
    throw new UsageError("mcp takes nothing, or --http and a port");
  if (inline === undefined) return undefined;
  const port = Number((inline === "" ? word : inline) ?? "0");
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new UsageError("--http takes a port from 0 to 65535");
  return port;
}

/** Serves until the input ends or a signal comes. */
export async function mcp(words: Arguments): Promise<number> {
  const ended = Promise.race(["SIGINT", "SIGTERM", "SIGHUP"].map((name) => once(process, name)));
  const port = portOf(words);
  const [timeout] = words.given.get("timeout") ?? [];
  const runtime = machineOptionsOf(words.given);
  const { limits } = runtime;
  const options = {
    runtime,
    ...(limits !== undefined && { code: { runtime: { limits } } }),
    ...(timeout !== undefined && { timeoutMs: durationOf("--timeout", timeout) }),
  };
  if (port === undefined) {
    const { McpServer } = await import("../ports/mcp/server.js");
    const { serveStdio } = await import("../ports/mcp/stdio.js");
    const server = new McpServer(options);
    try {
      await Promise.race([serveStdio(server, process.stdin, process.stdout), ended]);
    } finally {
      await server.dispose();
    }
    return 0;
  }
  const token = process.env[tokenVariable];
  const { serveMcpHttp } = await import("../ports/mcp/http.js");
  const server = await serveMcpHttp({ ...options, port, ...(token !== undefined && { token }) });
  process.stderr.write(`listening at ${server.url}\n`);
  await ended;
  await server.close();
  return 0;
}
