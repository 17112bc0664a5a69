/**
 * Host tools as guests call them: name → policy → the host's handler.
 *
 * Invariant: no input leaves for the host before the tool scope allowed the call,
 * which its row demands.
 * Untrusted: name and input. The host parses and checks the input.
 */
import { randomUUID } from "node:crypto";
import { Errno } from "../../abi/errno.js";
import { executorTool, hostCommandLimits, HostCommandStep } from "../../protocol/host-commands.js";
import type { HostCommandOrder } from "../../protocol/host-commands.js";
import { ToolForm, inForm, isRead } from "../../protocol/tool-values.js";
import { mostToolBytes, toolLimits } from "../../protocol/tools.js";
import type { ToolFailure } from "../../protocol/tools.js";
import type { Request } from "../../protocol/permissions.js";
import type { CallArgs, CallResult } from "../../protocol/table.js";
import type { StartOptions, guestCalls } from "../../protocol/guest-calls.js";
import type { ToolOutcome } from "../host-door/requests.js";
import { limits } from "../limits.js";
import type { Bill } from "../process/bill.js";
import type { Policy } from "../policy/policy.js";
import type { Vm } from "../machine/vm.js";
import { Deferred } from "../io/deferred.js";
import type { ToolInputs } from "../process/tool-inputs.js";
import type { Handlers } from "./dispatch.js";

interface ToolProcess {
  readonly vm: Pick<Vm, "limits" | "tools" | "callTool" | "nextOfTool" | "endOfTool">;
  readonly toolStreams: Set<number>;
  readonly toolInputs: ToolInputs;
  readonly ended: boolean;
  readonly policy: Policy;
  readonly bill: Bill;
}

type Calls = typeof guestCalls;

function failed(failure: ToolFailure): { ok: boolean; json: Uint8Array } {
  return { ok: false, json: Buffer.from(JSON.stringify(failure)) };
}

const invocation = (name: string): Request => ({ scope: "tool", operation: "invoke", name });

/** One that does not exist needs no permission; the handler says so. */
export function toolRequests(process: ToolProcess, name: string): Request[] {
  const tool = process.vm.tools.find(name);
  return tool === undefined ? [] : [invocation(tool.name)];
}

function toolInput(
  { toolInputs }: ToolProcess,
  { parts, data }: CallArgs<Calls, "toolInput">,
): ReturnType<Handlers["toolInput"]> {
  const kept = toolInputs.add(parts, data);
  return kept < 0 ? kept : { parts: kept };
}

function callTool(
  process: ToolProcess,
  { name, parts, input }: CallArgs<Calls, "callTool">,
): ReturnType<Handlers["callTool"]> {
  if (parts === 0) return callWhole(process, name, input);
  const whole = process.toolInputs.take(parts, input);
  if (typeof whole === "number") return whole;
  const answer = callWhole(process, name, whole.bytes);
  if (!(answer instanceof Deferred)) {
    whole.over();
    return answer;
  }
  answer.onCancel(whole.over);
  return answer.chain((outcome) => {
    whole.over();
    return outcome;
  });
}

type Called = CallResult<Calls, "callTool">;

function callWhole(
  process: ToolProcess,
  name: string,
  input: Uint8Array,
): Called | Deferred<Called> {
  const tool = process.vm.tools.find(name);
  if (tool === undefined) {
    const message = `there is no host tool named ${JSON.stringify(name.slice(0, toolLimits.nameChars))}`;
    return failed({ name: "ToolNotFound", message, code: "ERR_TOOL_NOT_FOUND" });
  }
  const most = mostToolBytes(process.vm.limits.valueBytes);
  if (input.byteLength > most) {
    return failed({
      name: "ToolLimit",
      message: `the input of ${tool.name} is ${input.byteLength} bytes, the limit is ${most}`,
      code: "ERR_TOOL_LIMIT",
    });
  }
  return billed(process.bill, () => process.vm.callTool(tool.name, input)).map((outcome) =>
    answerOf(process, outcome),
  );
}

/** A result that is a stream, or comes in parts, becomes the process's, which alone may read it. */
function answerOf(
  { ended, toolStreams, vm }: ToolProcess,
  { id, ok, json }: ToolOutcome,
): { ok: boolean; json: Uint8Array } {
  if (!ok || !isRead(json)) return { ok, json };
  if (ended || toolStreams.size >= limits.toolStreams) {
    vm.endOfTool(id);
    const message = `a process reads at most ${limits.toolStreams} streams of tools at a time`;
    return failed({ name: "ToolLimit", message, code: "ERR_TOOL_LIMIT" });
  }
  toolStreams.add(id);
  const number = Buffer.alloc(4);
  number.writeUInt32LE(id);
  return { ok, json: inForm(json[0]!, number) };
}

function toolNext(
  { bill, toolStreams, vm }: ToolProcess,
  { stream, stop }: CallArgs<Calls, "toolNext">,
): ReturnType<Handlers["toolNext"]> {
  if (!toolStreams.has(stream)) return -Errno.EBADF;
  if (stop) toolStreams.delete(stream);
  return billed(bill, () => vm.nextOfTool(stream, stop), 0).map(({ ok, json }) => {
    if (!ok || json[0] === ToolForm.ended) toolStreams.delete(stream);
    return { ok, json };
  });
}

/** Makes the call, whose time counts until it is over or nobody waits for it any more. */
function billed<R>(bill: Bill, begin: () => Deferred<R>, calls = 1): Deferred<R> {
  // Before the host can have heard of it.
  const startedAtMs = performance.now();
  const call = begin();
  const over = (): void => bill.count("toolMs", performance.now() - startedAtMs);
  bill.count("toolCalls", calls);
  const made = call.chain<R>((outcome) => {
    over();
    return outcome;
  });
  made.onCancel(() => {
    over();
    call.cancel();
  });
  return made;
}

function describeTools(
  process: ToolProcess,
  { name }: CallArgs<Calls, "describeTools">,
): ReturnType<Handlers["describeTools"]> {
  const { tools } = process.vm;
  const found = name === "" ? tools.all() : [tools.find(name)].filter((tool) => tool !== undefined);
  if (name !== "" && found.length === 0) return -Errno.ENOENT;
  // To a function only calls are put: it may answer differently each time.
  const visible = process.policy.asksHost("tool")
    ? found
    : found.filter((tool) => process.policy.permits(invocation(tool.name)));
  const parts: string[] = [];
  let bytes = 2;
  for (const tool of visible) {
    const json = JSON.stringify(tool);
    bytes += Buffer.byteLength(json) + 1;
    if (bytes > toolLimits.jsonBytes) break;
    parts.push(json);
  }
  return { json: Buffer.from(`[${parts.join(",")}]`) };
}

/** Names of processes for the host: machines that share an executor have the same pids. */
const commandIds = new WeakMap<object, string>();

interface CommandProcess extends ToolProcess {
  readonly startOptions: StartOptions | undefined;
}

/**
 * One step of the command that the process stands for. Which one it is, its arguments and its environment are
 * those that the policy admitted when the process was made; a guest chooses the bytes of stdin alone.
 */
function hostCommand(
  process: CommandProcess,
  { step, data }: CallArgs<Calls, "hostCommand">,
): ReturnType<Handlers["hostCommand"]> {
  const { startOptions: start, vm } = process;
  if (start?.mode !== "host" || !vm.tools.executor) return -Errno.EPERM;
  if (step > HostCommandStep.close || data.byteLength > hostCommandLimits.pieceBytes)
    return -Errno.EINVAL;
  const id = commandIds.get(process) ?? randomUUID();
  commandIds.set(process, id);
  const order: HostCommandOrder = { step, id };
  if (step === HostCommandStep.run) {
    const { image: command, argv: args, cwd, env } = start;
    Object.assign(order, { command, args, cwd, env });
  } else if (step === HostCommandStep.write) order.data = Buffer.from(data).toString("base64");
  const json = Buffer.from(JSON.stringify(order));
  if (json.byteLength > toolLimits.jsonBytes) return -Errno.E2BIG;
  return vm.callTool(executorTool, json).map(({ ok, json: answer }) => ({ ok, json: answer }));
}

export const toolHandlers: Pick<
  Handlers,
  "callTool" | "toolInput" | "toolNext" | "describeTools" | "hostCommand"
> = {
  callTool,
  toolInput,
  toolNext,
  describeTools,
  hostCommand,
};
