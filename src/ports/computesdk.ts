/**
 * Owns `secure-exec/computesdk`: the methods of a ComputeSDK provider over core/session.ts, for
 * `defineProvider` of `@computesdk/provider`.
 *
 * Sandboxes live as long as the host's process. Types are written after the interface that the
 * package declares; nothing is imported from it. Untrusted: output, file names and content.
 */
import { posix } from "node:path";
import { SessionRegistry } from "./core/session-registry.js";
import type { Session, SessionOptions } from "./core/session.js";

/** How the provider's machines are made. */
export interface SecureExecConfig extends SessionOptions {
  /**
   * Milliseconds for one command; 0 for no bound.
   * @default 0
   */
  timeoutMs?: number;
}

/** What one sandbox has beside the provider's options. */
export interface CreateOptions {
  /**
   * Variables of every command.
   * @default {}
   */
  envs?: Record<string, string>;
  /**
   * Ports of the machine that the host reaches at 127.0.0.1.
   * @default []
   */
  ports?: number[];
  /**
   * Accepted; says nothing.
   * @default none
   */
  name?: string;
  /**
   * Kept, and told by `getInfo`.
   * @default {}
   */
  metadata?: Record<string, unknown>;
  [more: string]: unknown;
}

/** How one command runs. */
export interface RunOptions {
  /**
   * Relative to the session's.
   * @default the session's
   */
  cwd?: string;
  /**
   * Variables over the session's.
   * @default {}
   */
  env?: Record<string, string>;
  /**
   * Resolves once the command runs, with exit code 0; its output is dropped.
   * @default false
   */
  background?: boolean;
  /**
   * Milliseconds; 0 for no bound.
   * @default the provider's `timeoutMs`
   */
  timeout?: number;
  /**
   * Receives stdout as it comes.
   * @default none
   */
  onStdout?: (text: string) => void;
  /**
   * Receives stderr as it comes.
   * @default none
   */
  onStderr?: (text: string) => void;
  [more: string]: unknown;
}

/** An entry of a directory; `size` in bytes. */
export interface FileEntry {
  name: string;
  type: "file" | "directory";
  size: number;
  modified: Date;
}

/** A machine as the provider knows it. */
export interface Instance {
  session: Session;
  metadata: Record<string, unknown>;
  timeoutMs: number;
}

/** The part of `@computesdk/provider` that is needed. */
export type DefineProvider<Provider> = (definition: {
  name: string;
  methods: { sandbox: ReturnType<typeof sandboxMethods> };
}) => Provider;

type Named = { sandbox: Instance; sandboxId: string };

/** The bytes of chunks as text; a character that is split over two stays whole. */
function decoded(hook: ((text: string) => void) | undefined) {
  if (hook === undefined) return undefined;
  const decoder = new TextDecoder();
  return (chunk: Uint8Array): void => {
    const text = decoder.decode(chunk, { stream: true });
    if (text !== "") hook(text);
  };
}

async function runCommand(
  { session, timeoutMs }: Instance,
  command: string,
  options: RunOptions = {},
) {
  const startedMs = performance.now();
  const { cwd, env, background = false, timeout = timeoutMs } = options;
  const common = { cwd, env, timeoutMs: timeout };
  const ended = (stdout: string, stderr: string, exitCode: number) => ({
    stdout,
    stderr,
    exitCode,
    durationMs: performance.now() - startedMs,
  });
  if (background) {
    const running = await session.spawn(command, common);
    running.closeStdin();
    // Its end is nobody's; an unknown outcome is not to end the host.
    running.wait().catch(() => {});
    return ended("", "", 0);
  }
  const onStdout = decoded(options.onStdout);
  const onStderr = decoded(options.onStderr);
  const result = await session.exec(command, { ...common, onStdout, onStderr });
  const late = result.timedOut ? `killed after ${timeout} ms\n` : "";
  return ended(result.stdout, result.stderr + late, result.exitCode);
}

async function entriesOf({ session }: Instance, path: string): Promise<FileEntry[]> {
  const base = session.resolve(path);
  const entries: FileEntry[] = [];
  for (const { name } of await session.runtime.readDirWithTypes(base)) {
    const stat = await session.stat(posix.join(base, name));
    if (stat === undefined) continue;
    const type = stat.type === "directory" ? "directory" : "file";
    entries.push({ name, type, size: stat.size, modified: new Date(stat.mtimeMs) });
  }
  return entries;
}

/**
 * `methods.sandbox` of a provider. All its sandboxes are of this call. Never throws; the methods reject as those of
 * `Session`.
 * @example
 * import { sandboxMethods } from "secure-exec/computesdk";
 *
 * const methods = sandboxMethods();
 * const { sandbox, sandboxId } = await methods.create({});
 * console.log((await methods.runCommand(sandbox, "echo hello")).stdout);
 * await methods.destroy({}, sandboxId);
 */
export function sandboxMethods() {
  const sessions = new SessionRegistry();
  const instances = new Map<string, Instance>();
  const named = (id: string): Named[] => {
    const sandbox = instances.get(id);
    return sandbox?.session.running === true ? [{ sandbox, sandboxId: id }] : [];
  };
  return {
    create: async (config: SecureExecConfig, options: CreateOptions = {}): Promise<Named> => {
      const { timeoutMs = 0, ...rest } = config;
      const session = await sessions.create({
        ...rest,
        env: { ...rest.env, ...options.envs },
        ports: [...(rest.ports ?? []), ...(options.ports ?? [])],
      });
      const sandbox = { session, metadata: { ...options.metadata }, timeoutMs };
      instances.set(session.id, sandbox);
      return { sandbox, sandboxId: session.id };
    },
    getById: async (_config: SecureExecConfig, id: string): Promise<Named | null> =>
      named(id)[0] ?? null,
    list: async (_config: SecureExecConfig): Promise<Named[]> =>
      [...instances.keys()].flatMap(named),
    destroy: async (_config: SecureExecConfig, id: string): Promise<void> => {
      instances.delete(id);
      await sessions.destroy(id);
    },
    runCommand,
    streamCommand: runCommand,
    getInfo: async ({ session, metadata, timeoutMs }: Instance) => ({
      id: session.id,
      provider: "secure-exec",
      status: session.running ? ("running" as const) : ("stopped" as const),
      createdAt: session.createdAt,
      timeout: timeoutMs,
      metadata,
    }),
    getUrl: async (
      { session }: Instance,
      { port, protocol }: { port: number; protocol?: string },
    ): Promise<string> => session.portUrl(port, protocol),
    filesystem: {
      readFile: async ({ session }: Instance, path: string): Promise<string> =>
        Buffer.from(await session.runtime.readFile(session.resolve(path))).toString("utf8"),
      writeFile: ({ session }: Instance, path: string, content: string): Promise<void> =>
        session.writeFile(path, content),
      mkdir: ({ session }: Instance, path: string): Promise<void> =>
        session.mkdir(path, { recursive: true }),
      readdir: entriesOf,
      exists: async ({ session }: Instance, path: string): Promise<boolean> =>
        (await session.stat(path)) !== undefined,
      remove: async ({ session }: Instance, path: string): Promise<void> => {
        await session.runtime.rm(session.resolve(path), { recursive: true });
      },
    },
    getInstance: (instance: Instance): Instance => instance,
  };
}

/**
 * `secureExec(defineProvider)({ … })` is a provider for `createCompute`.
 * @throws {Error} what `defineProvider` throws.
 * @example
 * import { secureExec } from "secure-exec/computesdk";
 *
 * // defineProvider is @computesdk/provider's.
 * const provider = secureExec((definition) => definition);
 * console.log(provider.name);
 */
export function secureExec<Provider>(defineProvider: DefineProvider<Provider>): Provider {
  return defineProvider({ name: "secure-exec", methods: { sandbox: sandboxMethods() } });
}
