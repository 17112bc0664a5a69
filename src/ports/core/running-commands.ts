/**
 * Owns commands of a session that outlive the call that started them: each has a number, output that nobody
 * has taken yet, a stdin, and an end. With a terminal or without.
 *
 * Invariants: output is handed over once; what waits is bounded, and what was dropped is told; a command that has
 * ended and whose end was told is forgotten. Untrusted: output.
 */
import type { NodeRuntimeShell } from "../../index.js";
import type { CommandOptions, Session, SessionProcess } from "./session.js";

/** Characters of one stream that wait to be taken. */
const waitingChars = 1024 * 1024;

/** The end of a stream's text, and how much was before it. */
class Waiting {
  readonly #decoder = new TextDecoder();
  #text = "";
  #dropped = 0;

  add(chunk: Uint8Array): void {
    this.#text += this.#decoder.decode(chunk, { stream: true });
    const over = this.#text.length - waitingChars;
    if (over <= 0) return;
    this.#text = this.#text.slice(over);
    this.#dropped += over;
  }

  take(): string {
    const notice =
      this.#dropped > 0
        ? `[...${this.#dropped} characters truncated from process output...]\n`
        : "";
    const text = notice + this.#text;
    this.#text = "";
    this.#dropped = 0;
    return text;
  }
}

export interface TakenOutput {
  stdout: string;
  stderr: string;
  /** Of both streams, in the order in which it came. */
  output: string;
}

export interface RunningCommandOptions extends CommandOptions {
  /** In a terminal: its output is stdout alone. */
  terminal?: boolean | undefined;
}

export class RunningCommand {
  readonly #stdout = new Waiting();
  readonly #stderr = new Waiting();
  readonly #both = new Waiting();
  readonly #started: SessionProcess | NodeRuntimeShell;
  readonly #ended: Promise<void>;
  #exitCode: number | undefined;

  private constructor(
    started: SessionProcess | NodeRuntimeShell,
    readonly terminal: boolean,
  ) {
    this.#started = started;
    this.#ended = started.wait().then(
      (exitCode) => {
        this.#exitCode = exitCode;
      },
      // Of an unknown end nothing is claimed but that it was one.
      () => {
        this.#exitCode = unknownEnd;
      },
    );
  }

  static async start(
    session: Session,
    command: string,
    options: RunningCommandOptions,
  ): Promise<RunningCommand> {
    const early: [Uint8Array, boolean][] = [];
    let running: RunningCommand | undefined;
    const take = (chunk: Uint8Array, isError: boolean): void => {
      if (running === undefined) early.push([chunk, isError]);
      else running.#add(chunk, isError);
    };
    const { terminal = false, ...rest } = options;
    if (terminal) {
      const shell = await session.openTerminal(command, rest);
      running = new RunningCommand(shell, true);
      shell.onData((chunk) => take(chunk, false));
    } else {
      const process = await session.spawn(command, {
        ...rest,
        onStdout: (chunk) => take(chunk, false),
        onStderr: (chunk) => take(chunk, true),
      });
      running = new RunningCommand(process, false);
    }
    for (const [chunk, isError] of early) running.#add(chunk, isError);
    return running;
  }

  #add(chunk: Uint8Array, isError: boolean): void {
    (isError ? this.#stderr : this.#stdout).add(chunk);
    this.#both.add(chunk);
  }

  get pid(): number {
    return this.#started.pid;
  }

  /** undefined while it runs; 255 for an outcome that is not known. */
  get exitCode(): number | undefined {
    return this.#exitCode;
  }

  /** Output since the last call. */
  take(): TakenOutput {
    return { stdout: this.#stdout.take(), stderr: this.#stderr.take(), output: this.#both.take() };
  }

  write(data: string | Uint8Array): void {
    if (this.#exitCode !== undefined) return;
    if ("writeStdin" in this.#started) this.#started.writeStdin(data);
    else this.#started.write(data);
  }

  /** Without a terminal: of the command and of what it has started. */
  kill(signal: string | number): void {
    this.#started.kill(signal);
  }

  /** Resolves when it has ended, or after so many milliseconds. */
  async settled(timeoutMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timeoutMs);
    });
    await Promise.race([this.#ended, late]);
    clearTimeout(timer);
  }

  get ended(): Promise<void> {
    return this.#ended;
  }
}

const unknownEnd = 255;

/** The commands of one session that have a number. */
export class RunningCommands {
  readonly #commands = new Map<number, RunningCommand>();
  #last = 0;

  add(command: RunningCommand): number {
    this.#commands.set(++this.#last, command);
    return this.#last;
  }

  find(id: number): RunningCommand | undefined {
    return this.#commands.get(id);
  }

  forget(id: number): void {
    this.#commands.delete(id);
  }

  /** Ends all: SIGTERM, and SIGKILL for what is still there after `graceMs`. */
  async stop(graceMs = 250): Promise<void> {
    const all = [...this.#commands.values()];
    this.#commands.clear();
    await Promise.all(
      all.map(async (command) => {
        if (command.exitCode === undefined) command.kill("SIGTERM");
        await command.settled(graceMs);
        if (command.exitCode === undefined) command.kill("SIGKILL");
        await command.ended;
      }),
    );
  }
}
