/**
 * Replaces functions of `process` that C++ would answer from the process of the host: memory, ids, time,
 * loading addons, becoming another program. Nothing here protects anything: seccomp shuts what is not virtual.
 */
import { toKernel } from "./names.js";
import { Errno } from "../abi/errno.js";
import type { GuestEnvironment } from "./environment.js";
import { elapsedNs, startOptions } from "./identity.js";
import { memoryUsage, usedBytes } from "./memory-usage.js";
import { AddonLoader, addonsDisabled, refuseAddon } from "./native-addons.js";
import type { Dlopen } from "./native-addons.js";

/** Node's own function of that name (internal/process/per_thread) around a system call of ours. */
function execve({ kernel, requireBuiltin }: GuestEnvironment, args: unknown[]): never {
  const { validateString, validateArray, validateObject } = requireBuiltin("internal/validators");
  const { codes, UVException } = requireBuiltin("internal/errors");
  requireBuiltin("internal/util").emitExperimentalWarning("process.execve");
  const [file, argv = [], env = process.env] = args as [string, string[]?, Record<string, string>?];
  if (!requireBuiltin("worker_threads").isMainThread)
    throw new codes.ERR_WORKER_UNSUPPORTED_OPERATION("Calling process.execve");
  const clean = (value: unknown): boolean => typeof value === "string" && !value.includes("\0");
  validateString(file, "execPath");
  validateArray(argv, "args");
  argv.forEach((argument, index) => {
    if (!clean(argument))
      throw new codes.ERR_INVALID_ARG_VALUE(
        `args[${index}]`,
        argument,
        "must be a string without null bytes",
      );
  });
  validateObject(env, "env");
  const variables = Object.entries(env);
  if (!variables.flat().every(clean))
    throw new codes.ERR_INVALID_ARG_VALUE(
      "env",
      env,
      "must be an object with string keys and values without null bytes",
    );
  const pairs = variables.map(([name, value]) => `${name}=${value}`);
  const channel = requireBuiltin("diagnostics_channel").channel("process.execve");
  if (channel.hasSubscribers) channel.publish({ execPath: file, args: argv, env: pairs });
  let words = "";
  // execve(2) takes a path; what has none is not looked for in PATH.
  const path = file.includes("/") ? file : `./${file}`;
  const errno = kernel.call(
    "execve",
    { file: toKernel(path), argv: argv.map(toKernel), env: pairs.map(toKernel) },
    (said) => (words = said),
  );
  const error = new UVException({ errno, syscall: "execve", path: file });
  if (words !== "") error.message = words;
  throw error;
}

/** Of a thread; `process.dlopen` is the engine's own when it is called. */
function dlopenOf(environment: GuestEnvironment): Dlopen {
  const engine = process.dlopen.bind(process) as Dlopen;
  return (module, ...rest) => {
    // The engine's own words.
    if (rest.length === 0) return engine(module, ...(rest as [unknown]));
    if (!startOptions().nativeAddons) return refuseAddon(rest[0]);
    // What C++ reads when an engine starts, and a fork is told later.
    if (environment.requireBuiltin("internal/options").getOptionValue("--addons") === false)
      throw addonsDisabled();
    return new AddonLoader(environment, engine).load(module, ...(rest as [unknown]));
  };
}

/** Once per thread: in the zygote, and in each worker. */
export function installProcessFunctions(environment: GuestEnvironment): void {
  const { internalBinding, requireBuiltin } = environment;
  const { UVException } = requireBuiltin("internal/errors");
  const ownsProcess = internalBinding("worker").ownsProcessState as boolean;
  const notPermitted = (syscall: string): never => {
    throw new UVException({
      errno: -Errno.EPERM,
      code: "EPERM",
      syscall,
      message: "operation not permitted",
    });
  };

  const processFunctions: Record<string, unknown> = {
    memoryUsage,
    constrainedMemory: () => startOptions().memoryLimitBytes,
    availableMemory: () => Math.max(0, startOptions().memoryLimitBytes - usedBytes()),
    uptime: () => Number(elapsedNs()) / 1e9,
    getuid: () => startOptions().uid,
    geteuid: () => startOptions().uid,
    getgid: () => startOptions().gid,
    getegid: () => startOptions().gid,
    getgroups: () => [startOptions().gid],
    // setuid and its siblings are Node's own: the process's filter answers EPERM.
    ...(ownsProcess && {
      _debugProcess: () => notPermitted("kill"),
      _debugEnd: () => undefined,
    }),
    dlopen: dlopenOf(environment),
    execve: (...args: unknown[]) => execve(environment, args),
  };
  for (const [name, value] of Object.entries(processFunctions)) {
    const { length = 0 } = ((process as unknown as Record<string, unknown>)[name] ?? {}) as {
      length?: number;
    };
    Object.defineProperty(process, name, {
      value,
      writable: true,
      configurable: true,
      enumerable: true,
    });
    if (typeof value !== "function") continue;
    Object.defineProperty(value, "name", { value: name, configurable: true });
    Object.defineProperty(value, "length", { value: length, configurable: true });
  }
}
