/**
 * Owns the step from an MCP client to host tools: what the client's server offers becomes tools that
 * programs of a machine may call.
 *
 * The client is given, connected, and stays the caller's; its type is written after `Client` of the
 * MCP SDK. Untrusted: names, schemas and results of the server.
 */
import type { HostToolDefinition, HostToolNamespaces, HostTools } from "../../index.js";

/** The part of an MCP client that is needed. */
export interface McpClient {
  listTools: (params?: { cursor?: string }) => Promise<{
    tools: { name: string; description?: string | undefined; inputSchema: unknown }[];
    nextCursor?: string | undefined;
  }>;
  callTool: (
    params: { name: string; arguments?: Record<string, unknown> },
    resultSchema?: undefined,
    options?: { signal?: AbortSignal },
  ) => Promise<unknown>;
}

/** How the client's tools become host tools. */
export interface McpToolsOptions {
  /**
   * In front of every name, as "github_".
   * @default none
   */
  prefix?: string;
  /**
   * Milliseconds for one call; 0 for no bound.
   * @default 30 000
   */
  timeoutMs?: number;
}

/**
 * As `mcpTools`, under a name of its own on `tools`.
 * @throws {Error} where two names would become one, there are too many, or the client fails.
 * @example
 * import { fromMcp, type McpClient } from "secure-exec/mcp";
 *
 * export const toolsOf = (client: McpClient) => fromMcp(client, { namespace: "github" });
 */
export async function fromMcp(
  client: McpClient,
  options: Omit<McpToolsOptions, "prefix"> & { namespace?: string } = {},
): Promise<HostTools | HostToolNamespaces> {
  const { namespace, ...rest } = options;
  const tools = await mcpTools(client, rest);
  return namespace === undefined ? tools : { [namespace]: tools };
}

const pageLimit = 32;
const descriptionChars = 4096;

/** A name that tools may have. */
function plainName(name: string): string {
  const plain = name.replace(/[^A-Za-z0-9_-]/g, "_").slice(0, 64);
  return /^[A-Za-z]/.test(plain) ? plain : `t_${plain}`.slice(0, 64);
}

/** What a call resolves with in the program: structured content, or the texts of the content. */
function valueOf(result: unknown): unknown {
  const { content, structuredContent, isError } = result as Record<string, unknown>;
  const parts: unknown[] = Array.isArray(content) ? content : [];
  const texts = parts.map((part) => (part as { text?: unknown } | null)?.text);
  const text = texts.filter((each) => typeof each === "string").join("\n");
  if (isError === true) throw new Error(text === "" ? "the tool failed" : text);
  if (structuredContent !== undefined) return structuredContent;
  return parts.length === texts.filter((each) => typeof each === "string").length ? text : parts;
}

/**
 * Tools for `NodeRuntime.create({ tools })`.
 * @throws {Error} where two names would become one, there are too many, or the client fails.
 * @example
 * import { mcpTools, type McpClient } from "secure-exec/mcp";
 *
 * export const toolsOf = (client: McpClient) => mcpTools(client, { prefix: "github_" });
 */
export async function mcpTools(
  client: McpClient,
  options: McpToolsOptions = {},
): Promise<HostTools> {
  const { prefix = "", timeoutMs } = options;
  const tools: Record<string, HostToolDefinition> = {};
  let cursor: string | undefined;
  for (let page = 0; page < pageLimit; page++) {
    const list = await client.listTools(cursor === undefined ? {} : { cursor });
    for (const { name, description = "", inputSchema } of list.tools) {
      const plain = plainName(prefix + name);
      if (Object.hasOwn(tools, plain)) throw new Error(`two tools would have the name ${plain}`);
      tools[plain] = {
        description: description.slice(0, descriptionChars),
        inputSchema: inputSchema as Record<string, unknown>,
        ...(timeoutMs !== undefined && { timeoutMs }),
        handler: async (input: Record<string, unknown>, { signal }) =>
          valueOf(await client.callTool({ name, arguments: input }, undefined, { signal })),
      };
    }
    cursor = list.nextCursor;
    if (cursor === undefined) return tools;
  }
  throw new Error(`the server has more than ${pageLimit} pages of tools`);
}
