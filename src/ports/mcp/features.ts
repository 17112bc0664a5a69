/**
 * Owns what a server's owner may add to it: tools, resources and prompts, and what their functions are given.
 * The shapes of content are the protocol's, where bytes may stand for base64.
 */
import type { HostToolDefinition } from "../../index.js";
import type { Session } from "../core/session.js";

/** RFC 5424's, from the least to the most severe. */
export const logLevels = [
  "debug",
  "info",
  "notice",
  "warning",
  "error",
  "critical",
  "alert",
  "emergency",
] as const;
/** RFC 5424's severities. */
export type McpLogLevel = (typeof logLevels)[number];

/** What is in a resource. */
export interface McpResourceContents {
  uri: string;
  mimeType?: string;
  /** Text, or bytes in `blob`. */
  text?: string;
  /** Bytes, or base64. */
  blob?: string | Uint8Array;
}

/** A part of an answer. */
export type McpContent =
  | { type: "text"; text: string }
  /** `data`: bytes, or base64. */
  | { type: "image" | "audio"; data: string | Uint8Array; mimeType: string }
  | { type: "resource"; resource: McpResourceContents }
  | { type: "resource_link"; uri: string; name: string; description?: string; mimeType?: string };

/** What the client's user said. */
export interface McpElicitation {
  action: "accept" | "decline" | "cancel";
  /** What was filled in, as far as the client says: check it. */
  content?: Record<string, unknown>;
}

/** What a tool, resource or prompt is given beside its input. */
export interface McpContext {
  /** Aborted when the client has cancelled the request, its time is over, or the server ends. */
  signal: AbortSignal;
  /** The machine of commands and files; made now, where nothing has needed it yet. */
  session: () => Promise<Session>;
  /** Says how far it is, where the client wants to know: a number that grows, and what it would be at the end. */
  progress: (progress: number, total?: number, message?: string) => void;
  /** Tells the client, where it listens to that level. `data` is JSON. */
  log: (level: McpLogLevel, data: unknown, logger?: string) => void;
  /** Asks the client's model: parameters and result of `sampling/createMessage`. Rejects where it cannot be asked. */
  sample: (params: Record<string, unknown>) => Promise<Record<string, unknown>>;
  /** Asks the client's user: parameters of `elicitation/create`. Rejects where nobody can be asked. */
  elicit: (params: Record<string, unknown>) => Promise<McpElicitation>;
  /** Over HTTP: lets go of the connection, and the client comes back for the answer. Otherwise nothing. */
  release: () => void;
}

/** A text, or what the protocol says of a result. */
export type McpToolAnswer =
  | string
  | {
      content: readonly McpContent[];
      structuredContent?: Record<string, unknown>;
      isError?: boolean;
    };

/** A tool of the owner's. */
export interface McpTool {
  description: string;
  title?: string;
  /**
   * JSON Schema of an object, or a schema of zod, valibot and whatever else speaks Standard Schema; the input is
   * checked against it.
   * @default no parameters
   */
  inputSchema?: NonNullable<HostToolDefinition["inputSchema"]>;
  outputSchema?: Record<string, unknown>;
  annotations?: Record<string, unknown>;
  /**
   * Milliseconds for a call; 0 for no bound, where a person is asked.
   * @default the server's
   */
  timeoutMs?: number;
  /** What it throws is a result with `isError` and its message. */
  handler: (
    input: Record<string, unknown>,
    context: McpContext,
  ) => McpToolAnswer | Promise<McpToolAnswer>;
}

type Contents = string | Uint8Array;

interface Described {
  name: string;
  title?: string;
  description?: string;
  mimeType?: string;
}

/** A resource by its address. */
export interface McpResource extends Described {
  uri: string;
  read: (context: McpContext) => Contents | Promise<Contents>;
}

/** What a value that begins so may become; at most 100 are shown. */
export type McpCompletion = (
  value: string,
  given: Readonly<Record<string, string>>,
) => readonly string[] | Promise<readonly string[]>;

/** Resources whose addresses are made of variables. */
export interface McpResourceTemplate extends Described {
  /** RFC 6570 with `{name}`, which has no slash, and `{+name}`, which may have some. */
  uriTemplate: string;
  read: (
    variables: Readonly<Record<string, string>>,
    context: McpContext,
  ) => Contents | Promise<Contents>;
  complete?: Readonly<Record<string, McpCompletion>>;
}

/** What a prompt is given. */
export interface McpPromptArgument {
  name: string;
  description?: string;
  required?: boolean;
  complete?: McpCompletion;
}

/** A message of a prompt. */
export interface McpPromptMessage {
  role: "user" | "assistant";
  content: McpContent;
}

/** A prompt of the owner's. */
export interface McpPrompt {
  title?: string;
  description?: string;
  arguments?: readonly McpPromptArgument[];
  /** A text is one message of the user. */
  get: (
    given: Readonly<Record<string, string>>,
    context: McpContext,
  ) => string | readonly McpPromptMessage[] | Promise<string | readonly McpPromptMessage[]>;
}

/** What a server offers beside the tools and files of its machine. */
export interface McpFeatures {
  tools?: Readonly<Record<string, McpTool>>;
  resources?: readonly McpResource[];
  resourceTemplates?: readonly McpResourceTemplate[];
  prompts?: Readonly<Record<string, McpPrompt>>;
}

const inBase64 = (data: string | Uint8Array): string =>
  typeof data === "string" ? data : Buffer.from(data).toString("base64");

/** Contents as they are sent. */
export function wireContents(contents: McpResourceContents): McpResourceContents {
  const { blob } = contents;
  return blob === undefined ? contents : { ...contents, blob: inBase64(blob) };
}

/** Content as it is sent. */
export function wireContent(content: McpContent): McpContent {
  if (content.type === "image" || content.type === "audio")
    return { ...content, data: inBase64(content.data) };
  if (content.type === "resource") return { ...content, resource: wireContents(content.resource) };
  return content;
}
