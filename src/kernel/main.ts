/**
 * The kernel process: one connection to the SDK, the VMs, the guests.
 *
 * It dies with its host: at end of file on the connection, or by signal when the
 * host is killed. Everything below it dies with it the same way.
 */
import { readdirSync } from "node:fs";
import { Socket } from "node:net";
import { Errno } from "../abi/errno.js";
import { Decoder } from "../protocol/codec.js";
import type { Message, Schema } from "../protocol/codec.js";
import { FrameKind, FrameReader, encodeFrame } from "../protocol/frames.js";
import { hostCalls, hostEvents, kernelHostEvents } from "../protocol/host-calls.js";
import type { Answer } from "../protocol/permissions.js";
import type { ToolDescriptor } from "../protocol/tools.js";
import type {
  HostFetchRequest,
  KernelStats,
  ProcessOptions,
  VmOptions,
} from "../protocol/host-calls.js";
import { byNumber } from "../protocol/table.js";
import type { CallArgs, CallResult } from "../protocol/table.js";
import * as libc from "../sandbox/libc.js";
import { HostError } from "./host-door/error.js";
import { createHostFiles, fileError } from "./host-door/files.js";
import { HostRequests } from "./host-door/requests.js";
import { sayLastWords } from "./last-words.js";
import { pool } from "./guest-pool.js";
import { HostProgram, StartFailure } from "./host-door/program.js";
import { HostFetchError, hostFetch } from "./net/host-http.js";
import { totalUsage } from "./machine/account.js";
import { Vm, VmOptionError } from "./machine/vm.js";
import type { TakeGuest } from "./machine/vm.js";

const hostFd = 3;

const host = new Socket({ fd: hostFd, readable: true, writable: true });
const vms = new Map<number, Vm>();
/** Programs by the SDK's handle, which is unique per connection. */
const programs = new Map<number, HostProgram>();

const takeGuest: TakeGuest = (waiter) => pool.take(waiter);

function emit<K extends keyof typeof kernelHostEvents>(
  name: K,
  args: Message<(typeof kernelHostEvents)[K]["args"]>,
): void {
  const spec = kernelHostEvents[name];
  host.write(
    encodeFrame(FrameKind.event, 0, spec.nr, spec.args as Schema, args as Message<Schema>),
  );
}

const requests = new HostRequests({
  judge: (vm, id, scope, list) => emit("judge", { vm, id, scope, requests: list }),
  toolCall: (vm, id, name, input) => emit("toolCall", { vm, id, name, input }),
  toolCancel: (vm, id) => emit("toolCancel", { vm, id }),
});

function vmOf(handle: number): Vm {
  const vm = vms.get(handle);
  if (vm === undefined) throw new HostError("ERR_SECURE_EXEC_DISPOSED", "the runtime was disposed");
  return vm;
}

function makeVm(handle: number, options: VmOptions): Vm {
  try {
    return new Vm(handle, options, requests, takeGuest);
  } catch (error) {
    if (error instanceof VmOptionError)
      throw new HostError("ERR_SECURE_EXEC_INVALID_OPTION", error.message);
    throw error;
  }
}

function spawn(
  vmHandle: number,
  handle: number,
  optionsJson: string,
  source: Uint8Array,
): { pid: number } {
  const options = JSON.parse(optionsJson) as ProcessOptions;
  if (options.language === "ts") pool.expectTypeScript();
  const to = { vm: vmHandle, process: handle };
  const vm = vmOf(vmHandle);
  const program = HostProgram.start(vm, options, Buffer.from(source), {
    output: (stream, data) => emit("output", { ...to, stream, data }),
    stdinTaken: (bytes) => emit("stdinCredit", { ...to, bytes }),
    residentDone: (sequence, exitCode) => emit("residentDone", { ...to, sequence, exitCode }),
    ended: (end, value) => {
      programs.delete(handle);
      emit("exit", { ...to, end: JSON.stringify(end), value });
    },
  });
  if (program instanceof StartFailure) {
    if (program.errno === -Errno.EAGAIN) {
      throw new HostError(
        "ERR_SECURE_EXEC_PROCESS_LIMIT",
        `the VM runs ${vm.limits.processes} processes already; limits.processes allows more`,
      );
    }
    throw fileError(program.operation, program.path, program.errno);
  }
  programs.set(handle, program);
  return { pid: program.process.pid };
}

/** Ways to give up requests of the host, by the SDK's number. */
const fetches = new Map<number, () => void>();

async function fetchFor(
  vm: number,
  handle: number,
  port: number,
  request: string,
  body: Uint8Array,
): Promise<{ response: string; body: Uint8Array }> {
  const { network } = vmOf(vm);
  try {
    const options = JSON.parse(request) as HostFetchRequest;
    const answer = await hostFetch(network, port, options, Buffer.from(body), (cancel) =>
      fetches.set(handle, cancel),
    );
    return { response: JSON.stringify(answer.response), body: answer.body };
  } catch (error) {
    if (error instanceof HostFetchError) throw new HostError(error.code, error.message);
    throw error;
  } finally {
    fetches.delete(handle);
  }
}

const hostFiles = createHostFiles(vmOf);
type Calls = typeof hostCalls;
type Later<R> = R | Promise<R>;
const calls: { [K in keyof Calls]: (args: CallArgs<Calls, K>) => Later<CallResult<Calls, K>> } = {
  ping: () => ({}),
  createVm: ({ vm, options }) => {
    const machine = makeVm(vm, JSON.parse(options) as VmOptions);
    machine.network.announceTo({
      listenerAdded: (info) => emit("listenerAdded", { vm, listener: JSON.stringify(info) }),
      listenerRemoved: (id) => emit("listenerRemoved", { vm, id }),
    });
    vms.set(vm, machine);
    return {};
  },
  disposeVm: ({ vm }) => {
    const machine = vms.get(vm);
    vms.delete(vm);
    if (machine !== undefined) {
      machine.disposed = true;
      machine.network.close();
      for (const child of machine.processes.values()) child.signal(libc.SIGKILL);
      hostFiles.release(machine);
      machine.dispose();
    }
    return {};
  },
  ...hostFiles.handlers,
  spawn: ({ vm, process: handle, options, source }) => spawn(vm, handle, options, source),
  registerTools: ({ vm, tools }) => {
    vmOf(vm).registerTools(JSON.parse(tools) as ToolDescriptor[]);
    return {};
  },
  fetch: ({ vm, fetch, port, request, body }) => fetchFor(vm, fetch, port, request, body),
  stats: () => {
    const stats: KernelStats = {
      pid: process.pid,
      zygotePid: pool.zygotePid,
      vms: vms.size,
      processes: programs.size,
      idleGuests: pool.idleCount,
      openFds: readdirSync("/proc/self/fd").length,
      rssBytes: process.memoryUsage.rss(),
      ...totalUsage(),
      accounts: Object.fromEntries(
        Array.from(vms, ([vm, { account }]) => [vm, { ...account.usage, counts: account.counts }]),
      ),
      guestPids: pool.guestPids,
      savings: pool.savings ?? { contiguousHeap: false, hugeTextPages: 0, pagesAhead: 0 },
    };
    return { json: JSON.stringify(stats) };
  },
};

type Events = typeof hostEvents;
const events: { [K in keyof Events]: (args: Message<Events[K]["args"]>) => void } = {
  stdin: ({ process: handle, data }) => programs.get(handle)?.writeStdin(data),
  closeStdin: ({ process: handle }) => programs.get(handle)?.closeStdin(),
  kill: ({ process: handle, signal }) => void programs.get(handle)?.process.signal(signal),
  credit: ({ process: handle, stream, bytes }) => programs.get(handle)?.credit(stream, bytes),
  cancelFetch: ({ fetch }) => fetches.get(fetch)?.(),
  residentExec: ({ process: handle, sequence, source }) =>
    programs.get(handle)?.process.residentExec(sequence, source),
  judged: ({ id, answers }) => requests.judged(id, JSON.parse(answers) as Answer[]),
  toolDone: ({ id, ok, json }) => requests.toolDone(id, { ok, json: Buffer.from(json) }),
};

const callTable = byNumber<Calls[keyof Calls]>(hostCalls);
const eventTable = byNumber<Events[keyof Events]>(hostEvents);

function serve(): void {
  const reader = new FrameReader();
  host.on("data", (chunk: Buffer) => {
    reader.push(chunk, (frame) => {
      if (frame.kind === FrameKind.event) {
        const entry = eventTable.get(frame.number);
        if (entry === undefined) throw new Error(`no event ${frame.number}`);
        events[entry.name as keyof Events](
          new Decoder(frame.payload).message(entry.spec.args as Schema) as never,
        );
        return;
      }
      const entry = callTable.get(frame.number);
      if (entry === undefined) throw new Error(`no call ${frame.number}`);
      const { id, number } = frame;
      const fail = (error: unknown): void => {
        const failure = {
          code: error instanceof HostError ? error.code : "ERR_SECURE_EXEC_INTERNAL",
          message: error instanceof Error ? error.message : String(error),
        };
        const json = JSON.stringify(failure);
        host.write(encodeFrame(FrameKind.failure, id, number, { json: "string" }, { json }));
      };
      const answer = (result: object): void => {
        const schema = entry.spec.result as Schema;
        host.write(encodeFrame(FrameKind.reply, id, number, schema, result as Message<Schema>));
      };
      try {
        const args = new Decoder(frame.payload).message(entry.spec.args as Schema);
        const result = calls[entry.name as keyof Calls](args as never);
        if (result instanceof Promise) result.then(answer, fail);
        else answer(result);
      } catch (error) {
        fail(error);
      }
    });
  });
  host.on("error", () => process.exit(0));
  host.on("close", () => process.exit(0));
}

await pool.start().catch(sayLastWords);
serve();
