/**
 * The system of a WASI program that is a process of the virtual machine: Node's
 * functions, which are virtual here, and system calls for what Node does not offer.
 */
import { Errno, errnoName } from "../../abi/errno.js";
import { O_RDONLY } from "../../abi/fcntl.js";
import { SpawnFlags } from "../../protocol/guest-calls.js";
import type { Channel } from "../channel.js";
import type {
  WasiEnd,
  WasiIdentity,
  WasiProcesses,
  WasiSystem,
} from "../../userland/wasi/system.js";
import type { RequireBuiltin } from "../engine-types.js";

type SystemChannel = Pick<Channel, "call" | "begin" | "pumpUntil">;

/** Answers of calls under way are taken in for this long when the module does not want to wait. */
const noWaitMs = 1;

export interface GuestSystemOptions {
  requireBuiltin: RequireBuiltin;
  channel(): SystemChannel;
  exit(code: number): never;
  identity(): WasiIdentity;
  /** Kinds of the descriptors that are open from the start, where they are known. */
  kinds?: readonly string[] | undefined;
}

export function createGuestSystem(options: GuestSystemOptions): WasiSystem {
  const { requireBuiltin, channel } = options;
  let waiting: Int32Array | undefined;
  return {
    fs: requireBuiltin("fs"),
    exit: (code) => options.exit(code),
    raise(signal) {
      process.kill(process.pid, signal);
    },
    // Not every guest has it loaded from the start.
    fillRandom: (bytes) => requireBuiltin("crypto").randomFillSync(bytes),
    realtimeNs: () => BigInt(Date.now()) * 1_000_000n,
    monotonicNs: () => process.hrtime.bigint(),
    cpuNs() {
      const { user, system } = process.cpuUsage();
      return BigInt(user + system) * 1000n;
    },
    sleep(milliseconds) {
      waiting ??= new Int32Array(new SharedArrayBuffer(4));
      Atomics.wait(waiting, 0, 0, milliseconds);
    },
    cwd: () => process.cwd(),
    kindOf(fd) {
      const known = options.kinds?.[fd];
      if (known !== undefined) return known;
      const result = channel().call("describe", { fd });
      return typeof result === "number" ? "" : result.kind;
    },
    readFile: (path, limitBytes) => readFile(channel(), path, limitBytes),
    get identity() {
      return options.identity();
    },
    umask: (mask) => process.umask(mask),
    kill: (pid, signal) => void process.kill(pid, signal),
    processes: createProcesses(channel),
  };
}

/** libuv's names lack some that only processes meet. */
function failure(errno: number, syscall: string, path?: string): Error {
  const code = errnoName(-errno) ?? "EIO";
  const about = path === undefined ? "" : ` '${path}'`;
  return Object.assign(new Error(`${code}, ${syscall}${about}`), { errno, code, syscall });
}

/** Fewer system calls than readFileSync makes. */
function readFile(
  channel: SystemChannel,
  path: string,
  limitBytes: number,
): Uint8Array | undefined {
  const first = channel.call("readFile", { path, flags: O_RDONLY });
  if (typeof first === "number") throw failure(first, "open", path);
  const { fd } = first;
  if (!first.more) return first.data.byteLength > limitBytes ? undefined : first.data;
  const parts = [first.data];
  let size = first.data.byteLength;
  try {
    for (let more = true; more;) {
      const next = channel.call("readFd", { fd });
      if (typeof next === "number") throw failure(next, "read");
      parts.push(next.data);
      size += next.data.byteLength;
      if (size > limitBytes) return undefined;
      more = next.more;
    }
    return Buffer.concat(parts, size);
  } finally {
    channel.call("close", { fd });
  }
}

/** What a child of this process did, once it is known. */
interface Child {
  asked: boolean;
  end: WasiEnd | undefined;
}

function createProcesses(channel: () => SystemChannel): WasiProcesses {
  const children = new Map<number, Child>();

  const ask = (pid: number, child: Child): void => {
    if (child.asked) return;
    child.asked = true;
    channel().begin("wait", { pid }, (result) => {
      // A child that cannot be waited for is gone in a way nobody will ever know.
      if (typeof result === "number") children.delete(pid);
      else child.end = { pid, code: result.code, signal: result.signal };
    });
  };

  return {
    pipe() {
      const result = channel().call("pipe", {});
      if (typeof result === "number") throw failure(result, "pipe");
      return [result.reader, result.writer];
    },
    spawn({ file, argv, env, cwd, fds, newProcessGroup }) {
      const flags = newProcessGroup ? SpawnFlags.newProcessGroup : 0;
      const result = channel().call("spawn", {
        file,
        argv,
        env,
        cwd,
        fds,
        flags,
        uid: -1,
        gid: -1,
        ignored: [],
        openFiles: -1,
        fileBytes: [],
      });
      if (typeof result === "number") throw failure(result, "spawn", file);
      children.set(result.pid, { asked: false, end: undefined });
      return result.pid;
    },
    wait(pid, block) {
      const wanted = (): [number, Child][] =>
        pid === -1 ? [...children] : [...children].filter(([key]) => key === pid);
      for (const [key, child] of wanted()) ask(key, child);
      const ended = (): Child | undefined =>
        wanted().find(([, child]) => child.end !== undefined)?.[1];
      channel().pumpUntil(
        () => ended() !== undefined || wanted().length === 0,
        block ? -1 : noWaitMs,
      );
      const child = ended();
      if (child === undefined) {
        if (wanted().length === 0) throw failure(-Errno.ECHILD, "wait");
        return undefined;
      }
      children.delete(child.end!.pid);
      return child.end;
    },
  };
}
