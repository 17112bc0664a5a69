/**
 * Owns the public error family: one table of every code a caller of the SDK can
 * meet, and the class that carries one. Documentation is generated from the table.
 *
 * Invariants: a code, once published, keeps its meaning; every code begins with
 * `ERR_SECURE_EXEC_`. Placeholders `{name}` in a message are filled from parameters.
 * Untrusted: parameters and kernel messages may quote guest text, so both are
 * bounded and stripped of control characters before they enter a message.
 */

interface ErrorEntry {
  /** Template of the message. */
  readonly message: string;
  /** When it happens. */
  readonly when: string;
  /** What to do about it. */
  readonly remedy: string;
}

export const errorTable = {
  ENGINE_MISSING: {
    message: "the Node engine was not found: {why}",
    when: "The pinned engine package for this platform is absent, of another version, or not executable.",
    remedy:
      "Run npm install without --omit=optional, or point SECURE_EXEC_ENGINE at a matching binary.",
  },
  UNSUPPORTED_PLATFORM: {
    message: "this platform is not supported: {why}",
    when: "The host is not Linux on x64 or arm64.",
    remedy: "Run on Linux x64 or arm64.",
  },
  ISOLATION_UNAVAILABLE: {
    message: "the operating system does not offer the required isolation: {why}",
    when: "seccomp filters or no_new_privs cannot be set up. Nothing is run without them.",
    remedy:
      "Run `secure-exec doctor` to see which layer is missing, and allow it in the container's profile.",
  },
  KERNEL_START_FAILED: {
    message: "the kernel process did not start: {why}",
    when: "The process that owns the virtual machines ended, or did not answer, before it was ready.",
    remedy: "See details.stderr of the error, and run `secure-exec doctor`.",
  },
  KERNEL_LOST: {
    message: "the kernel process ended: {why}",
    when: "The kernel died while runtimes used it. Their machines and files are gone.",
    remedy:
      "Create a new runtime; a new kernel is started for it. See details.stderr of the error.",
  },
  DISPOSED: {
    message: "the {what} is disposed",
    when: "A disposed runtime, runner or sidecar is used, or was disposed while a program ran.",
    remedy: "Dispose only after the last program has ended.",
  },
  INVALID_OPTION: {
    message: "{option} {problem}",
    when: "An argument or option is unknown, of the wrong type or out of range. Nothing was run.",
    remedy: "Correct the option that the message names (details.option).",
  },
  LIMIT_RAISED: {
    message: "limits.{limit} of a run cannot be {asked}: the machine's is {most}",
    when: "A run or a resident runner is given a limit that is above the machine's. Nothing was run.",
    remedy: "Give a lower one, or raise the machine's in NodeRuntime.create.",
  },
  LEARNED_TOO_MUCH: {
    message: "what the programs did is more than a machine learns from",
    when: "In learn mode, a program did more different things than the kernel keeps. The permissions would not be whole.",
    remedy: "Learn from less at once, in several machines.",
  },
  PERMISSIONS_WIDENED: {
    message: "{option} would allow what the machine does not: {why}",
    when: "setPermissions is given something wider than what the machine has. Nothing was changed.",
    remedy: "Make another runtime; a living one can only be narrowed.",
  },
  NOT_IMPLEMENTED: {
    message: "{option} is not implemented in this version",
    when: "An option of the documented API is given that this version cannot honour. It is never ignored.",
    remedy: "Leave the option out (details.option).",
  },
  KERNEL_UNRESPONSIVE: {
    message: "the kernel process said nothing for {timeout}ms and was ended",
    when: "The kernel was stopped or stuck while something waited for it. Everything on it is gone; what ran may have run in part.",
    remedy:
      "Create the runtime anew; that starts a new kernel. A host that is slow on purpose (a debugger, a mount that hangs) gives a SidecarProcess a longer heartbeatTimeoutMs.",
  },
  DETERMINISTIC: {
    message: "a deterministic runtime cannot do that: {why}",
    when: "A runtime with the option deterministic is asked for what would make its runs differ: a second program beside one that runs, a resident runner, a request to a program's server. In a program, spawning a process fails with EACCES and this code in its message.",
    remedy: "Run one program at a time, or leave the option out.",
  },
  REPLAY: {
    message: "the run is not the one that was recorded: {why}",
    when: "replay() came to a difference. details has what was recorded and what came instead; everything before is equal.",
    remedy:
      "Look at details.recorded and details.replayed; a program that was changed has to be recorded anew.",
  },
  WORKER_LOST: {
    message: "the worker {worker} is lost: {why}",
    when: "A machine is on a fleet, and its worker ended, was drained, or could not be reached for the lease, or its lease was revoked. The machine is gone; what ran on it may have run in part, and is not run again.",
    remedy:
      "Check the effects of what ran, and create a new runtime; it is placed on another worker. details.worker names the lost one.",
  },
  FLEET_FULL: {
    message: "no worker of the fleet had room within {timeout}ms: {why}",
    when: "Every worker that has the labels asked for was full, draining or silent for as long as fleet.placement.timeoutMs. Nothing was run.",
    remedy:
      "Start more workers or raise their --capacity; details.workers says what each lacks. fleet.placement.timeoutMs waits longer.",
  },
  FLEET_UNREACHABLE: {
    message: "the fleet's NATS server cannot be reached: {why}",
    when: "No connection to fleet.servers could be made with the credentials given.",
    remedy: "Check fleet.servers, fleet.credentials and fleet.tls.",
  },
  FLEET_CLIENT_MISSING: {
    message: "the package @nats-io/transport-node, which fleets need, is not installed",
    when: "The fleet option or `secure-exec worker` is used without the optional peer dependency.",
    remedy: "npm install @nats-io/transport-node@3.3.1",
  },
  FLEET_REFUSED: {
    message: "the worker does not do that: {why}",
    when: "A machine of a fleet is asked for what only its worker's owner can allow, such as a directory of the worker, or for more at once than a worker keeps.",
    remedy: "Start the worker with the option that the message names, or leave it out.",
  },
  OUTPUT_HOOK_TIMEOUT: {
    message: "an output hook did not settle: {why}",
    when: "The program ended, or was killed at its timeout, and a promise that onStdout or onStderr returned was still pending a second after the timeout.",
    remedy: "Let the hook settle, or do the slow part elsewhere.",
  },
  SNAPSHOT_INVALID: {
    message: "the snapshot cannot be restored: {why}",
    when: "What create() was given as a snapshot is damaged, cut off, of another format, larger than the machine may be, or was not made by snapshot(). No runtime was made.",
    remedy:
      "Take the snapshot again. Where its files do not fit, limits.fileSystemBytes and limits.inodes allow more.",
  },
  RETURN_VALUE: {
    message: "the value given to __return cannot be handed over: {why}",
    when: "The program succeeded, but its value is not JSON, too large, or nested too deeply.",
    remedy:
      'Return plain JSON of at most limits.valueBytes (16 MiB) and 1000 levels, or run with encoding: "structured". details.path names the offending place, if known.',
  },
  MEMORY_LIMIT: {
    message: "the program used more memory than it may: {why}",
    when: "Heap, buffers and WebAssembly memory together passed the limit.",
    remedy: "Raise limits.memoryBytes, or let the program hold less in memory at once.",
  },
  THREAD_LIMIT: {
    message: "the program's process had more threads than it may: {why}",
    when: "Native code of a process started more threads than the engine and its workers account for. It was ended; the result has exit code 137 and this code on stderr.",
    remedy: "Treat the program as hostile.",
  },
  CPU_TIME_LIMIT: {
    message: "the program used more CPU time than it may: {why}",
    when: "A program and what it started used more than limits.cpuTimeMs together. They were ended; the result has exit code 137 and this code on stderr.",
    remedy: "Raise limits.cpuTimeMs, or let the program do less.",
  },
  WALL_TIME_LIMIT: {
    message: "the program ran for longer than it may: {why}",
    when: "A program, or something it started, was still there after limits.wallTimeMs. They were ended; the result has exit code 137 and this code on stderr.",
    remedy: "Raise limits.wallTimeMs.",
  },
  GUEST_CRASHED: {
    message: "the program's process crashed: {why}",
    when: "The process was ended by a fault rather than by its program or by a signal from the host.",
    remedy:
      "The virtual machine goes on. Report the program if it is not meant to attack the engine.",
  },
  GUEST_KILLED: {
    message: "the program's process was killed from outside",
    when: "Something other than this library ended the guest's OS process with SIGKILL.",
    remedy:
      "Look at the machine's out-of-memory killer and at whoever else may signal the process; then run the program again.",
  },
  PROTOCOL_VIOLATION: {
    message: "the program's process broke the protocol and was ended: {why}",
    when: "The process sent its kernel something that no honest guest sends.",
    remedy: "Treat the program as hostile.",
  },
  ZYGOTE_LOST: {
    message: "the process that starts programs ended: {why}",
    when: "The zygote died, so the program was not started or its end could not be observed.",
    remedy: "Run the program again; the kernel starts a new zygote.",
  },
  OUTCOME_UNKNOWN: {
    message: "the program's outcome is not known: {why}",
    when: "The program may have run, wholly or in part, but its end was not seen.",
    remedy: "Check its effects before running it again.",
  },
  SPAWN_FAILED: {
    message: "the program could not be started: {why}",
    when: "The virtual machine refused to start it; details.errno holds the reason's name, if it has one.",
    remedy: "Check the working directory, and how many programs run in the machine.",
  },
  PROCESS_LIMIT: {
    message: "the virtual machine runs as many processes as it may",
    when: "A program is started while the machine's process table is full.",
    remedy: "Wait for programs to end, raise limits.processes, or use another runtime.",
  },
  STDIN_CLOSED: {
    message: "stdin of the program is closed",
    when: "writeStdin is called after closeStdin, or although the stdin option was given.",
    remedy: "Write before closing.",
  },
  TEMPLATE_UNAVAILABLE: {
    message: "this machine cannot copy processes: {why}",
    when: "template() is called where Linux lacks seccomp user notification (5.5), or something above this process listens to its system calls already. Everything else works.",
    remedy: "Run the set-up in each run, or use a resident runner.",
  },
  TEMPLATE_HOLDS: {
    message:
      "the set-up of the template left something open that belongs to its own machine: {why}",
    when: "create({ template }) is called for a template that has a pipe, a socket, a file of a mount, or a file without a name open. Another machine has its own files in memory only.",
    remedy: "Close it at the end of the set-up, or run the programs by the template's own methods.",
  },
  TEMPLATE_FILES_GONE: {
    message: "the files that the template's set-up left have gone",
    when: "create({ template }) is called after the template's machine has changed so many of its files that those and the ones of the set-up together are over its limits.fileSystemBytes or limits.inodes.",
    remedy:
      "Begin machines before the template's own writes much, raise these limits, or make the template again.",
  },
  TEMPLATE_SETUP_FAILED: {
    message: "the set-up of the template failed: {why}",
    when: "The program given to template() ended instead of settling; details has its exitCode, stdout and stderr.",
    remedy: "Correct the set-up. It must neither exit nor throw.",
  },
  TEMPLATE_PENDING: {
    message: "the set-up left something under way: {why}",
    when: "When the module of the set-up had been evaluated, a timer, a request, a worker or a system call was still pending; the message names it. A copy could not go on with it.",
    remedy: "Await it or clear it at the end of the set-up.",
  },
  TEMPLATE_ENDED: {
    message: "the template has ended: {why}",
    when: "A template is used after its disposal or that of its machine, or its process was killed, crashed or did not make a copy in time.",
    remedy: "Make the template again. Programs that were copied from it before go on.",
  },
  COMPILER_MISSING: {
    message: "{what} needs the TypeScript compiler: {why}",
    when: "A program in TypeScript has decorators, JSX or compilerOptions, and the host has no compiler that can be loaded. Nothing was run.",
    remedy:
      "Install typescript 5.x or 6.x beside secure-exec or in the working directory: npm install typescript@5.",
  },
  RUNNER_BUSY: {
    message: "resident runner supports one in-flight exec",
    when: "A second exec is called before the first has settled.",
    remedy: "Await the first, or use a second runner.",
  },
  RUNNER_ENDED: {
    message: "resident runner has ended: {why}",
    when: "The runner's process exited, was killed or timed out earlier.",
    remedy: "Create a new runner.",
  },
  RUNNER_TIMEOUT: {
    message: "resident runner timed out after {timeout}ms",
    when: "A snippet did not finish in time. Its process was killed; details has its stdout and stderr until then.",
    remedy: "Create a new runner, and allow more time if the snippet deserves it.",
  },
  OUTPUT_DROPPED: {
    message:
      "{dropped} bytes of output came after the first {kept} and before anybody read, and were dropped",
    when: "stdout or stderr of a spawned program is read for the first time after more had come than is kept.",
    remedy:
      "Touch proc.stdout (or stderr) as soon as spawn has resolved, or give spawn an onStdout hook.",
  },
  COMMAND_FAILED: {
    message: "the command failed with exit code {exitCode}: {line}: {said}",
    when: "A command of rt.sh ended with an exit code other than 0; details has its exitCode, stdout and stderr.",
    remedy: "See details.stderr, or add .nothrow() where such an end is no error.",
  },
  NO_LISTENER: {
    message: "no program listens there: {why}",
    when: "fetch names a port on which no program of this machine listens. Nothing else was tried.",
    remedy: "Await waitForListener({ port }) first.",
  },
  LISTENER_TIMEOUT: {
    message: "Timed out after {timeout}ms waiting for a listener on {listener}",
    when: "Nobody listened there in time.",
    remedy: "Check that the program still runs and where it listens, or raise timeoutMs.",
  },
  PORT_TAKEN: {
    message: "port {port} of the host cannot be opened for the machine: {why}",
    when: "A program listens on a port named in loopbackExemptPorts, and the host's port of that number is taken.",
    remedy: "Free the port on the host, or take it out of loopbackExemptPorts.",
  },
  CONNECTION_LIMIT: {
    message: "the machine takes no more connections: {why}",
    when: "fetch is called while the machine's connections, or those waiting for the listener, are at their limit.",
    remedy: "Wait for answers, or close connections inside the machine.",
  },
  FETCH_FAILED: {
    message: "the request got no answer: {why}",
    when: "The listener closed the connection, sent something that is no HTTP, or the machine ended.",
    remedy: "Look at what the program printed.",
  },
  FETCH_RESPONSE_LIMIT: {
    message: "the answer is too large: {why}",
    when: "The body of an answer to fetch is over 1 MiB.",
    remedy: "Ask for less at once, for instance with a range.",
  },
  NO_SUCH_FILE: {
    message: "no such file: {path}",
    when: "readFile or another file call names a path that does not exist in the virtual machine.",
    remedy: "Check the path; it is a path of the guest, not of the host.",
  },
  FILE: {
    message: "{operation} of {path} failed: {why}",
    when: "A file call fails; details.errno holds the reason's name, such as EISDIR, if it has one.",
    remedy: "See the reason in the message.",
  },
  LINK_LEADS_OUT: {
    message: "{operation} of {path} meets a link that leads out of its directory",
    when: "A file call of the host meets a symbolic link that a program may have made and that leads out of the directory it lies in. Nothing was touched.",
    remedy:
      "Pass followLinks: true to follow links wherever they lead, if programs may decide what the call touches.",
  },
  TOOL_TIMEOUT: {
    message: "the host tool {tool} did not answer within {timeout}ms",
    when: "A handler took longer than its timeoutMs. It is the reason of the handler's signal.",
    remedy: "Give the tool a longer timeoutMs, or let the handler stop at its signal.",
  },
  TOOL_CANCELLED: {
    message: "nobody waits for this call of a host tool any more",
    when: "The program that made the call is gone. It is the reason of the handler's signal.",
    remedy: "Let the handler stop at its signal.",
  },
  INTERNAL: {
    message: "the kernel refused the call: {why}",
    when: "The kernel failed in a way that has no code of its own.",
    remedy: "Report it: this is a defect of secure-exec.",
  },
} as const satisfies Record<string, ErrorEntry>;

export type ErrorName = keyof typeof errorTable;
/** The codes of docs/errors.md. */
export type SecureExecErrorCode = `ERR_SECURE_EXEC_${ErrorName}`;
/** Facts about a failure by name. */
export type ErrorDetails = Readonly<Record<string, unknown>>;

const brand = Symbol.for("secure-exec.error");
const prefix = "ERR_SECURE_EXEC_";

// oxlint-disable-next-line no-control-regex -- control characters are the point
const unprintable = /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g;

/** Any text in one bounded line: control characters become U+FFFD, the excess an ellipsis. */
export function printable(text: string, limitChars = 300): string {
  const line = text.slice(0, limitChars).replace(unprintable, "\ufffd");
  return text.length > limitChars ? `${line}…` : line;
}

/**
 * The error every failing call of the SDK throws or rejects with.
 * @example
 * try {
 *   await rt.readFile("/none");
 * } catch (error) {
 *   if (!SecureExecError.isSecureExecError(error)) throw error;
 *   console.error(error.code, error.remedy);
 * }
 */
export class SecureExecError extends Error {
  override name = "SecureExecError";
  readonly code: SecureExecErrorCode;
  /** Facts about this one failure; which ones depends on the code. */
  declare readonly details?: ErrorDetails;
  readonly [brand] = true;

  /** Made by the SDK. `cause` is what led to it, `details` its facts; both are left out by default. */
  constructor(
    code: SecureExecErrorCode,
    message: string,
    options: { cause?: unknown; details?: ErrorDetails } = {},
  ) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.code = code;
    if (options.details !== undefined) this.details = options.details;
    Object.defineProperty(this, brand, { enumerable: false });
    Object.defineProperty(this, "name", { enumerable: false });
  }

  /** What to do about it, as docs/errors.md has it for the code. */
  get remedy(): string {
    return errorTable[this.code.slice(prefix.length) as ErrorName]?.remedy ?? "";
  }

  /** Whether `value` is such an error, made by any copy of this package. Never throws. */
  static isSecureExecError(value: unknown): value is SecureExecError {
    return (
      typeof value === "object" &&
      value !== null &&
      (value as Record<symbol, unknown>)[brand] === true
    );
  }
}

/** Makes the error of that name with its template filled in. */
export function failure(
  name: ErrorName,
  parameters: Readonly<Record<string, string | number>> = {},
  options: { cause?: unknown; details?: ErrorDetails } = {},
): SecureExecError {
  const message = errorTable[name].message.replace(/\{(\w+)\}/g, (_, key: string) =>
    printable(String(parameters[key] ?? "unknown")),
  );
  return new SecureExecError(`${prefix}${name}`, message, options);
}

/** The error for a bad option; `option` is a path such as `env.PATH`. */
export function invalidOption(option: string, problem: string): SecureExecError {
  const name = printable(option, 100);
  return failure("INVALID_OPTION", { option: name, problem }, { details: { option: name } });
}

/** How many letters apart two words are, up to 3: letters put in, left out, changed or swapped with the next. */
function lettersApart(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 2) return 3;
  let [before, last] = [[] as number[], Array.from({ length: b.length + 1 }, (_, at) => at)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const other = a[i - 1] === b[j - 1] ? 0 : 1;
      let least = Math.min(row[j - 1]! + 1, last[j]! + 1, last[j - 1]! + other);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        least = Math.min(least, before[j - 2]! + 1);
      row.push(least);
    }
    [before, last] = [last, row];
  }
  return Math.min(3, last[b.length]!);
}

/** Letters with which a name may begin so that it is meant. */
const leastPrefix = 3;

/** What a word that is unknown was probably meant to be. */
export function meantBy(word: string, known: readonly string[]): string | undefined {
  const given = word.slice(0, 64).toLowerCase();
  const judged = known.map((name) => ({ name, apart: lettersApart(given, name.toLowerCase()) }));
  const within = judged.filter(({ name }) =>
    [`${given}ms`, `${given}s`, `on${given}`].includes(name.toLowerCase()),
  );
  const best = judged.sort((a, b) => a.apart - b.apart)[0];
  if (within[0] !== undefined) return within[0].name;
  const begun = known.filter((name) => name.toLowerCase().startsWith(given));
  if (begun.length === 1 && given.length >= leastPrefix) return begun[0];
  return best !== undefined && best.apart < Math.min(3, given.length) ? best.name : undefined;
}

/** The error for options that there are not; `prefix` is what they are in, such as `audit.`. */
export function unknownOption(
  names: readonly string[],
  known: readonly string[],
  prefix = "",
): SecureExecError {
  const meant = names.length === 1 ? meantBy(names[0]!, known) : undefined;
  return invalidOption(
    names.map((name) => prefix + name).join(", "),
    `is not a known option${meant === undefined ? "" : `; did you mean ${prefix}${meant}?`}`,
  );
}

function isErrorName(name: string): name is ErrorName {
  return Object.hasOwn(errorTable, name);
}

/** The name in the table that a code of the kernel stands for, or undefined. */
export function nameOfCode(code: string): ErrorName | undefined {
  const name = code.startsWith(prefix) ? code.slice(prefix.length) : "";
  return isErrorName(name) ? name : undefined;
}

/** An error the kernel reported by code and message, both kept; an unknown code becomes INTERNAL. */
export function kernelError(
  code: string,
  message: string,
  details?: ErrorDetails,
): SecureExecError {
  const name = nameOfCode(code);
  const text = printable(message, 2000);
  const options = details === undefined ? {} : { details };
  if (name === undefined) return failure("INTERNAL", { why: `${code} ${text}` }, options);
  return new SecureExecError(`${prefix}${name}`, text || errorTable[name].when, options);
}
