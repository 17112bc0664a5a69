/**
 * The kernel process: one connection to the SDK, the VMs, the guests.
 *
 * It dies with its host: at end of file on the connection, or by signal when the
 * host is killed. Everything below it dies with it the same way.
 */
import { readdirSync } from "node:fs";
import { Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { errnoName } from "../abi/errno.js";
import { GuestPool } from "../launcher/pool.js";
import { Decoder } from "../protocol/codec.js";
import type { Message, Schema } from "../protocol/codec.js";
import { FrameKind, FrameReader, encodeFrame } from "../protocol/frames.js";
import { hostCalls, hostEvents, kernelHostEvents } from "../protocol/host-calls.js";
import type { Answer } from "../protocol/permissions.js";
import type { ToolDescriptor } from "../protocol/tools.js";
import type { KernelStats, ProcessOptions, VmOptions } from "../protocol/host-calls.js";
import { byNumber } from "../protocol/table.js";
import type { CallArgs, CallResult } from "../protocol/table.js";
import * as libc from "../sandbox/libc.js";
import { buildStage1, install } from "../sandbox/seccomp.js";
import { HostRequests } from "./host-requests.js";
import { Deferred } from "./io/deferred.js";
import { limits } from "./limits.js";
import { Process } from "./process/process.js";
import { Vm, identity } from "./vm.js";

const hostFd = 3;

class HostError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

const host = new Socket({ fd: hostFd, readable: true, writable: true });
const vms = new Map<number, Vm>();
/** Processes by the SDK's handle, which is unique per connection. */
const processes = new Map<number, Process>();
const pool = new GuestPool({
  enginePath: process.execPath,
  bundlePath: fileURLToPath(new URL("../guest.json", import.meta.url)),
  aheadTarget: 3,
  parallelForks: 2,
});

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

function fileError(operation: string, path: string, errno: number): HostError {
  const name = errnoName(-errno) ?? `errno ${-errno}`;
  return new HostError("ERR_SECURE_EXEC_FILE", `${name}: ${operation} '${path}'`);
}

function spawn(
  vmHandle: number,
  handle: number,
  optionsJson: string,
  source: Uint8Array,
): { pid: number } {
  const vm = vmOf(vmHandle);
  const options = JSON.parse(optionsJson) as ProcessOptions;
  if (vm.processes.size >= limits.processes) {
    throw new HostError(
      "ERR_SECURE_EXEC_PROCESS_LIMIT",
      `the VM runs ${limits.processes} processes already`,
    );
  }
  const pid = vm.allocatePid();
  const extension = options.language === "ts" ? ".mts" : ".mjs";
  const path =
    options.name === ""
      ? vm.allocateProgramName(extension)
      : options.name.startsWith("/")
        ? options.name
        : `/tmp/${options.name}`;
  const program = Buffer.from(source);
  if (options.mode === "program") {
    const written = vm.writeHostFile(path, program);
    if (written < 0) throw fileError("write program", path, written);
  }
  const cwd = options.cwd || vm.cwd;
  const credentials = { uid: identity.uid, gid: identity.gid, umask: 0o022, cwd };
  const resolved = vm.fs.realpath(credentials, cwd);
  if (typeof resolved === "number") throw fileError("change directory to", cwd, resolved);
  credentials.cwd = resolved;
  const child = new Process(
    vm,
    credentials,
    {
      pid,
      ppid: 1,
      stdin: options.stdin,
      stdoutLimitBytes: options.stdoutLimitBytes,
      stderrLimitBytes: options.stderrLimitBytes,
    },
    {
      output: (stream, data) => emit("output", { vm: vmHandle, process: handle, stream, data }),
      residentDone: (sequence, exitCode) =>
        emit("residentDone", { vm: vmHandle, process: handle, sequence, exitCode }),
      ended: (end, value) => {
        processes.delete(handle);
        if (options.mode === "program" && options.name === "")
          vm.fs.unlink(vm.hostCredentials(), path);
        emit("exit", { vm: vmHandle, process: handle, end: JSON.stringify(end), value });
      },
    },
  );
  vm.processes.set(pid, child);
  processes.set(handle, child);
  const start = (env: Record<string, string>): void =>
    pool.take((guest, reason) => {
      if (guest === undefined) return child.failStart("ERR_SECURE_EXEC_ZYGOTE_LOST", reason);
      child.start(
        guest,
        {
          mode: options.mode,
          language: options.language,
          path,
          argv: [path, ...options.args],
          env,
          cwd: resolved,
          pid,
          ppid: 1,
          uid: identity.uid,
          gid: identity.gid,
          umask: 0o022,
          hostname: identity.hostname,
          outputWindowBytes: limits.outputWindowBytes,
          memoryLimitBytes: limits.memoryBytes,
          startedAtMs: Date.now(),
          machineUptimeMs: Date.now() - vm.startedAtMs,
          jsRuntime: vm.jsRuntime,
        },
        program,
      );
    });
  const env = vm.policy.filterEnv({ ...vm.env, ...options.env });
  if (env instanceof Deferred)
    env.whenSettled((kept) => start(typeof kept === "number" ? {} : kept));
  else start(env);
  return { pid };
}

type Calls = typeof hostCalls;
const calls: { [K in keyof Calls]: (args: CallArgs<Calls, K>) => CallResult<Calls, K> } = {
  ping: () => ({}),
  createVm: ({ vm, options }) => {
    vms.set(vm, new Vm(vm, JSON.parse(options) as VmOptions, requests));
    return {};
  },
  disposeVm: ({ vm }) => {
    const machine = vms.get(vm);
    vms.delete(vm);
    if (machine !== undefined) {
      machine.disposed = true;
      for (const child of machine.processes.values()) child.signal(libc.SIGKILL);
    }
    return {};
  },
  readFile: ({ vm, path }) => {
    const machine = vmOf(vm);
    const data = machine.fs.readFile(machine.hostCredentials(), path);
    if (typeof data === "number") throw fileError("open", path, data);
    return { data };
  },
  writeFile: ({ vm, path, data }) => {
    const result = vmOf(vm).writeHostFile(path, data);
    if (result < 0) throw fileError("write", path, result);
    return {};
  },
  spawn: ({ vm, process: handle, options, source }) => spawn(vm, handle, options, source),
  registerTools: ({ vm, tools }) => {
    vmOf(vm).tools.register(JSON.parse(tools) as ToolDescriptor[]);
    return {};
  },
  stats: () => {
    const stats: KernelStats = {
      pid: process.pid,
      zygotePid: pool.zygotePid,
      vms: vms.size,
      processes: processes.size,
      idleGuests: pool.idleCount,
      openFds: readdirSync("/proc/self/fd").length,
      rssBytes: process.memoryUsage.rss(),
      guestPids: pool.guestPids,
    };
    return { json: JSON.stringify(stats) };
  },
};

type Events = typeof hostEvents;
const events: { [K in keyof Events]: (args: Message<Events[K]["args"]>) => void } = {
  stdin: ({ process: handle, data }) => processes.get(handle)?.writeStdin(data),
  closeStdin: ({ process: handle }) => processes.get(handle)?.closeStdin(),
  kill: ({ process: handle, signal }) => void processes.get(handle)?.signal(signal),
  credit: ({ process: handle, stream, bytes }) => processes.get(handle)?.credit(stream, bytes),
  residentExec: ({ process: handle, sequence, source }) =>
    processes.get(handle)?.residentExec(sequence, source),
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
      try {
        const args = new Decoder(frame.payload).message(entry.spec.args as Schema);
        const result = calls[entry.name as keyof Calls](args as never);
        host.write(
          encodeFrame(
            FrameKind.reply,
            frame.id,
            frame.number,
            entry.spec.result as Schema,
            result as Message<Schema>,
          ),
        );
      } catch (error) {
        const failure = {
          code: error instanceof HostError ? error.code : "ERR_SECURE_EXEC_INTERNAL",
          message: error instanceof Error ? error.message : String(error),
        };
        const json = JSON.stringify(failure);
        host.write(
          encodeFrame(FrameKind.failure, frame.id, frame.number, { json: "string" }, { json }),
        );
      }
    });
  });
  host.on("error", () => process.exit(0));
  host.on("close", () => process.exit(0));
}

libc.setParentDeathSignal(libc.SIGKILL);
libc.setNoNewPrivs();
install(buildStage1());
await pool.start();
serve();
