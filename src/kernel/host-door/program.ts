/**
 * Owns a program that the host started: the process, and the ends of its stdio
 * that lie with the host.
 *
 * Invariants: everything the program wrote is sent before its end; what other
 * processes still write to its streams afterwards is dropped.
 * Untrusted: output and results. The options are the host's.
 */
import { Errno } from "../../abi/errno.js";
import { identity } from "../../abi/identity.js";
import type { ProcessEnd, ProcessOptions } from "../../protocol/host-calls.js";
import { lowerLimits } from "../../protocol/limits.js";
import type { Credentials } from "../fs/credentials.js";
import { HostInput, HostOutput, NullStream } from "../io/host-stream.js";
import type { Terminal, WindowSize } from "../io/terminal.js";
import { takeTerminal } from "../process/job-control.js";
import { findImage } from "../process/image.js";
import { ignoredFrom, launch, optionsOf } from "../process/launch.js";
import type { LaunchOptions } from "../process/launch.js";
import { Process } from "../process/process.js";
import { Bill } from "../process/bill.js";
import { RunBudget } from "../process/run-budget.js";
import { initPid } from "../process/table.js";
import { Unshareable, inheritance } from "../process/set-up.js";
import type { Vm } from "../machine/vm.js";
import { HostTerminal } from "./terminal.js";

/** internal/process/execution, getEvalModuleUrl: the first text of a process. */
const inlineName = "/[eval1]";

/** Parts of the value, beside the two streams of output. */
const valueStream = 3;

/** Without flags of the program's. */
const ownEngine = { engineFlags: [] };

/** How a program of the kernel's own is started: a text without a name, arguments, stdin and limits of its own. */
export const ownProgram: Omit<ProcessOptions, "stdoutLimitBytes" | "stderrLimitBytes"> = {
  mode: "program",
  language: "js",
  name: "",
  args: [],
  env: {},
  cwd: "",
  stdin: false,
  limits: {},
};

/** What the host hears of it. */
export interface HostListener {
  output(stream: number, data: Uint8Array): void;
  /** The program took bytes of its stdin. */
  stdinTaken(bytes: number): void;
  /** Part of the value it returns; `credit` of stream 3 says that the host has it. */
  value(first: boolean, data: Uint8Array): void;
  residentDone(sequence: number, exitCode: number): void;
  templateReady(): void;
  ended(end: ProcessEnd, value: Uint8Array): void;
}

/** Why a program could not be started: what was tried, on which path, and a negative errno. */
export class StartFailure {
  constructor(
    readonly operation: string,
    readonly path: string,
    readonly errno: number,
  ) {}
}

export class HostProgram {
  readonly process: Process;
  readonly #stdin: HostInput | undefined;
  readonly #outputs: readonly [HostOutput, HostOutput];
  readonly #terminal: Terminal | undefined;

  private constructor(
    process: Process,
    stdin: HostInput | undefined,
    outputs: readonly [HostOutput, HostOutput],
    terminal: Terminal | undefined,
  ) {
    this.process = process;
    this.#stdin = stdin;
    this.#outputs = outputs;
    this.#terminal = terminal;
  }

  /** `from` is the template that it is a copy of. */
  static start(
    vm: Vm,
    options: ProcessOptions,
    source: Uint8Array,
    listener: HostListener,
    from?: Process,
  ): HostProgram | StartFailure | Unshareable {
    if (vm.processes.isFull) return new StartFailure("fork", options.name, -Errno.EAGAIN);
    const credentials = credentialsOf(vm, options, from);
    if (credentials instanceof StartFailure) return credentials;
    const env = { ...(from?.startOptions?.env ?? vm.env), ...options.env };
    const launched = bringsText(options)
      ? written(vm, options, credentials.cwd, source, env)
      : executed(vm, options, credentials, env);
    if (launched instanceof StartFailure) return launched;

    const terminal =
      options.terminal === undefined ? undefined : vm.terminals.create(options.terminal);
    if (typeof terminal === "number") {
      return new StartFailure("open terminal", "/dev/ptmx", terminal);
    }
    const inherited = from === undefined ? [] : inheritance(from, vm);
    if (inherited instanceof Unshareable) return inherited;
    const pid = vm.processes.allocatePid();
    const stdin =
      options.stdin || terminal !== undefined
        ? new HostInput(vm.account, (bytes) => {
            if (bytes > 0) listener.stdinTaken(bytes);
          })
        : undefined;
    const outputs = [
      new HostOutput((data) => listener.output(1, data), options.stdoutLimitBytes),
      new HostOutput((data) => listener.output(2, data), options.stderrLimitBytes),
    ] as const;
    const process = new Process(
      vm,
      credentials,
      {
        pid,
        ppid: initPid,
        processGroup: pid,
        session: pid,
        argv: [launched.argv0, ...launched.argv],
        ignored: ignoredFrom(launched.mode, launched.image),
        budget: budgetOf(vm, options, from),
        inheritedIgnored: [],
      },
      {
        residentDone: (sequence, exitCode) => listener.residentDone(sequence, exitCode),
        templateReady: () => listener.templateReady(),
        value: (first, data) => listener.value(first, data),
        ended: (end, value) => {
          hostTerminal?.close();
          for (const output of outputs) output.close();
          const [stdout, stderr] = outputs;
          listener.ended(
            { ...end, stdoutTruncated: stdout.truncated, stderrTruncated: stderr.truncated },
            value,
          );
        },
      },
    );
    if (terminal === undefined) {
      process.descriptors.add(stdin ?? new NullStream());
      for (const output of outputs) process.descriptors.add(output);
    } else openSlaves(process, terminal);
    const hostTerminal = terminal && new HostTerminal(terminal, stdin!, outputs[0]);
    vm.processes.add(process);
    vm.lookAtLimits();
    for (const [fd, description] of inherited) process.descriptors.put(fd, description);
    from?.bequeath(process);
    // A copy has the engine of what it is a copy of.
    const dedicated = from === undefined && (options.engine ?? vm.engine) === "dedicated";
    launch(process, { ...launched, ...(dedicated && ownEngine) }, source, {
      template: from?.template,
    });
    return new HostProgram(process, stdin, outputs, terminal);
  }

  writeStdin(data: Uint8Array): void {
    // The rest could not be delivered: the program would read a hole.
    if (this.#stdin?.push(data) === false) {
      this.process.fail("ERR_SECURE_EXEC_STDIN_LIMIT", "more stdin was sent than was granted");
    }
  }

  resize(size: WindowSize): void {
    this.#terminal?.resize(size);
  }

  closeStdin(): void {
    this.#stdin?.end();
  }

  /** The host took `bytes` of a stream's output. */
  credit(stream: number, bytes: number): void {
    if (stream === valueStream) this.process.valueTaken();
    else if (stream === 1 || stream === 2) this.#outputs[stream - 1]!.credit(bytes);
  }
}

/** A copy may do what the process may whose copy it is; one of another machine, what its own allows. */
function budgetOf(vm: Vm, { limits, permissions }: ProcessOptions, from?: Process): RunBudget {
  const most = from?.vm === vm ? from.policy : vm.policy;
  const policy = permissions === undefined ? most : most.narrower(permissions);
  return new RunBudget(lowerLimits(vm.limits, limits), new Bill(vm.bill), policy);
}

/** Whose process it is and where it works: the working directory without links, if there is one. */
function credentialsOf(
  vm: Vm,
  options: ProcessOptions,
  from: Process | undefined,
): Credentials | StartFailure {
  const cwd = options.cwd || (from?.credentials.cwd ?? vm.cwd);
  const umask = from?.credentials.umask ?? 0o022;
  const credentials = { uid: identity.uid, gid: identity.gid, umask, cwd };
  const resolved = vm.fs.realpath(credentials, cwd);
  if (typeof resolved === "number") return new StartFailure("change directory to", cwd, resolved);
  return { ...credentials, cwd: resolved };
}

/** A file of the machine, found as a shell finds it. */
function executed(
  vm: Vm,
  options: ProcessOptions,
  credentials: Credentials,
  env: Record<string, string>,
): LaunchOptions | StartFailure {
  const argv = [options.name, ...options.args];
  const image = findImage(vm.fs, credentials, options.name, argv, env["PATH"]);
  if (typeof image === "number") return new StartFailure("execute", options.name, image);
  return optionsOf(image, env);
}

/** Options of a program whose text the host sends. */
type TextOptions = ProcessOptions & { mode: Exclude<ProcessOptions["mode"], "exec"> };

function bringsText(options: ProcessOptions): options is TextOptions {
  return options.mode !== "exec";
}

/** A text of the host's, which becomes a file when it is a program with a name. */
function written(
  vm: Vm,
  options: TextOptions,
  cwd: string,
  source: Uint8Array,
  env: Record<string, string>,
): LaunchOptions | StartFailure {
  const path = programPath(options, cwd);
  if (options.mode === "program" && options.name !== "") {
    const result = vm.writeHostFile(path, source);
    if (result < 0) return new StartFailure("write program", path, result);
  }
  return {
    mode: options.mode,
    language: options.language,
    endWhenSettled: options.endWhenSettled === true,
    encoding: options.encoding ?? "json",
    image: "",
    path,
    argv: [path, ...options.args],
    argv0: "node",
    env,
  };
}

/** Descriptors 0 to 2 are one open file description of the slave, which becomes its terminal. */
function openSlaves(process: Process, terminal: Terminal): void {
  const slave = terminal.openSlave();
  // Its master is there: it was made just now.
  if (typeof slave === "number") throw new Error(`a new terminal answers ${slave}`);
  takeTerminal(process, terminal);
  slave.ref();
  slave.ref();
  for (let fd = 0; fd < 3; fd++) process.descriptors.add(slave);
}

/**
 * Where the program is as far as it can tell. One without a name is no file: it is called what
 * Node calls a text, and its imports start in the working directory.
 */
function programPath({ name }: ProcessOptions, cwd: string): string {
  if (name === "") return cwd === "/" ? inlineName : `${cwd}${inlineName}`;
  return name.startsWith("/") ? name : `/tmp/${name}`;
}
