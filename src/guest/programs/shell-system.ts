/**
 * The shell's system inside a VM: every operation is a system call of this
 * process. It decides nothing; the kernel judges each call.
 */
import { Errno } from "../../abi/errno.js";
import { StatSlot, openWithoutWait } from "../../protocol/fs-calls.js";
import { SpawnFlags } from "../../protocol/guest-calls.js";
import type { StartOptions } from "../../protocol/guest-calls.js";
import { WaitOptions } from "../../protocol/terminal-calls.js";
import type { Channel } from "../channel.js";
import type { ShellTerminal } from "../../userland/sh/terminal.js";
import type {
  ResourceLimit,
  ShellSystem,
  SignalDisposition,
  SpawnRequest,
} from "../../userland/sh/system.js";
import type { RequireBuiltin } from "../engine-types.js";

const SEEK_CUR = 1;
const newline = 10;
const unlimited = Object.freeze({ soft: Infinity, hard: Infinity });
/** include/uapi/asm-generic/resource.h */
const [RLIMIT_DATA, RLIMIT_NPROC, RLIMIT_NOFILE] = [2, 6, 7];

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
export function createShellTerminal(channel: Channel): ShellTerminal {
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

export function createShellSystem({
  channel,
  start,
  requireBuiltin,
  refused,
}: GuestSystemTools): ShellSystem {
  let knownRefusal = refused;
  const { setTimeout, setImmediate } = requireBuiltin("timers");
  const signals = new Map<number, SignalDisposition>();
  const startedIgnored = new Set(start.ignoredSignals);
  const rlimits = new Map<number, ResourceLimit>(
    [
      [RLIMIT_DATA, start.memoryLimitBytes] as const,
      [RLIMIT_NPROC, start.processesLimit] as const,
      [RLIMIT_NOFILE, start.openFilesLimit] as const,
    ].map(([resource, limit]) => [resource, { soft: limit, hard: limit }]),
  );
  /** The kernel knows one limit of open files; the soft one is what binds. */
  const openFilesOf = ({ resourceLimits }: SpawnRequest): number => {
    const soft = resourceLimits.get(RLIMIT_NOFILE)?.soft ?? -1;
    return Math.min(soft, start.openFilesLimit);
  };
  /** What the kernel has, and what it must have before the next call that makes a file or a process. */
  let mask = start.umask;
  let wantedMask = mask;
  const settleMask = (): void => {
    if (mask === wantedMask) return;
    mask = wantedMask;
    channel.call("umask", { mask });
  };
  channel.on("signal", ({ signal }) => {
    const disposition = signals.get(signal);
    if (typeof disposition === "function") disposition();
  });

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

  const read = (fd: number, maxBytes: number): Promise<Uint8Array | number> =>
    new Promise((resolve) =>
      channel.callAsync("read", { fd, length: maxBytes, position: -1 }, (result) =>
        resolve(answer(result, ({ data }) => data)),
      ),
    );

  const readPiece = (fd: number, length: number): Promise<Uint8Array | number> =>
    new Promise((resolve) =>
      channel.callAsync("readLine", { fd, length }, (result) =>
        resolve(answer(result, ({ data }) => data)),
      ),
    );

  return {
    pid: start.pid,
    ppid: start.ppid,
    identity: { uid: start.uid, gid: start.gid, user: start.env.USER ?? "root" },
    get machine(): string {
      return requireBuiltin("os").machine();
    },
    hostCommands: start.hostCommands,
    hostname: () => start.hostname,
    shellCommand: ["/bin/sh"],
    inheritedFds: start.descriptors.flatMap((kind, fd) => (kind === "" ? [] : [fd])),

    pipe: () => answer(channel.call("pipe", {}), ({ reader, writer }) => [reader, writer] as const),
    open(path, flags, mode) {
      settleMask();
      const now = { path, flags: flags | openWithoutWait, mode };
      const opened = answer(channel.call("open", now), ({ fd }) => fd) as number;
      if (opened !== -Errno.EAGAIN) return opened;
      // Whoever it waits for may be part of this shell.
      return new Promise((resolve) =>
        channel.callAsync("open", { path, flags, mode }, (result) =>
          resolve(answer(result, ({ fd }) => fd) as number),
        ),
      );
    },
    close(fd) {
      channel.forgetOutput(fd);
      return answer(channel.call("close", { fd }), () => 0) as number;
    },
    dup: (fd) => answer(channel.call("dup", { fd, to: -1 }), (result) => result.fd) as number,
    read,
    async readLine(fd, maxBytes) {
      const parts: Uint8Array[] = [];
      for (let size = 0; size < maxBytes;) {
        const piece = await readPiece(fd, maxBytes - size);
        if (typeof piece === "number") return parts.length > 0 ? Buffer.concat(parts) : piece;
        if (piece.byteLength === 0) break;
        parts.push(piece);
        size += piece.byteLength;
        if (piece[piece.byteLength - 1] === newline) break;
      }
      return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
    },
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
      ) as number,
    async write(fd, data) {
      if (channel.isHostOutput(fd)) {
        channel.writeOutput(fd, data);
        return 0;
      }
      for (let at = 0; at < data.byteLength;) {
        const part = data.subarray(at, at + 1024 * 1024);
        const result = await new Promise<{ written: number } | number>((resolve) =>
          channel.callAsync("write", { fd, data: part, position: -1 }, resolve),
        );
        if (typeof result === "number") return result;
        at += result.written;
      }
      return 0;
    },
    isatty: (fd) => start.descriptors[fd] === "tty",
    terminal: createShellTerminal(channel),

    stat: (path) => stat(path, true),
    lstat: (path) => stat(path, false),
    access: (path, mode) => answer(channel.call("access", { path, mode }), () => 0) as number,
    readdir(path) {
      const names: string[] = [];
      for (;;) {
        const part = channel.call("readdir", { path, start: names.length });
        if (typeof part === "number") return part;
        names.push(...part.names);
        if (!part.more || part.names.length === 0) return names;
      }
    },
    realpath: (path) =>
      answer(channel.call("realpath", { path }), (result) => result.path) as string | number,
    // Where this process is; the shell's own directory is a variable of it.
    cwd: () => start.cwd,
    umask(next) {
      const before = wantedMask;
      wantedMask = next;
      return before;
    },

    spawn(request: SpawnRequest) {
      if (knownRefusal !== undefined) {
        const known = knownRefusal;
        knownRefusal = undefined;
        return known;
      }
      settleMask();
      const fds: number[] = [];
      for (const [child, mine] of request.fds) {
        while (fds.length <= child) fds.push(-1);
        fds[child] = mine;
      }
      return new Promise((resolve) =>
        channel.callAsync(
          "spawn",
          {
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
            openFiles: openFilesOf(request),
          },
          (result) => resolve(answer(result, ({ pid }) => pid) as number),
        ),
      );
    },
    wait: (pid) =>
      new Promise((resolve) =>
        channel.callAsync("wait", { pid }, (result) =>
          resolve(typeof result === "number" ? { code: 127, signal: 0 } : result),
        ),
      ),
    kill: (pid, signal) => answer(channel.call("kill", { pid, signal }), () => 0) as number,
    onSignal(signal, disposition) {
      const was = signals.has(signal);
      if (disposition === "default") signals.delete(signal);
      else signals.set(signal, disposition);
      if (was !== signals.has(signal)) channel.event("signalHandler", { signal, handled: !was });
    },
    startedIgnored: (signal) => startedIgnored.has(signal),

    nowMs: () => Date.now(),
    sleep: (durationMs) => new Promise((resolve) => setTimeout(resolve, durationMs)),
    yield: () => new Promise((resolve) => setImmediate(resolve)),
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
    getrlimit: (resource) => rlimits.get(resource) ?? unlimited,
  };
}
