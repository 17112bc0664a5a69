// Model Context Protocol: a server that runs code. Clients start it with `secure-exec mcp`.
import { McpServer } from "secure-exec/mcp";

await using server = new McpServer({ timeoutMs: 20_000 });
const answer = await server.handle({
  jsonrpc: "2.0",
  id: 1,
  method: "tools/call",
  params: { name: "run_code", arguments: { code: "return [1, 2, 3].map((n) => n * n)" } },
});
const { content } = (answer?.result ?? { content: [] }) as { content: { text: string }[] };
console.log(content[0]?.text.replace(/\s+/g, " "));
