/**
 * Owns the programs of one runtime: how each is started, awaited, recorded and ended.
 *
 * Invariants: nothing runs before its signal was seen not to be aborted; every call settles when the machine is
 * disposed or its kernel is lost; hooks see all output, results what their limits allow.
 * Untrusted: everything a program produces.
 */
import type { ProcessOptions } from "../protocol/host-calls.js";
import type { Policies } from "../protocol/permissions.js";
import { listenOnce } from "./aborts.js";
import { Compiler, needsCompiler } from "./compiler.js";
import type { Written } from "./compiler.js";
import { DriverRun } from "./driver/driver-run.js";
import { failure, invalidOption, printable } from "./errors.js";
import { Player, Recorder, parseRecording } from "./recording.js";
import type { NodeRuntimeRecording, Tape } from "./recording.js";
import { GuestProcess } from "./guest-process.js";
import type { GuestOutcome } from "./guest-process.js";
import { Machine } from "./machine.js";
import {
  commandOf,
  parseCommandOptions,
  parseRunOptions,
  parseShellOptions,
} from "./run-options.js";
import { sourceOf } from "./option-checks.js";
import type { CreateOptions } from "./options.js";
import type { RunOptions, parseResidentOptions } from "./run-options.js";
import type { NodeRuntimeShellOptions } from "./option-types.js";
import { HeldOutput } from "./output.js";
import { NodeRuntimeProcess, SpawnedOutput } from "./process.js";
import { RuntimeEvents } from "./runtime-events.js";
import { NodeRuntimeResidentRunner } from "./resident-runner.js";
import { NodeRuntimeShell } from "./shell.js";
import { signalNumber } from "./signals.js";
import { withAccount } from "./results.js";
import type { Finished, PlainResult } from "./results.js";

/** The program of one call, and what listens to it. */
interface Recorded {
  recorder?: Recorder;
  tape?: Tape;
}

/** What is started: the text of a program, or a command with its arguments in the options. */
type Start =
  | {
      mode: "program" | "template";
      source: string;
      from?: GuestProcess | undefined;
      policies?: Partial<Policies> | undefined;
    }
  | { mode: "exec" };

/** Options of what the engine can read as it is. */
type Readable = RunOptions & Pick<ProcessOptions, "language">;

interface SetUpOptions {
  from?: GuestProcess | undefined;
  files?: [path: string, data: Uint8Array][];
  policies?: Partial<Policies> | undefined;
}

/** What programs need of their runtime. */
export interface ProgramOwner {
  /** Uses the machine: at once if it is there, otherwise when it is made. */
  with<T>(use: (machine: Machine) => T): T | Promise<Awaited<T>>;
  readonly given: CreateOptions;
  /** Of a runtime of the older generation. */
  readonly driver: DriverRun | undefined;
  readonly events: RuntimeEvents;
}

export class Programs {
  readonly #owner: ProgramOwner;
  readonly #processes = new Set<GuestProcess>();
  readonly #runners = new Set<NodeRuntimeResidentRunner>();
  /** Processes whose callers await the result, and are told when the machine is disposed. */
  readonly #awaited = new Set<GuestProcess>();
  readonly #compiler = new Compiler();
  /** Set once the machine is being disposed. */
  #refusal: Error | undefined;
  /** The template that programs begin from, where there is one. */
  base: GuestProcess | undefined;

  constructor(owner: ProgramOwner) {
    this.#owner = owner;
  }

  /** The machine is being disposed: nobody waits for a result any more. */
  refuse(error: Error): void {
    this.#refusal = error;
    for (const guest of this.#awaited) guest.fail(error);
  }

  /** Ends what is the runtime's own besides its machine. */
  endRunners(): Promise<unknown> {
    const runners = [...this.#runners].map((runner) => runner.dispose());
    return Promise.all([...runners, this.#compiler.release()]);
  }

  /** The same program as the engine can take it: as it is, or later. */
  #readable([start, given]: [Start, RunOptions]): [Start, Readable] | Promise<[Start, Readable]> {
    const { language } = given;
    if (start.mode === "exec") return [start, { ...given, language: "js" }];
    if (language !== "tsx" && !needsCompiler(start.source, given))
      return [start, { ...given, language }];
    return this.#compiled(start.source, given, given.signal).then((source) => [
      { ...start, source },
      { ...given, language: "js" },
    ]);
  }

  async #compiled(text: string, written: Written, signal?: AbortSignal): Promise<string> {
    signal?.throwIfAborted();
    if (this.#refusal !== undefined) throw this.#refusal;
    const compiled = this.#compiler.compile(text, written).catch((error: unknown) => {
      throw this.#refusal ?? error;
    });
    if (signal === undefined) return compiled;
    let stopListening = (): void => {};
    const aborted = new Promise<never>((_, reject) => {
      stopListening = listenOnce(signal, () => reject(signal.reason));
    });
    return Promise.race([compiled, aborted]).finally(stopListening);
  }

  /** The machine is gone, and all that ran in it. */
  vanish(): void {
    for (const guest of this.#processes) guest.vanish();
  }

  /** Runs a recorded program again. Throws INVALID_OPTION, and REPLAY at the first difference. */
  async replay(recording: NodeRuntimeRecording): Promise<Finished> {
    const recorded = parseRecording(recording);
    const { seed, startTimeMs } = this.#owner.given.deterministic ?? {};
    const made = recorded.deterministic;
    if (seed !== made.seed || startTimeMs !== made.startTimeMs)
      throw invalidOption(
        "deterministic",
        `must be of seed ${printable(made.seed)} and startTimeMs ${made.startTimeMs}, as it was recorded`,
      );
    const { mode, source, stdin, ...program } = recorded.program;
    const given: Readable = {
      ...program,
      stdin: stdin === undefined ? undefined : Buffer.from(stdin, "base64"),
      timeoutMs: undefined,
      cpuTimeMs: 0,
      signal: undefined,
      onStdout: undefined,
      onStderr: undefined,
    };
    const start: Start = mode === "exec" ? { mode } : { mode: "program", source };
    return this.#owner.with(async (machine) => {
      let differed: (error: unknown) => void = () => {};
      const tape = new Player(recorded, (error) => differed(error));
      const finished = await this.#await(machine, start, given, { tape }, (guest) => {
        differed = (error) => {
          // Only then may the next program run.
          guest.onGone(() => guest.fail(error));
          guest.kill(signalNumber("SIGKILL"));
        };
      });
      return finished;
    });
  }

  async openShell(options: NodeRuntimeShellOptions | undefined): Promise<NodeRuntimeShell> {
    const output = new HeldOutput(true);
    const given = {
      ...parseShellOptions(options, this.#owner.given.cwd),
      language: "js" as const,
      onStdout: (chunk: Uint8Array) => output.push(chunk),
    };
    return this.#owner.with(async (machine) => {
      given.signal?.throwIfAborted();
      const guest = this.#start(machine, { mode: "exec" }, given, { capture: false, stdin: true });
      const stopListening = listenOnce(given.signal, () => guest.terminate());
      guest.onGone(() => {
        stopListening();
        output.release();
      });
      void guest.ended.then(
        () => output.end(),
        () => output.end(),
      );
      await guest.started;
      return new NodeRuntimeShell(guest, output);
    });
  }

  programOf(code: unknown, options: unknown, from?: GuestProcess): [Start, RunOptions] {
    const given =
      this.#owner.driver === undefined
        ? parseRunOptions(options, this.#owner.given.cwd, this.#owner.given.limits)
        : this.#owner.driver.runOptions(options, this.#owner.given.cwd, this.#owner.given.limits);
    return [{ mode: "program", source: sourceOf(code), from: from ?? this.base }, given];
  }

  commandOf(command: unknown, args: unknown, options: unknown): [Start, RunOptions] {
    const given = parseCommandOptions(options, this.#owner.given.cwd, this.#owner.given.limits);
    return [{ mode: "exec" }, { ...given, ...commandOf(command, args) }];
  }

  async spawn(parse: () => [Start, RunOptions]): Promise<NodeRuntimeProcess> {
    const program = this.#readable(parse());
    const [start, given] = program instanceof Promise ? await program : program;
    return this.#owner.with(async (machine) => {
      given.signal?.throwIfAborted();
      const output = new SpawnedOutput();
      const hooked = output.hooked(given);
      if (hooked.terminal !== undefined && start.mode !== "exec" && start.from !== undefined)
        throw invalidOption("pty", "is not possible in a copy of a template");
      const guest = this.#start(machine, start, hooked, { capture: false, stdin: true });
      output.follow(guest);
      const stopListening = listenOnce(given.signal, () => guest.terminate());
      guest.onGone(stopListening);
      await guest.started;
      return new NodeRuntimeProcess(guest, given.stdin === undefined, output);
    });
  }

  /** Runs a set-up to its end; its process waits then. */
  async setUp(
    text: string,
    options: RunOptions,
    { from, files = [], policies }: SetUpOptions,
  ): Promise<GuestProcess> {
    const program = this.#readable([{ mode: "template", source: text, from, policies }, options]);
    const [start, given] = program instanceof Promise ? await program : program;
    return this.#owner.with(async (machine) => {
      given.signal?.throwIfAborted();
      for (const [path, data] of files) await machine.files.write(path, data, false);
      given.signal?.throwIfAborted();
      let settle = (): void => {};
      const ready = new Promise<void>((resolve) => (settle = resolve));
      const guest = this.#start(machine, start, given, { capture: true, stdin: false }, () =>
        settle(),
      );
      this.#awaited.add(guest);
      const stopListening = listenOnce(given.signal, () => {
        guest.kill(signalNumber("SIGKILL"));
        guest.fail(given.signal!.reason);
      });
      try {
        await Promise.race([ready, guest.ended.then((outcome) => setUpFailed(guest, outcome))]);
      } finally {
        stopListening();
        this.#awaited.delete(guest);
      }
      return guest;
    });
  }

  async startResident(
    { connection, vm }: Machine,
    { limits, ...written }: ReturnType<typeof parseResidentOptions>,
  ): Promise<NodeRuntimeResidentRunner> {
    let done: (sequence: number, exitCode: number) => void = () => {};
    const guest = this.#track(
      new GuestProcess({
        connection,
        vm,
        source: "",
        capture: true,
        captureLimitBytes: limits.outputBytes ?? this.#owner.given.limits.outputBytes,
        options: {
          mode: "resident",
          // Snippets that go through the compiler arrive as JavaScript, whichever others do not.
          language: written.language === "ts" && !written.compilerOptions ? "ts" : "js",
          name: "",
          args: [],
          env: {},
          cwd: "",
          stdin: false,
          limits: {
            ...(this.#owner.driver !== undefined && { cpuTimeMs: this.#owner.driver.cpuTimeMs }),
            ...limits,
          },
          // The cap is per snippet, and kept on this side.
          stdoutLimitBytes: 0,
          stderrLimitBytes: 0,
        },
        onResidentDone: (sequence, exitCode) => done(sequence, exitCode),
      }),
    );
    await guest.started;
    const own: Written = { ...written, name: "" };
    const runner = new NodeRuntimeResidentRunner(
      guest,
      (listener) => {
        done = listener;
      },
      (text) => (needsCompiler(text, own) ? this.#compiled(text, own) : text),
    );
    if (!guest.gone) {
      this.#runners.add(runner);
      guest.onGone(() => this.#runners.delete(runner));
    }
    return runner;
  }

  #track(guest: GuestProcess): GuestProcess {
    this.#processes.add(guest);
    guest.onGone(() => this.#processes.delete(guest));
    return guest;
  }

  #start(
    { connection, vm }: Machine,
    start: Start,
    given: Readable,
    how: { capture: boolean; stdin: boolean; tape?: Tape | undefined },
    onTemplateReady?: () => void,
  ): GuestProcess {
    const {
      args,
      cwd,
      encoding,
      endWhenSettled,
      engine,
      language,
      name,
      onStderr,
      onStdout,
      stdin,
      terminal,
    } = given;
    if (engine === "dedicated" && this.#owner.given.deterministic !== undefined)
      throw invalidOption("engine", 'must be "forked" in a deterministic machine');
    const env = terminal === undefined ? given.env : { TERM: "xterm-256color", ...given.env };
    const limits = { ...(given.cpuTimeMs > 0 && { cpuTimeMs: given.cpuTimeMs }), ...given.limits };
    const outputBytes = given.limits?.outputBytes ?? this.#owner.given.limits.outputBytes;
    // With a hook the cap is kept on this side, so that the hook sees everything.
    const limit = (hook: unknown): number =>
      hook !== undefined ? 0 : how.capture ? Math.max(1, outputBytes) : 1;
    const options: ProcessOptions = {
      mode: start.mode,
      ...(start.mode !== "exec" && start.from !== undefined && { template: start.from.handle }),
      ...(start.mode === "template" && start.policies && { permissions: start.policies }),
      language,
      name,
      args,
      env,
      cwd,
      stdin: how.stdin || stdin !== undefined,
      ...(terminal !== undefined && { terminal }),
      endWhenSettled,
      ...(encoding !== undefined && { encoding }),
      ...(engine !== undefined && { engine }),
      limits,
      stdoutLimitBytes: limit(onStdout),
      stderrLimitBytes: limit(onStderr),
    };
    const { capture } = how;
    const guest = this.#track(
      new GuestProcess({
        connection,
        vm,
        options,
        source: start.mode === "exec" ? "" : start.source,
        capture,
        captureLimitBytes: outputBytes,
        onStdout,
        onStderr,
        ...(onTemplateReady !== undefined && { onTemplateReady }),
        ...(how.tape !== undefined && { tape: how.tape }),
      }),
    );
    this.#owner.events.follow(guest, start.mode === "exec" ? name : "node", args);
    if (stdin !== undefined) {
      guest.writeStdin(stdin);
      guest.closeStdin();
    }
    if (given.timeoutMs !== undefined) guest.killAfter(given.timeoutMs);
    return guest;
  }

  async finish(parse: () => [Start, RunOptions]): Promise<Finished> {
    const program = this.#readable(parse());
    const [start, given] = program instanceof Promise ? await program : program;
    if (given.terminal !== undefined)
      throw invalidOption("pty", "is an option of spawn and spawnCommand");
    return this.#owner.with((machine) =>
      this.#await(machine, start, given, this.#record(start, given)),
    );
  }

  #record(start: Start, given: Readable): Recorded {
    const { deterministic, record } = this.#owner.given;
    if (record !== true || deterministic === undefined) return {};
    const { args, cwd, encoding, endWhenSettled, env, language, name, stdin } = given;
    const recorder = new Recorder({
      deterministic,
      program: {
        mode: start.mode,
        source: start.mode === "program" ? start.source : "",
        args,
        cwd,
        endWhenSettled,
        ...(encoding !== undefined && { encoding }),
        env,
        language,
        name,
        ...(stdin !== undefined && { stdin: Buffer.from(stdin).toString("base64") }),
      },
    });
    return { recorder, tape: recorder };
  }

  async #await(
    machine: Machine,
    start: Start,
    given: Readable,
    { recorder, tape }: Recorded = {},
    started: (guest: GuestProcess) => void = () => {},
  ): Promise<Finished> {
    const { signal } = given;
    signal?.throwIfAborted();
    const guest = this.#start(machine, start, given, { capture: true, stdin: false, tape });
    machine.host.tape = tape;
    started(guest);
    this.#awaited.add(guest);
    const stopListening = listenOnce(signal, () => {
      guest.terminate();
      guest.fail(signal!.reason);
    });
    try {
      const outcome = await guest.ended;
      if (given.onEnd !== undefined) await Promise.all(given.onEnd());
      const stdout = guest.stdout.take();
      const stderr = guest.stderr.take();
      const result: PlainResult = {
        stdout: stdout.text,
        stderr: stderr.text,
        exitCode: outcome.end.exitCode,
        stdoutTruncated: stdout.truncated || outcome.end.stdoutTruncated,
        stderrTruncated: stderr.truncated || outcome.end.stderrTruncated,
      };
      const shown = this.#owner.driver?.resultOf(result, outcome.end) ?? result;
      return { result: withAccount(shown, outcome.end, recorder), outcome, recorder };
    } finally {
      stopListening();
      this.#awaited.delete(guest);
    }
  }
}

/** The set-up of a template ended its process. */
function setUpFailed(guest: GuestProcess, { end }: GuestOutcome): never {
  const { exitCode, cause } = end;
  const [stdout, stderr] = [guest.stdout.take().text, guest.stderr.take().text];
  const lastLine = stderr.trim().split("\n").at(-1) ?? "";
  const why = `it ended with exit code ${exitCode}${lastLine === "" ? "" : `: ${lastLine}`}`;
  const details = { exitCode, stdout, stderr, end: cause };
  throw failure("TEMPLATE_SETUP_FAILED", { why }, { details });
}
