/**
 * Owns the MCP server's stdio transport: a message a line, both ways.
 *
 * Invariants: messages are whole lines; a line over `lineBytes` ends the conversation, and so does the
 * end of the input, once what was asked has been answered; a client that does not read misses what nobody waits for.
 * Untrusted: the input.
 */
import type { Readable, Writable } from "../../protocol/node-types.js";
import type { McpMessage, McpOutlet } from "./protocol.js";
import type { McpServer } from "./server.js";

const lineBytes = 16 * 1024 * 1024;
/** Unread output beyond which notifications are left out. */
const unreadBytes = 4 * 1024 * 1024;

/**
 * Serves until the input ends.
 * @throws {RangeError} for a line that is too long.
 * @throws {Error} of the streams.
 * @example
 * import { McpServer, serveStdio } from "secure-exec/mcp";
 *
 * await using server = new McpServer();
 * await serveStdio(server, process.stdin, process.stdout);
 */
export async function serveStdio(
  server: McpServer,
  input: Readable,
  output: Writable,
): Promise<void> {
  const open = new Set<Promise<void>>();
  const say = (message: McpMessage): void => {
    if (!output.destroyed) output.write(`${JSON.stringify(message)}\n`);
  };
  const outlet: McpOutlet = {
    send: (message) => {
      if (message.id !== undefined || output.writableLength < unreadBytes) say(message);
    },
  };
  const answer = async (line: string): Promise<void> => {
    const said = await server.handleText(line, outlet);
    if (said !== undefined) say(said);
  };
  server.connect(outlet);
  // An output that is gone takes no answers; the input's end follows.
  output.on("error", () => input.destroy());
  let parts: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of input) {
      let rest = Buffer.from(chunk as Uint8Array);
      for (let end = rest.indexOf(10); end !== -1; end = rest.indexOf(10)) {
        const line = Buffer.concat([...parts, rest.subarray(0, end)]).toString("utf8");
        rest = rest.subarray(end + 1);
        parts = [];
        bytes = 0;
        if (line.trim() === "") continue;
        const done: Promise<void> = answer(line).finally(() => open.delete(done));
        open.add(done);
      }
      parts.push(rest);
      bytes += rest.byteLength;
      if (bytes > lineBytes) throw new RangeError(`a message has at most ${lineBytes} bytes`);
    }
  } catch (error) {
    if (!output.destroyed) throw error;
  } finally {
    server.hangUp();
  }
  await Promise.all(open);
}
