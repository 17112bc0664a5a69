/**
 * Owns `secure-exec mcp`: the MCP server on this process's stdin and stdout, or on a port of
 * loopback.
 * Untrusted: what clients send; the port's modules check it.
 */
import { once } from "node:events";
import { McpServer } from "../ports/mcp/server.js";
import { serveMcpHttp } from "../ports/mcp/http.js";
import { serveStdio } from "../ports/mcp/stdio.js";

const tokenVariable = "SECURE_EXEC_MCP_TOKEN";

/** The port behind `--http`, 0 for a free one; undefined for arguments that are wrong. */
function httpPortOf([flag, value, ...more]: string[]): number | undefined {
  if (flag !== "--http" || more.length > 0) return undefined;
  const port = Number(value ?? "0");
  return Number.isInteger(port) && port >= 0 && port <= 65_535 ? port : undefined;
}

/** Serves until the input ends or a signal comes; undefined for arguments that are wrong. */
export async function mcp(args: string[]): Promise<number | undefined> {
  const ended = Promise.race(["SIGINT", "SIGTERM", "SIGHUP"].map((name) => once(process, name)));
  if (args.length === 0) {
    const server = new McpServer();
    try {
      await Promise.race([serveStdio(server, process.stdin, process.stdout), ended]);
    } finally {
      await server.dispose();
    }
    return 0;
  }
  const port = httpPortOf(args);
  if (port === undefined) return undefined;
  const token = process.env[tokenVariable];
  const server = await serveMcpHttp({ port, ...(token !== undefined && { token }) });
  process.stderr.write(`listening at ${server.url}\n`);
  await ended;
  await server.close();
  return 0;
}
