/**
 * Owns the proof that a lock-down holds on this machine: a child that locks itself down as a guest
 * does, tries what no guest may, and must meet exactly the refusals that the policy promises.
 *
 * Invariant: silence is failure. A child that dies, says nothing or says anything but that all of
 * it was refused means that no guest is served.
 */
import {
  _exit,
  close,
  fork,
  getppid,
  kill,
  openReadOnly,
  pipe2,
  read,
  signalOf,
  syscall,
  waitpid,
  write,
} from "./libc.js";
import { IsolationUnavailable } from "./unavailable.js";

const [EPERM, ENOENT, EACCES] = [1, 2, 13];
const SIGKILL = 9;
const AF_INET = 2;
const SOCK_STREAM = 1;
const refused = "all refused";

const numbers = {
  socket: { x64: 41, arm64: 198 },
  execve: { x64: 59, arm64: 221 },
} as const;

function numberOf(name: keyof typeof numbers): number {
  const { arch } = process;
  if (arch !== "x64" && arch !== "arm64") throw new Error(`no system calls for ${arch}`);
  return numbers[name][arch];
}

interface Attempt {
  name: string;
  /** What STAGE2 answers; without the filter, each of these succeeds or fails otherwise. */
  errno: number;
  run(): number;
}

const attempts: readonly Attempt[] = [
  { name: "openat", errno: ENOENT, run: () => openReadOnly("/") },
  {
    name: "socket",
    errno: EACCES,
    run: () => syscall(numberOf("socket"), AF_INET, SOCK_STREAM, 0),
  },
  { name: "kill", errno: EPERM, run: () => kill(getppid(), 0) },
  // Null pointers: EFAULT unless the filter answers before they are read.
  { name: "execve", errno: EPERM, run: () => syscall(numberOf("execve"), 0, 0, 0) },
];

/** Tries what no guest may; answers what was not refused as promised, or undefined. */
export function attemptAll(): string | undefined {
  for (const { name, errno, run } of attempts) {
    const result = run();
    if (result === -errno) continue;
    const got = result < 0 ? `failed with errno ${-result}` : "succeeded";
    return `${name} ${got}, where errno ${errno} is the promise`;
  }
  return undefined;
}

/** Takes the end of the child that has proven it: to be torn down takes such a process longer than to try. */
export type Reap = () => void;

/**
 * Has a child run `lockDown` and try everything. What it answers waits for that, and throws `IsolationUnavailable` unless
 * the child was refused everything.
 */
export function selfTest(lockDown: () => void): () => Reap {
  const pipe = pipe2(0);
  if (typeof pipe === "number") throw new IsolationUnavailable("self-test", `errno ${-pipe}`);
  const pid = fork();
  if (pid === 0) {
    let said: string;
    try {
      lockDown();
      said = attemptAll() ?? refused;
    } catch (error) {
      said = error instanceof IsolationUnavailable ? error.lastWords : String(error);
    }
    const bytes = Buffer.from(said);
    write(pipe[1], bytes, 0, bytes.length);
    _exit(0);
  }
  close(pipe[1]);
  return () => judge(pid, pipe[0]);
}

/** What the child says, and how it ends. */
function judge(pid: number, pipe: number): Reap {
  const buffer = Buffer.alloc(1024);
  const size = pid < 0 ? pid : read(pipe, buffer, 0, buffer.length);
  close(pipe);
  const said = size > 0 ? buffer.toString("utf8", 0, size) : "a locked-down process says nothing";
  if (said === refused) return () => void waitpid(pid, 0);
  const ended = pid > 0 ? waitpid(pid, 0) : 0;
  // Somebody's kill, or the machine's want of memory, tells nothing of the lock-down: a filter kills by SIGSYS.
  if (typeof ended === "object" && signalOf(ended.status) === SIGKILL)
    throw new Error("the self-test was killed");
  throw IsolationUnavailable.from(said) ?? new IsolationUnavailable("seccomp", said);
}
