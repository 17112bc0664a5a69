/**
 * Owns e2b's Process service for one sandbox: commands and terminals by pid or tag, whose events any number of
 * clients follow.
 *
 * Invariants: a follower is told the start first and the end last; a program is held back by the slowest of those who
 * follow it, and by nobody when none does; a call's time ends the command that it started.
 * Untrusted: output, which is passed on as bytes.
 */
import type { NodeRuntimeShell } from "../../index.js";
import type { Session, SessionProcess } from "../core/session.js";
import { ConnectError } from "./connect.js";
import type { EventStream, Message } from "./connect.js";

interface Config {
  cmd: string;
  args: string[];
  envs: Record<string, string>;
  cwd?: string;
}

interface Entry {
  config: Config;
  tag: string | undefined;
  running: SessionProcess | NodeRuntimeShell;
  followers: Set<EventStream>;
  /** The signal that a client sent last. */
  signal: string | undefined;
  late: boolean;
}

/** What of a call's headers matters. */
export interface CallTiming {
  timeoutMs: number;
  keepaliveMs: number;
}

const mostProcesses = 512;
const signals: Readonly<Record<string, string>> = {
  SIGNAL_SIGTERM: "SIGTERM",
  SIGNAL_SIGKILL: "SIGKILL",
  15: "SIGTERM",
  9: "SIGKILL",
};
const words: Readonly<Record<string, string>> = { SIGTERM: "terminated", SIGKILL: "killed" };

const bagOf = (value: unknown): Message =>
  typeof value === "object" && value !== null ? (value as Message) : {};
const textOf = (value: unknown): string | undefined =>
  typeof value === "string" ? value : undefined;

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === "string") : [];
}

function configOf(value: unknown): Config {
  const { cmd, args, envs, cwd } = bagOf(value);
  if (typeof cmd !== "string") throw new ConnectError("invalid_argument", "process.cmd is missing");
  const variables = Object.entries(bagOf(envs)).filter(
    (pair): pair is [string, string] => typeof pair[1] === "string",
  );
  return {
    cmd,
    args: textsOf(args),
    envs: Object.fromEntries(variables),
    ...(typeof cwd === "string" && cwd !== "" && { cwd }),
  };
}

function sizeOf(pty: unknown): { cols: number; rows: number } {
  const { cols, rows } = bagOf(bagOf(pty).size);
  const size = (value: unknown, otherwise: number): number =>
    typeof value === "number" && value >= 1 && value <= 1000 ? Math.floor(value) : otherwise;
  return { cols: size(cols, 80), rows: size(rows, 24) };
}

const isTerminal = (running: Entry["running"]): running is NodeRuntimeShell => "resize" in running;
const base64 = (chunk: Uint8Array): string =>
  Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString("base64");

export class ProcessService {
  readonly #session: Session;
  readonly #entries = new Map<number, Entry>();

  constructor(session: Session) {
    this.#session = session;
  }

  list(): object {
    const processes = [...this.#entries].map(([pid, { config, tag }]) => ({
      pid,
      config,
      ...(tag !== undefined && { tag }),
    }));
    return { processes };
  }

  /** Starts a command or a terminal, and follows it on `stream` to its end. */
  async start(message: Message, stream: EventStream, timing: CallTiming): Promise<void> {
    if (this.#entries.size >= mostProcesses)
      throw new ConnectError("resource_exhausted", `${mostProcesses} processes run already`);
    const config = configOf(message.process);
    const { cwd } = config;
    const directory = cwd === undefined ? undefined : await this.#session.stat(cwd);
    if (cwd !== undefined && directory?.type !== "directory")
      throw new ConnectError("invalid_argument", `cwd '${cwd}' does not exist`);
    const followers = new Set([stream]);
    let begun: (() => void) | undefined;
    const isBegun = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const tell =
      (kind: "stdout" | "stderr" | "pty") =>
      async (chunk: Uint8Array): Promise<void> => {
        const event = { event: { data: { [kind]: base64(chunk) } } };
        await isBegun;
        await Promise.all([...followers].map((follower) => follower.send(event)));
      };
    const running = await this.#run(message, config, tell);
    const entry: Entry = {
      config,
      tag: textOf(message.tag),
      running,
      followers,
      signal: undefined,
      late: false,
    };
    const { pid } = running;
    this.#entries.set(pid, entry);
    void stream.send({ event: { start: { pid } } });
    begun?.();
    this.#follow(entry, stream, timing, () => {
      entry.late = true;
      this.#kill(entry, "SIGKILL");
    });
    running.wait().then(
      (exitCode) => this.#ended(pid, entry, exitCode),
      (error: unknown) => this.#ended(pid, entry, undefined, error),
    );
  }

  async #run(
    { pty, stdin = true }: Message,
    { cmd, args, envs: env, cwd }: Config,
    tell: (kind: "stdout" | "stderr" | "pty") => (chunk: Uint8Array) => Promise<void>,
  ): Promise<Entry["running"]> {
    const program = { file: cmd, args };
    if (pty !== undefined && pty !== null) {
      const terminal = await this.#session.openTerminal(program, { cwd, env, ...sizeOf(pty) });
      const data = tell("pty");
      terminal.onData((chunk) => void data(chunk));
      return terminal;
    }
    const hooks = { onStdout: tell("stdout"), onStderr: tell("stderr") };
    const process = await this.#session.spawn(program, { cwd, env, ...hooks });
    if (stdin === false) process.closeStdin();
    return process;
  }

  #follow(entry: Entry, stream: EventStream, timing: CallTiming, late: () => void): void {
    const { timeoutMs, keepaliveMs } = timing;
    const timer = timeoutMs > 0 ? setTimeout(late, timeoutMs) : undefined;
    const alive =
      keepaliveMs > 0
        ? setInterval(() => void stream.send({ event: { keepalive: {} } }), keepaliveMs)
        : undefined;
    const over = (): void => {
      clearTimeout(timer);
      clearInterval(alive);
      entry.followers.delete(stream);
    };
    stream.whenLeft(over);
  }

  #ended(pid: number, entry: Entry, exitCode: number | undefined, error?: unknown): void {
    this.#entries.delete(pid);
    const { signal, late, followers } = entry;
    const killed = signal === undefined ? undefined : `signal: ${words[signal] ?? signal}`;
    const end = {
      exitCode: exitCode ?? 0,
      exited: killed === undefined,
      status: killed ?? `exit status ${exitCode}`,
      ...(killed !== undefined && { error: killed }),
    };
    for (const follower of followers) {
      if (late) {
        follower.end(new ConnectError("deadline_exceeded", "the command was over its time"));
      } else if (exitCode === undefined) follower.end(error);
      else {
        void follower.send({ event: { end } });
        follower.end();
      }
    }
    followers.clear();
  }

  /** Follows one that runs. */
  connect(message: Message, stream: EventStream, timing: CallTiming): void {
    const entry = this.#entry(message);
    entry.followers.add(stream);
    void stream.send({ event: { start: { pid: entry.running.pid } } });
    this.#follow(entry, stream, timing, () =>
      stream.end(new ConnectError("deadline_exceeded", "the call was over its time")),
    );
  }

  #entry(message: Message): Entry {
    const { pid, tag } = bagOf(message.process);
    const found =
      typeof pid === "number"
        ? this.#entries.get(pid)
        : [...this.#entries.values()].find((entry) => entry.tag !== undefined && entry.tag === tag);
    if (found === undefined)
      throw new ConnectError(
        "not_found",
        `process with ${pid === undefined ? "tag" : "pid"} ${String(pid ?? tag)} not found`,
      );
    return found;
  }

  /** A terminal's size. */
  update(message: Message): object {
    const { running } = this.#entry(message);
    if (!isTerminal(running)) throw new ConnectError("failed_precondition", "it has no terminal");
    if (message.pty !== undefined) {
      const { cols, rows } = sizeOf(message.pty);
      running.resize(cols, rows);
    }
    return {};
  }

  sendInput(message: Message): object {
    const { running } = this.#entry(message);
    const { stdin, pty } = bagOf(message.input);
    const data = Buffer.from(textOf(pty ?? stdin) ?? "", "base64");
    if (data.byteLength === 0) return {};
    if (isTerminal(running)) running.write(data);
    else running.writeStdin(data);
    return {};
  }

  streamInput(messages: readonly Message[]): object {
    let selected: Message | undefined;
    for (const { start, data } of messages) {
      if (start !== undefined) selected = bagOf(start);
      else if (data !== undefined && selected !== undefined)
        this.sendInput({ ...selected, input: bagOf(data).input });
    }
    return {};
  }

  closeStdin(message: Message): object {
    const { running } = this.#entry(message);
    if (isTerminal(running))
      throw new ConnectError("failed_precondition", "a terminal's input ends with Ctrl-D");
    running.closeStdin();
    return {};
  }

  sendSignal(message: Message): object {
    const entry = this.#entry(message);
    const signal = signals[String(message.signal)];
    if (signal === undefined)
      throw new ConnectError("invalid_argument", "SIGTERM and SIGKILL may be sent");
    this.#kill(entry, signal);
    return {};
  }

  /** The sandbox ends: nobody is told an end of a command, which there was not. */
  dispose(): void {
    for (const { followers } of this.#entries.values()) {
      for (const follower of followers) follower.cut();
      followers.clear();
    }
  }

  #kill(entry: Entry, signal: string): void {
    entry.signal = signal;
    entry.running.kill(signal);
  }
}
