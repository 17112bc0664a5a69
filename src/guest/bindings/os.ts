/**
 * Replaces the functions of the `os` binding: the machine that a guest sees. Nothing here protects
 * anything; the values come from the kernel's `StartOptions`.
 */
import { machine } from "../../abi/machine.js";
import type { GuestEnvironment, KernelClient } from "../environment.js";
import { elapsedNs, startOptions } from "../identity.js";
import { usedBytes } from "../memory-usage.js";

/** A nice value that changes none. */
const unchanged = 127;
const userName = "user";
const homeDirectory = "/home/user";

let kernel: KernelClient;
/** lib/internal/errors.js */
let UVException: new (context: { errno: number; syscall: string }) => Error & { code: string };

function machineUptimeSeconds(): number {
  return startOptions().machineUptimeMs / 1000 + Number(elapsedNs()) / 1e9;
}

/** Undefined is a failure, which `context` then describes as Node's C++ does. */
function priority(pid: number, nice: number, context: object, syscall: string): number | undefined {
  const result = kernel.call("priority", { pid, nice });
  if (typeof result !== "number") return result.nice;
  const { code, message } = new UVException({ errno: result, syscall });
  Object.assign(context, {
    errno: result,
    code,
    message: String(message)
      .slice(code.length + 2)
      .replace(`, ${syscall}`, ""),
    syscall,
  });
  return undefined;
}

export function installOs(env: GuestEnvironment): void {
  ({ kernel } = env);
  ({ UVException } = env.requireBuiltin("internal/errors"));
  Object.assign(env.internalBinding("os"), {
    getHostname: () => startOptions().hostname,
    getOSInformation: () => [
      machine.kernelName,
      machine.kernelVersion,
      machine.kernelRelease,
      process.arch === "arm64" ? "aarch64" : "x86_64",
    ],
    getHomeDirectory: () => process.env["HOME"] ?? homeDirectory,
    getUserInfo: (options: { encoding?: string } | null | undefined) => {
      const encode = (text: string) => (options?.encoding === "buffer" ? Buffer.from(text) : text);
      return {
        __proto__: null,
        uid: startOptions().uid,
        gid: startOptions().gid,
        username: encode(userName),
        homedir: encode(homeDirectory),
        shell: encode("/bin/sh"),
      };
    },
    getCPUs: () => [machine.cpuModel, machine.cpuMhz, 0, 0, 0, 0, 0],
    getAvailableParallelism: () => 1,
    getInterfaceAddresses: () => [
      "lo",
      "127.0.0.1",
      "255.0.0.0",
      "IPv4",
      "00:00:00:00:00:00",
      true,
      -1,
      "lo",
      "::1",
      "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
      "IPv6",
      "00:00:00:00:00:00",
      true,
      0,
    ],
    getLoadAvg: (into: Float64Array) => into.fill(0),
    getTotalMem: () => startOptions().memoryLimitBytes,
    getFreeMem: () => Math.max(0, startOptions().memoryLimitBytes - usedBytes()),
    getUptime: machineUptimeSeconds,
    setPriority: (pid: number, nice: number, context: object) =>
      priority(pid, nice, context, "uv_os_setpriority") === undefined ? -1 : 0,
    getPriority: (pid: number, context: object) =>
      priority(pid, unchanged, context, "uv_os_getpriority"),
  });
}
