/**
 * Runs one attack program in a virtual machine, as the acceptance runner of the attack suite calls
 * it: `exec(source, { env, timeoutMs, mounts, limits, paths, meta, onStdout })`. The runner's own
 * process is the host, so what a program does to it is what the runner measures.
 */
import { NodeRuntime } from "../../dist/index.js";

export const name = "secure-exec";
/** Mounts appear under the guest's own paths. */
export const virtualMounts = true;

const tailBytes = 4096;
const mebibyte = 1024 * 1024;

/** The suite's names for limits, as ours. */
function limitsOf({ memMb, diskMb, inodes, fds, procs, workers, sockets, outputMb }) {
  return {
    memoryBytes: memMb * mebibyte,
    fileSystemBytes: diskMb * mebibyte,
    inodes,
    openFiles: fds,
    processes: procs,
    threads: workers,
    sockets,
    outputBytes: outputMb * mebibyte,
  };
}

/** The only address that a program may reach. */
function permissionsOf({ PROBE_ALLOWED_PORT: port }) {
  return {
    fs: "allow",
    childProcess: "allow",
    process: "allow",
    env: "allow",
    network: {
      default: "deny",
      rules: [{ mode: "allow", patterns: [`127.0.0.1:${port}`] }],
    },
  };
}

export async function exec(source, { env, timeoutMs, mounts, limits, meta, onStdout }) {
  const startedAt = performance.now();
  // The suite's time limits are for programs that pass by being ended; others say what they saw.
  const mustDie = meta.pass.startsWith("DIES");
  const runtime = await NodeRuntime.create({
    env,
    mounts: mounts.map(({ host, guest, mode }) => ({
      hostPath: host,
      guestPath: guest,
      readOnly: mode === "ro",
    })),
    permissions: permissionsOf(env),
    limits: { ...limitsOf(limits), ...(mustDie ? { cpuTimeMs: limits.cpuMs } : {}) },
  });
  let timedOut = false;
  const wallMs = mustDie ? Math.min(limits.wallMs, timeoutMs) : timeoutMs;
  const timer = setTimeout(() => (timedOut = true), wallMs);
  let seen = "";
  // A verdict comes last, and may come after more output than is kept.
  let tail = Buffer.alloc(0);
  try {
    const result = await runtime.run(source, {
      timeout: wallMs,
      onStdout: (chunk) => {
        tail = Buffer.concat([tail, chunk]).subarray(-tailBytes);
        if (onStdout === undefined) return undefined;
        seen += Buffer.from(chunk).toString("utf8");
        return onStdout(seen);
      },
    });
    return {
      stdout: result.stdoutTruncated
        ? result.stdout.slice(0, -tailBytes) + tail.toString("utf8")
        : result.stdout,
      stderr: result.stderr,
      code: result.exitCode > 128 ? null : result.exitCode,
      signal: result.exitCode > 128 ? result.exitCode - 128 : null,
      timedOut,
      ms: Math.round(performance.now() - startedAt),
      result: result.value,
    };
  } catch (error) {
    // The machine ended the program for a reason of its own, and says which.
    return {
      stdout: tail.toString("utf8"),
      stderr: `${error.code}: ${error.message}`,
      code: 1,
      signal: null,
      timedOut,
      ms: Math.round(performance.now() - startedAt),
    };
  } finally {
    clearTimeout(timer);
    await runtime.dispose();
  }
}
