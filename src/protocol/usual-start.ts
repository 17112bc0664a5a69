/**
 * Owns what most programs are told when they start, and the order in which every process is told such things. The engine
 * makes the shape of an object key by key, each guest anew for an order that its zygote has not read; so a zygote reads this one ahead, and the
 * kernel writes in its order. Of the values only the kind matters (a text, a whole number below 2^31, another number).
 */
import { baseEnvironment, identity } from "../abi/identity.js";
import type { StartOptions } from "./guest-calls.js";
import { defaultNodeVersion } from "./platforms.js";

export const usualStart: StartOptions = {
  mode: "program",
  language: "js",
  endWhenSettled: false,
  encoding: "json",
  image: "",
  path: `${identity.home}/[eval1]`,
  argv: [`${identity.home}/[eval1]`],
  argv0: "node",
  env: { ...baseEnvironment },
  descriptors: ["null", "host", "host"],
  ignoredSignals: [],
  cwd: identity.home,
  pid: 2,
  ppid: 1,
  uid: identity.uid,
  gid: identity.gid,
  umask: 0o022,
  hostname: identity.hostname,
  outputWindowBytes: 256 * 1024,
  memoryLimitBytes: 256 * 1024 * 1024,
  openFilesLimit: 256,
  processesLimit: 256,
  threads: 12,
  valueBytes: 16 * 1024 * 1024,
  hostTools: false,
  hostCommands: false,
  startedAtMs: 2 ** 40,
  machineUptimeMs: 1,
  jsRuntime: {
    nodeVersion: defaultNodeVersion,
    platform: "node",
    moduleResolution: "node",
    allowedBuiltins: null,
    timing: "normal",
  },
  nativeAddons: false,
};

/** The same options in the usual order; what only some are told comes last. */
export function inUsualOrder(options: StartOptions): StartOptions {
  return { ...usualStart, ...options };
}
