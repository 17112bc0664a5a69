/**
 * Owns host tools on the host's side: their definitions, the check of every
 * input, running handlers, and what of the outcome may go back into the VM.
 *
 * Invariants: a handler runs only with an input that its schema accepts; it is
 * told by a signal when nobody waits any more; of its error only name and message
 * leave; neither direction carries an own `__proto__` key; `call` never rejects.
 * Untrusted: every input. Results are the host's, but may be anything.
 */
import type { ToolDescriptor, ToolFailure } from "../protocol/tools.js";
import { toolLimits } from "../protocol/tools.js";
import { debug } from "./debug.js";
import { failure, invalidOption } from "./errors.js";
import { SchemaJudge } from "./schema-judge.js";
import { toolTurns } from "./tool-turns.js";
import type { Tool, ParsedTools } from "./tool-definitions.js";
import { decodeInput } from "./tool-input.js";
import { encodeResult, handlerFailure, encodeFailure } from "./tool-results.js";
import type { Encoded } from "./tool-results.js";
import {
  beforeDeadline,
  endedStream,
  isAsyncIterable,
  openedParts,
  openedStream,
  partsOf,
  type ResultStream,
} from "./tool-streams.js";

/** The tools of one runtime, and the calls that run. */
export class HostToolbox {
  readonly #tools = new Map<string, Tool>();
  /** Name or alias → the tool it stands for. */
  readonly #names = new Map<string, string>();
  readonly #running = new Map<number, AbortController>();
  /** Calls among them that wait for approval, and take no turn. */
  readonly #parked = new Set<number>();
  readonly #judge = new SchemaJudge();
  /** By the call that opened them. */
  readonly #streams = new Map<number, ResultStream>();
  readonly #waiting: { id: number; start: () => void }[] = [];
  /** How many want none to begin. */
  #holds = 0;
  /** Calls that have begun, but for their handlers. */
  readonly #held: (() => void)[] = [];
  /** Those whose turn of the event loop has not come, and how they wait no longer. */
  readonly #entered = new Map<number, () => void>();
  /** Of one input or result. */
  readonly #mostBytes: number;

  constructor(mostBytes: number = toolLimits.jsonBytes) {
    this.#mostBytes = mostBytes;
  }

  /** Adds tools or replaces those of the same name. Throws INVALID_OPTION, and adds nothing, when a name is taken. */
  add(tools: ParsedTools, option: string): void {
    const names = new Map(this.#names);
    for (const [name, { descriptor }] of tools) {
      for (const taken of [name, ...descriptor.aliases]) {
        const owner = names.get(taken);
        if (owner !== undefined && owner !== name)
          throw invalidOption(`${option}.${name}`, `takes the name ${taken}, which ${owner} has`);
        names.set(taken, name);
      }
    }
    const count = new Set([...this.#tools.keys(), ...tools.keys()]).size;
    if (count > toolLimits.toolsPerVm)
      throw invalidOption(option, `makes ${count} tools, the limit is ${toolLimits.toolsPerVm}`);
    for (const [name, owner] of names) this.#names.set(name, owner);
    for (const [name, tool] of tools) this.#tools.set(name, tool);
  }

  get all(): ParsedTools {
    return this.#tools;
  }

  descriptors(): ToolDescriptor[] {
    return [...this.#tools.values()].map(({ descriptor }) => descriptor);
  }

  /**
   * Runs a call when its turn comes and hands the outcome to `done`, unless it was cancelled; `parks` is told of
   * one that waits for approval.
   */
  call(
    id: number,
    name: string,
    input: Uint8Array,
    done: (ok: boolean, json: Uint8Array) => void,
    parks: () => void = () => {},
  ): void {
    const begin = (): void => {
      this.#entered.delete(id);
      if (this.#holds > 0) return this.#whenFree(id, start);
      const controller = new AbortController();
      this.#running.set(id, controller);
      const startedMs = performance.now();
      debug("tool", () => `${name}: called with ${input.byteLength} bytes`);
      const finish = (ok: boolean, json: Uint8Array): void => {
        if (this.#running.get(id) !== controller) return;
        const tookMs = performance.now() - startedMs;
        debug(
          "tool",
          () => `${name}: ${ok ? "answered" : "failed"} after ${Math.round(tookMs)} ms`,
        );
        this.#leave(id);
        done(ok, json);
      };
      this.#run({ id, name, input, controller, finish, parks, usedMs: 0 }).catch((error: unknown) =>
        finish(false, encodeFailure(handlerFailure(error))),
      );
    };
    const start = (): void => {
      // Set first: it may begin at once.
      this.#entered.set(id, () => undefined);
      const leave = toolTurns.enter(this, begin);
      if (this.#entered.has(id)) this.#entered.set(id, leave);
    };
    this.#whenFree(id, start);
  }

  #whenFree(id: number, start: () => void): void {
    if (this.#hasPlace) start();
    else this.#waiting.push({ id, start });
  }

  get #hasPlace(): boolean {
    const running = this.#running.size - this.#parked.size;
    return this.#holds === 0 && running + this.#entered.size < toolLimits.concurrentCalls;
  }

  /** No handler begins until what this answers is called: some of those that would may be cancelled by then. */
  hold(): () => void {
    this.#holds++;
    let holds = true;
    return () => {
      if (!holds) return;
      holds = false;
      if (--this.#holds > 0) return;
      for (const goOn of this.#held.splice(0)) goOn();
      while (this.#hasPlace && this.#waiting.length > 0) this.#next();
    };
  }

  #leave(id: number): void {
    this.#running.delete(id);
    this.#parked.delete(id);
    this.#next();
  }

  /** The next value of a stream, or with `stop` its end. Calls `done` once. */
  next(stream: number, stop: boolean, done: (ok: boolean, json: Uint8Array) => void): void {
    const open = this.#streams.get(stream);
    if (open === undefined || stop) {
      this.#endStream(stream);
      return done(true, endedStream);
    }
    const end = (ok: boolean, json: Uint8Array): void => {
      this.#endStream(stream);
      done(ok, json);
    };
    const work = async (): Promise<void> => {
      const { done: over, value } = await beforeDeadline(open);
      if (!this.#streams.has(stream)) return done(true, endedStream);
      if (over === true) return end(true, endedStream);
      const encoded = open.encode(value);
      if ("failure" in encoded) end(false, encodeFailure(encoded.failure));
      else done(true, encoded.json);
    };
    work().catch((error: unknown) => end(false, encodeFailure(handlerFailure(error))));
  }

  #endStream(id: number): void {
    const open = this.#streams.get(id);
    if (!this.#streams.delete(id)) return;
    open!.controller.abort(failure("TOOL_CANCELLED"));
    // What it does at its end is the handler's own.
    void Promise.resolve(open!.iterator.return?.()).catch(() => undefined);
  }

  /** Nobody waits for the call any more. */
  cancel(id: number): void {
    this.#endStream(id);
    const waiting = this.#waiting.findIndex((call) => call.id === id);
    if (waiting !== -1) this.#waiting.splice(waiting, 1);
    this.#entered.get(id)?.();
    if (this.#entered.delete(id)) return this.#next();
    const controller = this.#running.get(id);
    if (controller === undefined) return;
    this.#leave(id);
    controller.abort(failure("TOOL_CANCELLED"));
  }

  cancelAll(): void {
    this.#waiting.length = 0;
    for (const id of [...this.#entered.keys(), ...this.#running.keys(), ...this.#streams.keys()])
      this.cancel(id);
    this.#judge.close();
  }

  #next(): void {
    if (this.#hasPlace) this.#waiting.shift()?.start();
  }

  async #run(call: RunningCall): Promise<void> {
    const { name, controller, finish } = call;
    const tool = this.#tools.get(name);
    if (tool === undefined) {
      return finish(
        false,
        encodeFailure({
          name: "ToolNotFound",
          message: `there is no host tool named ${JSON.stringify(name)}`,
          code: "ERR_TOOL_NOT_FOUND",
        }),
      );
    }
    // The caller may use its memory again.
    const json = call.input.byteLength === 0 ? Buffer.from("{}") : new Uint8Array(call.input);
    const checked = await withinTime(tool, call, () => this.#check(tool, json, call));
    if (checked === undefined || controller.signal.aborted) return;
    if (tool.approval !== undefined && !(await this.#approved(tool, checked.value, call))) return;
    if (this.#holds > 0) await new Promise<void>((goOn) => this.#held.push(goOn));
    if (controller.signal.aborted) return;
    await withinTime(tool, call, async () => {
      const result = await tool.handler(checked.value, { signal: controller.signal });
      if (isAsyncIterable(result)) {
        if (controller.signal.aborted) return;
        const iterator = result[Symbol.asyncIterator]();
        const { encoding, descriptor } = tool;
        // Who has much to say by a stream can say it in more values.
        const encode = (value: unknown): Encoded =>
          encodeResult(name, value, encoding, toolLimits.jsonBytes);
        const { timeoutMs } = descriptor;
        this.#streams.set(call.id, { name, iterator, controller, encode, timeoutMs });
        return finish(true, openedStream);
      }
      const encoded = encodeResult(name, result, tool.encoding, this.#mostBytes);
      if ("failure" in encoded) return finish(false, encodeFailure(encoded.failure));
      const { json } = encoded;
      if (json.byteLength <= toolLimits.jsonBytes) return finish(true, json);
      if (controller.signal.aborted) return;
      this.#streams.set(call.id, partsOf(name, json));
      finish(true, openedParts);
    });
  }

  /** The input as the handler gets it; undefined when the call was refused. */
  async #check(
    tool: Tool,
    json: Uint8Array,
    { controller: { signal }, finish }: RunningCall,
  ): Promise<{ value: unknown } | undefined> {
    const refuse = (refused: ToolFailure): undefined => void finish(false, encodeFailure(refused));
    const decoded = await decodeInput(json, tool.encoding, this.#mostBytes);
    if ("failure" in decoded) return refuse(decoded.failure);
    if (signal.aborted) return undefined;
    const { value, plain, text } = decoded;
    const looked = tool.standard ? value : plain;
    const checked = await tool.check(looked, text, { judge: this.#judge, signal });
    if (!("violation" in checked)) return checked.value === plain ? { value } : checked;
    const { path, problem } = checked.violation;
    const message = `ToolInputSchemaViolation at ${path}: ${problem}`;
    return refuse({
      name: "ToolInputSchemaViolation",
      message: message.slice(0, toolLimits.errorMessageChars),
      code: "ERR_TOOL_INPUT",
      path: path.slice(0, 1024),
    });
  }

  /** Parks the call until it is approved and has a turn again; answers whether it may run. */
  async #approved(tool: Tool, input: unknown, call: RunningCall): Promise<boolean> {
    const { id, name, controller, finish } = call;
    const { signal } = controller;
    this.#parked.add(id);
    call.parks();
    this.#next();
    const answer = await approvalOf(() => tool.approval!({ tool: name, input, signal }));
    if (signal.aborted) return false;
    if (answer.approve) {
      await new Promise<void>((resolve) =>
        this.#whenFree(id, () => {
          this.#parked.delete(id);
          resolve();
        }),
      );
      return !signal.aborted;
    }
    const why = answer.reason === undefined ? "" : `: ${answer.reason}`;
    const message = `the call of ${name} was not approved${why}`;
    finish(
      false,
      encodeFailure({
        name: "ToolRefused",
        message: message.slice(0, toolLimits.errorMessageChars),
        code: "ERR_TOOL_REFUSED",
      }),
    );
    return false;
  }
}

interface RunningCall {
  readonly id: number;
  readonly name: string;
  readonly input: Uint8Array;
  readonly controller: AbortController;
  readonly finish: (ok: boolean, json: Uint8Array) => void;
  readonly parks: () => void;
  /** Of the tool's time. */
  usedMs: number;
}

/** Does part of a call; one that takes longer than the tool may ends the call. */
async function withinTime<R>(
  { descriptor: { timeoutMs } }: Tool,
  call: RunningCall,
  work: () => Promise<R>,
): Promise<R> {
  const { name, controller, finish } = call;
  const late = (): void => {
    const message = `the host tool ${name} did not answer within ${timeoutMs}ms`;
    finish(false, encodeFailure({ name: "ToolTimeout", message, code: "ERR_TOOL_TIMEOUT" }));
    controller.abort(failure("TOOL_TIMEOUT", { tool: name, timeout: timeoutMs }));
  };
  const timer = timeoutMs === 0 ? undefined : setTimeout(late, timeoutMs - call.usedMs);
  const startedAtMs = performance.now();
  try {
    return await work();
  } finally {
    clearTimeout(timer);
    call.usedMs += performance.now() - startedAtMs;
  }
}

/** What the host's function says; one that throws, or says something else, refuses. */
async function approvalOf(ask: () => unknown): Promise<{ approve: boolean; reason?: string }> {
  try {
    const answer = await ask();
    if (typeof answer === "boolean") return { approve: answer };
    const { approve, reason } = answer as { approve?: unknown; reason?: unknown };
    return {
      approve: approve === true,
      ...(typeof reason === "string" && reason !== "" && { reason }),
    };
  } catch {
    return { approve: false };
  }
}
