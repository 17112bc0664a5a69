/** Owns `secure-exec/mcp`: what is public of the port to the Model Context Protocol. */
export { McpServer } from "./server.js";
export type { McpServerOptions } from "./server.js";
export type { McpMessage, McpOutlet } from "./protocol.js";
export type {
  McpCompletion,
  McpContent,
  McpContext,
  McpElicitation,
  McpFeatures,
  McpLogLevel,
  McpPrompt,
  McpPromptArgument,
  McpPromptMessage,
  McpResource,
  McpResourceContents,
  McpResourceTemplate,
  McpTool,
  McpToolAnswer,
} from "./features.js";
export { serveStdio } from "./stdio.js";
export { serveMcpHttp } from "./http.js";
export type { McpHttpOptions, McpHttpServer } from "./http.js";
export { fromMcp, mcpTools } from "./client-tools.js";
export type { McpClient, McpToolsOptions } from "./client-tools.js";
