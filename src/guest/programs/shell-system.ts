/**
 * The shell's system inside a VM, part by part: every operation is a system call of this
 * process. It decides nothing; the kernel judges each call.
 */
import { Errno } from "../../abi/errno.js";
import { noLimit } from "../../abi/resources.js";
import { SEEK_CUR } from "../../abi/fcntl.js";
import { StatSlot, openWithoutWait } from "../../protocol/fs-calls.js";
import type { CallArgs, CallResult } from "../../protocol/table.js";
import { SpawnFlags } from "../../protocol/guest-calls.js";
import type { StartOptions } from "../../protocol/guest-calls.js";
import { WaitOptions } from "../../protocol/terminal-calls.js";
import type { Channel } from "../channel.js";
import type * as RunHere from "../../userland/run-here.js";
import type { ShellSystem } from "../../userland/sh/system.js";
import type {
  Descriptors,
  JobTerminal,
  Names,
  Offsets,
  OwnProcess,
  Pipes,
  Processes,
  SignalDisposition,
  Signals,
  Surroundings,
  Time,
} from "../../userland/system.js";
import type { RequireBuiltin } from "../engine-types.js";
import type { GuestCalls } from "../environment.js";
import { fileBytesOf, limitsOf, openFilesOf } from "./resource-limits.js";
import type * as Run from "./run.js";

const newline = 10;
/** Of what is written at once, with room for the call's other fields in a frame that is none of the large ones. */
const pieceBytes = 512 * 1024;

export interface GuestSystemTools {
  channel: Channel;
  start: StartOptions;
  requireBuiltin: RequireBuiltin;
  /** What the first spawn comes to: the kernel was asked before, for the same command. */
  refused?: number | undefined;
}

/** A number for a failure, or what `take` makes of the answer. */
function answer<R extends object, T>(result: R | number, take: (value: R) => T): T | number {
  return typeof result === "number" ? result : take(result);
}

/** A terminal as programs of ours set it. */
export function createShellTerminal(channel: Channel): JobTerminal {
  const done = (result: object | number): number => (typeof result === "number" ? result : 0);
  return {
    attributes: (fd) => channel.call("terminalGet", { fd }),
    setAttributes(fd, { cc, cflag, iflag, lflag, oflag }) {
      const flags = { cflag, iflag, lflag, oflag };
      return done(channel.call("terminalSet", { fd, cc, ...flags, flush: false, untilEnd: false }));
    },
    size(fd) {
      const found = channel.call("terminalGet", { fd });
      return typeof found === "number" ? { rows: 0, columns: 0 } : found;
    },
    resize: (fd, rows, columns) => done(channel.call("terminalResize", { fd, rows, columns })),
    foreground: (fd) =>
      answer(channel.call("terminalGet", { fd }), ({ foreground }) => foreground) as number,
    setForeground: (fd, group) => done(channel.call("terminalForeground", { fd, group })),
    setProcessGroup: (pid, group) => done(channel.call("setProcessGroup", { pid, group })),
    waitForChange: (pid) =>
      new Promise((resolve) =>
        channel.callAsync("waitState", { pid, options: WaitOptions.stopped }, (result) =>
          resolve(
            typeof result === "number"
              ? { code: 127, signal: 0, stopSignal: 0 }
              : { code: result.code, signal: result.signal, stopSignal: result.state },
          ),
        ),
      ),
  };
}

/** A call that may wait, as the result of `take`. */
function later<K extends keyof GuestCalls, T>(
  channel: Channel,
  name: K,
  args: CallArgs<GuestCalls, K>,
  take: (value: CallResult<GuestCalls, K>) => T,
): Promise<T | number> {
  return new Promise((resolve) =>
    channel.callAsync(name, args, (result) => resolve(answer(result, take))),
  );
}

/** The mask as the kernel has it, and as it must have it before the next call that makes a file or a process. */
class Mask {
  readonly #channel: Channel;
  #known: number;
  #wanted: number;

  constructor(channel: Channel, mask: number) {
    this.#channel = channel;
    this.#known = this.#wanted = mask;
  }

  set(next: number): number {
    const before = this.#wanted;
    this.#wanted = next;
    return before;
  }

  settle(): void {
    if (this.#known === this.#wanted) return;
    this.#known = this.#wanted;
    this.#channel.call("umask", { mask: this.#known });
  }
}

function ownProcess(channel: Channel, start: StartOptions): OwnProcess {
  const rlimits = limitsOf(start);
  return {
    pid: start.pid,
    ppid: start.ppid,
    identity: { uid: start.uid, gid: start.gid, user: start.env.USER ?? "root" },
    cpuTimes() {
      const result = channel.call("usage", {});
      const used = typeof result === "number" ? undefined : result;
      return {
        userMs: (used?.userUs ?? 0) / 1000,
        systemMs: (used?.systemUs ?? 0) / 1000,
        childUserMs: (used?.childUserUs ?? 0) / 1000,
        childSystemMs: (used?.childSystemUs ?? 0) / 1000,
      };
    },
    getrlimit: (resource) => rlimits.get(resource) ?? noLimit,
  };
}

function surroundings(start: StartOptions, mask: Mask): Surroundings {
  return {
    // Where this process is; the shell's own directory is a variable of it.
    cwd: () => start.cwd,
    umask: (next) => mask.set(next),
  };
}

async function readLine(
  channel: Channel,
  fd: number,
  maxBytes: number,
): Promise<Uint8Array | number> {
  const parts: Uint8Array[] = [];
  for (let size = 0; size < maxBytes;) {
    const piece = await later(
      channel,
      "readLine",
      { fd, length: maxBytes - size },
      ({ data }) => data,
    );
    if (typeof piece === "number") return parts.length > 0 ? Buffer.concat(parts) : piece;
    if (piece.byteLength === 0) break;
    parts.push(piece);
    size += piece.byteLength;
    if (piece[piece.byteLength - 1] === newline) break;
  }
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
}

async function writeAll(
  channel: Channel,
  fd: number,
  data: Uint8Array,
  fileBytes = Infinity,
): Promise<number> {
  if (channel.isHostOutput(fd)) {
    channel.writeOutput(fd, data);
    return 0;
  }
  for (let at = 0; at < data.byteLength;) {
    const part = data.subarray(at, at + pieceBytes);
    const result = await new Promise<{ written: number } | number>((resolve) => {
      if (fileBytes === Infinity)
        channel.callAsync("write", { fd, data: part, position: -1 }, resolve);
      else channel.callAsync("writeWithin", { fd, data: part, fileBytes }, resolve);
    });
    if (typeof result === "number") return result;
    at += result.written;
  }
  return 0;
}

function descriptors(
  channel: Channel,
  start: StartOptions,
  mask: Mask,
): Descriptors & Pipes & Offsets {
  return {
    inheritedFds: start.descriptors.flatMap((kind, fd) => (kind === "" ? [] : [fd])),
    pipe: () => answer(channel.call("pipe", {}), ({ reader, writer }) => [reader, writer] as const),
    open(path, flags, mode) {
      mask.settle();
      const now = { path, flags: flags | openWithoutWait, mode };
      const opened = answer(channel.call("open", now), ({ fd }) => fd);
      if (opened !== -Errno.EAGAIN) return opened;
      // Whoever it waits for may be part of this shell.
      return later(channel, "open", { path, flags, mode }, ({ fd }) => fd);
    },
    close(fd) {
      channel.forgetOutput(fd);
      return answer(channel.call("close", { fd }), () => 0);
    },
    dup: (fd) => answer(channel.call("dup", { fd, to: -1 }), (result) => result.fd),
    read: (fd, length) => later(channel, "read", { fd, length, position: -1 }, ({ data }) => data),
    readLine: (fd, maxBytes) => readLine(channel, fd, maxBytes),
    readable: (fd, timeoutMs) =>
      new Promise((resolve) =>
        channel.callAsync(
          "waitReadable",
          { fd, timeoutMs: Math.min(Math.max(0, Math.ceil(timeoutMs)), 0x7fffffff) },
          (result) => resolve(typeof result === "number" || result.ready),
        ),
      ),
    seekBy: (fd, delta) =>
      answer(
        channel.call("seek", { fd, offset: delta, whence: SEEK_CUR }),
        ({ position }) => position,
      ),
    write: (fd, data) => writeAll(channel, fd, data),
    writeWithin: (fd, data, fileBytes) => writeAll(channel, fd, data, fileBytes),
    isatty: (fd) => start.descriptors[fd] === "tty",
  };
}

function names(channel: Channel): Names {
  const stat = (path: string, follow: boolean) =>
    answer(channel.call("stat", { path, follow }), ({ values }) => ({
      dev: values[StatSlot.dev]!,
      ino: values[StatSlot.ino]!,
      mode: values[StatSlot.mode]!,
      uid: values[StatSlot.uid]!,
      gid: values[StatSlot.gid]!,
      size: values[StatSlot.size]!,
      mtimeMs: values[StatSlot.mtime]! * 1000 + values[StatSlot.mtimeNs]! / 1e6,
    }));
  return {
    stat: (path) => stat(path, true),
    lstat: (path) => stat(path, false),
    access: (path, mode) => answer(channel.call("access", { path, mode }), () => 0),
    readdir(path) {
      const found: string[] = [];
      for (;;) {
        const part = channel.call("readdir", { path, start: found.length });
        if (typeof part === "number") return part;
        found.push(...part.names);
        if (!part.more || part.names.length === 0) return found;
      }
    },
    realpath: (path) => answer(channel.call("realpath", { path }), (result) => result.path),
  };
}

function processes({ channel, start, refused }: GuestSystemTools, mask: Mask): Processes {
  let knownRefusal = refused;
  /** The kernel wants a process for every command. */
  let refusesAll = false;
  /** Where the kernel has this process; the shell's own directory is its variable. */
  let { cwd } = start;
  return {
    hostCommands: start.hostCommands,
    shellCommand: ["/bin/sh"],
    spawn(request) {
      if (knownRefusal !== undefined) {
        const known = knownRefusal;
        knownRefusal = undefined;
        return known;
      }
      mask.settle();
      const fds: number[] = [];
      for (const [child, mine] of request.fds) {
        while (fds.length <= child) fds.push(-1);
        fds[child] = mine;
      }
      const args = {
        file: request.file,
        argv: [...request.argv],
        env: [...request.env],
        cwd: request.cwd,
        fds,
        flags:
          (request.newProcessGroup === true ? SpawnFlags.newProcessGroup : 0) |
          (request.foreground === true ? SpawnFlags.foreground : 0),
        uid: -1,
        gid: -1,
        ignored: [...(request.ignoredSignals ?? [])],
        openFiles: openFilesOf(request, start),
        fileBytes: fileBytesOf(request),
      };
      return later(channel, "spawn", args, ({ pid }) => pid);
    },
    async runHere(request) {
      if (knownRefusal !== undefined || refusesAll) return undefined;
      mask.settle();
      const asked = channel.call("spawn", {
        file: request.file,
        argv: [...request.argv],
        env: [...request.env],
        cwd: request.cwd,
        fds: [],
        flags: SpawnFlags.here,
        uid: -1,
        gid: -1,
        ignored: [],
        openFiles: -1,
        fileBytes: [],
      });
      if (typeof asked === "number") {
        refusesAll = asked === -Errno.EOPNOTSUPP;
        return undefined;
      }
      if (cwd !== request.cwd) {
        try {
          process.chdir(request.cwd);
        } catch {
          return undefined;
        }
        cwd = request.cwd;
      }
      const { runCommandHere } = require("../../userland/run-here.js") as typeof RunHere;
      const { commandMachine } = require("./run.js") as typeof Run;
      const name = request.file.slice(request.file.lastIndexOf("/") + 1);
      return runCommandHere(name, request, commandMachine(channel));
    },
    wait: (pid) =>
      new Promise((resolve) =>
        channel.callAsync("wait", { pid }, (result) =>
          resolve(typeof result === "number" ? { code: 127, signal: 0 } : result),
        ),
      ),
  };
}

function signals(channel: Channel, start: StartOptions): Signals {
  const dispositions = new Map<number, SignalDisposition>();
  const startedIgnored = new Set(start.ignoredSignals);
  channel.on("signal", ({ signal }) => {
    const disposition = dispositions.get(signal);
    if (typeof disposition === "function") disposition();
  });
  return {
    kill: (pid, signal) => answer(channel.call("kill", { pid, signal }), () => 0),
    onSignal(signal, disposition) {
      const was = dispositions.has(signal);
      if (disposition === "default") dispositions.delete(signal);
      else dispositions.set(signal, disposition);
      if (was !== dispositions.has(signal))
        channel.event("signalHandler", { signal, handled: !was });
    },
    startedIgnored: (signal) => startedIgnored.has(signal),
  };
}

function time(requireBuiltin: RequireBuiltin): Time {
  const { setTimeout, setImmediate } = requireBuiltin("timers");
  return {
    nowMs: () => Date.now(),
    sleep: (durationMs) => new Promise((resolve) => setTimeout(resolve, durationMs)),
    yield: () => new Promise((resolve) => setImmediate(resolve)),
  };
}

export function createShellSystem(tools: GuestSystemTools): ShellSystem {
  const { channel, start, requireBuiltin } = tools;
  const mask = new Mask(channel, start.umask);
  return {
    ...ownProcess(channel, start),
    ...surroundings(start, mask),
    get machine(): string {
      return requireBuiltin("os").machine();
    },
    hostname: () => start.hostname,
    ...descriptors(channel, start, mask),
    ...names(channel),
    ...processes(tools, mask),
    ...signals(channel, start),
    ...time(requireBuiltin),
    terminal: createShellTerminal(channel),
  };
}
