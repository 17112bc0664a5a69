/**
 * Types of the public API, as a caller meets them: `npm run check:types` compiles this against dist/. Nothing runs.
 * A line that must not compile says so, and fails when it does.
 */
import {
  NodeRuntime,
  SecureExecError,
  allowAll,
  type HostToolDefinition,
  type NodeRuntimeCreateOptions,
  type NodeRuntimeExecResult,
  type NodeRuntimeProcess,
  type NodeRuntimeRunResult,
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

export function errors(error: unknown): SecureExecErrorCode | undefined {
  if (!SecureExecError.isSecureExecError(error)) return undefined;
  same<typeof error, SecureExecError>(true);
  // @ts-expect-error -- no such code
  if (error.code === "ERR_SECURE_EXEC_NO_SUCH_CODE") return undefined;
  return error.code;
}
