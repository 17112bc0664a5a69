/**
 * Owns what the playground works on: one machine with at most one run and one terminal, and a new one in its place
 * when its permissions are to be others.
 *
 * Invariants: what of the host a machine is shown was said on the command line; a page chooses permissions alone.
 * Everything that happens is an event, so a page that comes later knows it too. Machines are made one after the other.
 * Untrusted: what programs do and write.
 */
import { isUtf8 } from "node:buffer";
import { StringDecoder } from "node:string_decoder";
import { NodeRuntime } from "../index.js";
import type {
  HostTools,
  NodeRuntimeCreateOptions,
  NodeRuntimeEnd,
  NodeRuntimeShell,
  NodeRuntimeUsage,
  Permissions,
} from "../index.js";
import { DecisionLog } from "./decision-log.js";
import type { EventHub } from "./events.js";
import type { PlaygroundRequests, RunOutcome } from "./messages.js";
import { failureOf, jsonText } from "./plain.js";
import { WatchedTools } from "./watched-tools.js";

/** A file that is shown as text is no longer. */
const shownFileBytes = 1024 * 1024;
const shownEntries = 2000;
/** How often the bill is looked at while something runs. */
const billEveryMs = 500;

/** A request that cannot be done now, as a person reads it. */
export class Refusal extends Error {}

export interface SessionOptions {
  readonly runtime: NodeRuntimeCreateOptions;
  readonly tools: HostTools;
  readonly example: { readonly name: string; readonly source: string };
}

type Handlers = {
  readonly [K in keyof PlaygroundRequests]: (
    asked: PlaygroundRequests[K][0],
  ) => PlaygroundRequests[K][1] | Promise<PlaygroundRequests[K][1]>;
};

interface Running {
  readonly abort: AbortController;
  readonly over: Promise<void>;
}

const nothing = {};

/** Why a run ended, in a few words: "exit", "limit memoryBytes", "killed SIGTERM". */
function reasonOf({ reason, limit, signal }: NodeRuntimeEnd): string {
  const more = reason === "killed" ? signal : limit;
  return more === undefined ? reason : `${reason} ${more}`;
}

export class Session {
  readonly #options: SessionOptions;
  readonly #hub: EventHub;
  readonly #tools: WatchedTools;
  readonly #decisions: DecisionLog;
  #rt: NodeRuntime | undefined;
  #permissions = "";
  #making: Promise<void> = Promise.resolve();
  #running: Running | undefined;
  #terminal: NodeRuntimeShell | undefined;
  #runs = 0;
  #billing: NodeJS.Timeout | undefined;

  constructor(options: SessionOptions, hub: EventHub) {
    this.#options = options;
    this.#hub = hub;
    this.#tools = new WatchedTools((call) => hub.publish({ kind: "tool", call }));
    this.#decisions = new DecisionLog((rows, skipped) =>
      hub.publish({ kind: "decisions", rows, skipped }),
    );
    this.#permissions = JSON.stringify(options.runtime.permissions ?? {}, null, 2);
  }

  /** Makes the first machine. Rejects with what `NodeRuntime.create` does. */
  async open(): Promise<void> {
    await this.#make(this.#permissions, this.#options.runtime.permissions === "learn");
  }

  readonly handlers: Handlers = {
    example: () => this.#options.example,
    run: (asked) => this.#run(asked),
    stop: () => {
      this.#running?.abort.abort();
      return nothing;
    },
    machine: async ({ permissions, learns }) => {
      const made = this.#making.then(() => this.#make(permissions, learns));
      this.#making = made.catch(() => undefined);
      await made;
      return nothing;
    },
    learned: async (how) => ({
      permissions: JSON.stringify(await this.#machine.learnedPermissions(how), null, 2),
    }),
    openTerminal: async (size) => {
      await this.#openTerminal(size);
      return nothing;
    },
    type: ({ text }) => {
      this.#terminal?.write(text);
      return nothing;
    },
    resize: ({ cols, rows }) => {
      this.#terminal?.resize(cols, rows);
      return nothing;
    },
    closeTerminal: () => {
      this.#terminal?.kill("SIGHUP");
      return nothing;
    },
    list: async ({ path }) => {
      const all = await this.#machine.readDirWithTypes(path);
      const entries = all.slice(0, shownEntries).map(({ name, type }) => ({ name, type }));
      return { entries, more: all.length - entries.length };
    },
    read: ({ path }) => this.#read(path),
    write: async ({ path, text }) => {
      await this.#machine.writeFile(path, text);
      return nothing;
    },
    remove: async ({ path }) => {
      await this.#machine.rm(path);
      return nothing;
    },
    approvals: ({ ask }) => {
      this.#tools.ask = ask;
      return nothing;
    },
    answer: ({ id, approve }) => {
      if (!this.#tools.answer(id, approve)) throw new Refusal("that call waits no more");
      return nothing;
    },
  };

  get #machine(): NodeRuntime {
    if (this.#rt === undefined) throw new Refusal("there is no machine");
    return this.#rt;
  }

  async #make(text: string, learns: boolean): Promise<void> {
    let permissions: Permissions | "dry-run" | "learn";
    try {
      permissions = learns ? "learn" : (JSON.parse(text) as Permissions);
    } catch (error) {
      throw new Refusal(`the permissions are no JSON: ${failureOf(error).message}`);
    }
    const { runtime, tools } = this.#options;
    // Refused permissions leave the former machine as it is.
    const rt = await NodeRuntime.create({
      ...runtime,
      permissions,
      tools: this.#tools.wrap(tools),
      audit: { all: true },
    });
    await this.#dispose();
    this.#rt = rt;
    this.#permissions = text;
    this.#decisions.clear();
    this.#hub.forget();
    rt.on("decision", (decision) => this.#decisions.add(decision));
    rt.on("limitWarning", ({ limit, observed, capacity }) =>
      this.#hub.publish({ kind: "warning", limit, observed, capacity }),
    );
    rt.on("lost", (error) =>
      this.#hub.publish({ kind: "lost", message: failureOf(error).message }),
    );
    this.#hub.publish({
      kind: "machine",
      machine: {
        permissions: text,
        learns,
        tools: Object.entries(tools).map(([name, { description = "" }]) => ({
          name,
          description,
        })),
        toolTypes: await rt.toolTypes(),
        cwd: runtime.cwd ?? "/home/user",
      },
    });
  }

  #run({
    source,
    language,
    stdin,
    timeoutMs,
  }: PlaygroundRequests["run"][0]): PlaygroundRequests["run"][1] {
    if (this.#running !== undefined) throw new Refusal("a program runs already; stop it first");
    const run = ++this.#runs;
    const abort = new AbortController();
    const rt = this.#machine;
    const streams = (["stdout", "stderr"] as const).map((stream) => this.#output(run, stream));
    this.#hub.publish({ kind: "started", run });
    const over = rt
      .run(source, {
        language,
        stdin,
        timeoutMs,
        signal: abort.signal,
        onStdout: streams[0]!.take,
        onStderr: streams[1]!.take,
      })
      .then(
        ({ exitCode, value, end, usage }): RunOutcome => ({
          exitCode,
          reason: reasonOf(end),
          bill: billOf(usage),
          ...(value !== undefined && { value: jsonText(value) }),
        }),
        (error: unknown): RunOutcome =>
          abort.signal.aborted
            ? { reason: "stopped" }
            : { reason: "failed", error: failureOf(error) },
      )
      .then((outcome) => {
        for (const { end } of streams) end();
        this.#decisions.flush();
        this.#running = undefined;
        this.#hub.publish({ kind: "ended", run, outcome });
        return this.#bill();
      });
    this.#running = { abort, over };
    this.#watchBill();
    return { run };
  }

  /** Text of one stream of a run, whole characters at a time. */
  #output(
    run: number,
    stream: "stdout" | "stderr",
  ): { take: (chunk: Uint8Array) => Promise<void> | undefined; end: () => void } {
    const decoder = new StringDecoder("utf8");
    const publish = (text: string): void => {
      if (text !== "") this.#hub.publish({ kind: "output", run, stream, text });
    };
    return {
      take: (chunk) => {
        publish(decoder.write(Buffer.from(chunk)));
        return this.#hub.room();
      },
      end: () => publish(decoder.end()),
    };
  }

  async #openTerminal(size: { cols: number; rows: number }): Promise<void> {
    if (this.#terminal !== undefined) return this.#terminal.resize(size.cols, size.rows);
    const terminal = await this.#machine.openShell(size);
    this.#terminal = terminal;
    this.#hub.publish({ kind: "terminalOpened" });
    this.#watchBill();
    void this.#follow(terminal);
  }

  async #follow(terminal: NodeRuntimeShell): Promise<void> {
    for await (const bytes of terminal) {
      this.#hub.publish({ kind: "terminal", base64: Buffer.from(bytes).toString("base64") });
      await this.#hub.room();
    }
    const exitCode = await terminal.wait().catch(() => -1);
    if (this.#terminal === terminal) this.#terminal = undefined;
    this.#hub.publish({ kind: "terminalClosed", exitCode });
  }

  async #read(path: string): Promise<PlaygroundRequests["read"][1]> {
    const { size } = await this.#machine.stat(path);
    if (size > shownFileBytes) return { text: "", bytes: size, isText: false };
    const bytes = await this.#machine.readFile(path);
    const isText = isUtf8(bytes);
    const text = isText ? Buffer.from(bytes).toString("utf8") : "";
    return { text, bytes: bytes.byteLength, isText };
  }

  async #bill(): Promise<void> {
    // A machine that is gone has no bill.
    const usage = await this.#rt?.usage().catch(() => undefined);
    if (usage !== undefined) this.#hub.publish({ kind: "bill", bill: billOf(usage) });
  }

  #watchBill(): void {
    this.#billing ??= setInterval(() => {
      if (this.#running === undefined && this.#terminal === undefined) {
        clearInterval(this.#billing);
        this.#billing = undefined;
      } else if (this.#hub.isWatched) void this.#bill();
    }, billEveryMs);
  }

  async #dispose(): Promise<void> {
    const { over } = this.#running ?? {};
    const terminal = this.#terminal;
    this.#running?.abort.abort();
    this.#terminal = undefined;
    await terminal?.[Symbol.asyncDispose]();
    await this.#rt?.dispose();
    await over;
  }

  async close(): Promise<void> {
    clearInterval(this.#billing);
    await this.#making;
    await this.#dispose();
    this.#rt = undefined;
  }
}

const billOf = (usage: NodeRuntimeUsage): Record<string, number> => ({ ...usage });
