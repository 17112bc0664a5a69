/**
 * Types of the public API, as a caller meets them: `npm run check:types` compiles this against dist/. Nothing runs.
 * A line that must not compile says so, and fails when it does.
 */
import {
  NodeRuntime,
  SecureExecError,
  allowAll,
  createInMemoryFileSystem,
  type FileProviderMount,
  type HostDirectoryMount,
  type HostToolDefinition,
  type NodeRuntimeChange,
  type NodeRuntimeCreateOptions,
  type NodeRuntimeExecResult,
  type NodeRuntimeFileProvider,
  type NodeRuntimeProcess,
  type NodeRuntimeRunResult,
  type NodeRuntimeTemplate,
  type OverlayMount,
  type Permissions,
  type SecureExecErrorCode,
} from "../../dist/index.js";

/** Compiles only when both are the same type. */
type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(holds: Same<A, B>): void => void holds;

export async function results(rt: NodeRuntime): Promise<void> {
  const ran = await rt.run<{ sum: number }>("__return({ sum: 1 })", { timeout: 5 });
  same<typeof ran, NodeRuntimeRunResult<{ sum: number }>>(true);
  same<typeof ran.value, { sum: number } | undefined>(true);
  same<typeof ran.exitCode, number>(true);
  same<ReturnType<typeof NodeRuntime.metrics>, Promise<string>>(true);
  await rt.run("1", { language: "tsx", compilerOptions: { jsxImportSource: "preact" } });
  // @ts-expect-error -- no such language
  await rt.run("1", { language: "jsx" });
  const unknown = await rt.run("1");
  same<typeof unknown.value, unknown>(true);
  // @ts-expect-error -- what a program returns is not known
  void unknown.value.x;
  const executed = await rt.exec("1");
  same<typeof executed, NodeRuntimeExecResult>(true);
  // @ts-expect-error -- exec has no value
  void executed.value;
  same<Awaited<ReturnType<typeof rt.spawn>>, NodeRuntimeProcess>(true);
  const proc = await rt.spawn("1");
  for await (const chunk of proc.stdout) same<typeof chunk, Uint8Array>(true);
  for await (const line of proc.lines()) same<typeof line, string>(true);
  same<Awaited<ReturnType<typeof proc.stderr.text>>, string>(true);
  const text = await rt.fs.readFile("a", "utf8");
  same<typeof text, string>(true);
  const bytes = await rt.fs.readFile("a");
  same<typeof bytes, Buffer>(true);
  const listed = await rt.sh`ls`;
  same<typeof listed, NodeRuntimeExecResult>(true);
  rt.on("draining", ({ timeoutMs }) => same<typeof timeoutMs, number>(true));
  rt.on("processEnd", ({ exitCode }) => same<typeof exitCode, number | null>(true));
  // @ts-expect-error -- no such event
  rt.on("exit", () => {});
  const simple = await rt.fetch(80, { path: "/" });
  same<typeof simple.body, string>(true);
  const standard = await rt.fetch(80, new Request("http://x/"));
  same<typeof standard, Response>(true);
  if (ran.recording !== undefined) {
    const again = await rt.replay<{ sum: number }>(ran.recording);
    same<typeof again, NodeRuntimeRunResult<{ sum: number }>>(true);
  }
  same<Awaited<ReturnType<typeof rt.toolTypes>>, string>(true);
  await rt.setNetwork({ inject: [{ host: "a.example", header: "x-key", value: "k" }] });
  // @ts-expect-error -- rules stay as the machine was made
  await rt.setNetwork({ rules: [] });
}

export async function options(): Promise<void> {
  const permissions: Permissions = { fs: "allow", network: "deny" };
  const given: NodeRuntimeCreateOptions = { permissions, files: { "/tmp/a": "text" } };
  await NodeRuntime.create({ kernels: 2 });
  await NodeRuntime.create({ kernels: "auto" });
  await NodeRuntime.create(given);
  // @ts-expect-error -- no such option
  await NodeRuntime.create({ unknown: true });
  // @ts-expect-error -- milliseconds are a number
  await (await NodeRuntime.create()).exec("1", { timeout: "5" });
  const tool: HostToolDefinition = {
    inputSchema: { type: "object" },
    handler: (input: { id: string }, { signal }) => [input.id, signal.aborted],
  };
  await NodeRuntime.create({ tools: { tool }, permissions: allowAll });
}

export async function mounts(rt: NodeRuntime): Promise<void> {
  const provider: NodeRuntimeFileProvider = {
    cacheMs: 100,
    stat: async (path) => ({ isDirectory: path === "/", size: 1 }),
    readDir: () => ["a", { name: "b", isDirectory: true }],
    readFile: async () => new Uint8Array(1),
    writeFile: (_path, data, { mode }) =>
      same<[typeof data, typeof mode], [Uint8Array, number]>(true),
  };
  const provided: FileProviderMount = { guestPath: "/p", provider, timeoutMs: 5, maxFileBytes: 9 };
  const overlay: OverlayMount = { guestPath: "/o", overlay: { lower: "/tmp" } };
  const hostDirectory: HostDirectoryMount = { guestPath: "/h", hostPath: "/tmp", readOnly: false };
  await NodeRuntime.create({ mounts: [provided, overlay, hostDirectory] });
  await rt.mount(overlay);
  await rt.mount({ guestPath: "/p", provider: createInMemoryFileSystem(), readOnly: true });
  await rt.unmount("/p");
  // @ts-expect-error -- a mount is of one kind
  await rt.mount({ guestPath: "/p" });
  // @ts-expect-error -- an overlay has a directory below
  await rt.mount({ guestPath: "/o", overlay: {} });
  // @ts-expect-error -- a file is bytes or text
  const wrong: NodeRuntimeFileProvider = { stat: () => ({ size: 0 }), readFile: () => 1 };
  void wrong;
  const changes = await rt.diff("/o");
  same<(typeof changes)[number], NodeRuntimeChange>(true);
  same<NodeRuntimeChange["change"], "added" | "changed" | "removed">(true);
}

export async function templates(rt: NodeRuntime): Promise<void> {
  const tpl = await rt.template("0", { files: { a: "b" }, permissions: { fs: "deny" }, cwd: "/" });
  same<typeof tpl, NodeRuntimeTemplate>(true);
  const ran = await tpl.run<number>("__return(1)");
  same<typeof ran, NodeRuntimeRunResult<number>>(true);
  const machine = await NodeRuntime.create({ template: tpl, env: { A: "b" } });
  same<typeof machine, NodeRuntime>(true);
  same<Awaited<ReturnType<typeof rt.clone>>, NodeRuntime>(true);
  // @ts-expect-error -- a template cannot learn what it needs by itself
  await rt.template("0", { permissions: { mode: "learn" } });
  // @ts-expect-error -- a template has no terminal
  await rt.template("0", { pty: true });
}

export function errors(error: unknown): SecureExecErrorCode | undefined {
  if (!SecureExecError.isSecureExecError(error)) return undefined;
  same<typeof error, SecureExecError>(true);
  // @ts-expect-error -- no such code
  if (error.code === "ERR_SECURE_EXEC_NO_SUCH_CODE") return undefined;
  return error.code;
}
