/**
 * Owns what the kernel asks of the SDK: decisions of policy functions, and tool
 * calls. Answers come back by id.
 *
 * Invariants: every request is settled once: by its answer, by time (decisions
 * only, the SDK times tools), or by the end of who asked, which the SDK is told.
 * Untrusted: what is inside requests and answers; who answers is trusted.
 */
import { Errno } from "../../abi/errno.js";
import { borderLimits } from "../../protocol/border.js";
import type { OutwardRequest } from "../../protocol/border.js";
import type { Answer, Request, Scope } from "../../protocol/permissions.js";
import { Deferred } from "../io/deferred.js";
import { limits } from "../limits.js";

/** One question to the host has to fit a frame; a longer one is not put, and so denied. */
const requestBytes = 4 * 1024 * 1024;

export interface HostPort {
  judge(vm: number, id: number, scope: Scope, requests: string): void;
  toolCall(vm: number, id: number, name: string, input: Uint8Array): void;
  toolNext(vm: number, id: number, stream: number, stop: boolean): void;
  toolCancel(vm: number, id: number): void;
  outward(vm: number, id: number, request: string): void;
  /** Whether the host has not read what was sent before: another input would lie here twice. */
  isBehind(): boolean;
}

/** Tool calls of one VM: how many the host has, and those that wait. */
interface Line {
  running: number;
  readonly waiting: Set<() => void>;
}

export interface ToolOutcome {
  /** Of the call. */
  id: number;
  ok: boolean;
  json: Uint8Array;
}

export class HostRequests {
  readonly #port: HostPort;
  readonly #judgements = new Map<number, Deferred<Answer[]>>();
  /** Calls that are with the host; `leave` gives the next one its turn. */
  readonly #tools = new Map<number, { asked: Deferred<ToolOutcome>; leave: () => void }>();
  readonly #lines = new Map<number, Line>();
  readonly #outward = new Map<number, Deferred<{ added: string }>>();
  #lastId = 0;

  constructor(port: HostPort) {
    this.#port = port;
  }

  get pending(): number {
    return this.#judgements.size + this.#tools.size + this.#outward.size;
  }

  #newId(): number {
    do this.#lastId = (this.#lastId + 1) >>> 0;
    while ([this.#judgements, this.#tools, this.#outward].some((map) => map.has(this.#lastId)));
    return this.#lastId;
  }

  /** Answers -ETIMEDOUT when the host has not decided within `timeoutMs`. */
  judge(
    vm: number,
    scope: Scope,
    requests: readonly Request[],
    timeoutMs: number,
  ): Deferred<Answer[]> {
    const asked = new Deferred<Answer[]>();
    const json = JSON.stringify(requests);
    if (Buffer.byteLength(json) > requestBytes) {
      asked.settle(-Errno.E2BIG);
      return asked;
    }
    const id = this.#newId();
    this.#judgements.set(id, asked);
    const timer = setTimeout(() => asked.settle(-Errno.ETIMEDOUT), timeoutMs);
    const over = (): void => {
      clearTimeout(timer);
      this.#judgements.delete(id);
    };
    asked.onCancel(over);
    this.#port.judge(vm, id, scope, json);
    return asked.chain((answers) => {
      over();
      return answers;
    });
  }

  /** What a request gets on its way out: JSON that the host has made, or -errno when it has nothing to say. */
  outward(vm: number, request: OutwardRequest): Deferred<{ added: string }> {
    const id = this.#newId();
    const asked = new Deferred<{ added: string }>();
    this.#outward.set(id, asked);
    const timer = setTimeout(() => asked.settle(-Errno.ETIMEDOUT), borderLimits.answerMs);
    const over = (): void => {
      clearTimeout(timer);
      this.#outward.delete(id);
    };
    asked.onCancel(over);
    this.#port.outward(vm, id, JSON.stringify(request));
    return asked.chain((answer) => {
      over();
      return answer;
    });
  }

  outwardReady(id: number, ok: boolean, added: string): void {
    this.#outward.get(id)?.settle(ok ? { added } : -Errno.EACCES);
  }

  judged(id: number, answers: Answer[]): void {
    this.#judgements.get(id)?.settle(answers);
  }

  /** `input` lasts as long as the call waits. So many of one VM are with the host at a time; the rest waits its turn here, and goes with its caller. */
  callTool(vm: number, name: string, input: Uint8Array): Deferred<ToolOutcome> {
    const line: Line = this.#lines.get(vm) ?? { running: 0, waiting: new Set() };
    this.#lines.set(vm, line);
    const call = new Deferred<ToolOutcome>();
    const over = (): void => {
      line.running--;
      this.#advance(vm, line);
    };
    const start = (): void => {
      line.running++;
      const id = this.#newId();
      const asked = new Deferred<ToolOutcome>();
      let counts = true;
      const leave = (): void => {
        if (counts) over();
        counts = false;
      };
      this.#tools.set(id, { asked, leave });
      asked.onCancel(() => {
        this.#tools.delete(id);
        this.#port.toolCancel(vm, id);
      });
      call.onCancel(() => {
        asked.cancel();
        leave();
      });
      asked.whenSettled((outcome) => {
        call.settle(outcome);
        leave();
      });
      this.#port.toolCall(vm, id, name, input);
    };
    line.waiting.add(start);
    call.onCancel(() => {
      if (line.waiting.delete(start)) this.#advance(vm, line);
    });
    this.#advance(vm, line);
    return call;
  }

  /** The host has read what was sent: one call of each VM after the other goes on. */
  drained(): void {
    for (const [vm, line] of this.#lines) this.#advance(vm, line, 1);
    const rest = [...this.#lines.values()].some((line) => this.#mayStart(line));
    if (rest) setImmediate(() => this.drained());
  }

  #mayStart({ running, waiting }: Line): boolean {
    return waiting.size > 0 && running < limits.toolCalls && !this.#port.isBehind();
  }

  /** Starts those that wait and may, at most `most`. */
  #advance(vm: number, line: Line, most: number = limits.toolCalls): void {
    for (const start of line.waiting) {
      if (most-- === 0 || !this.#mayStart(line)) break;
      line.waiting.delete(start);
      start();
    }
    if (line.running === 0 && line.waiting.size === 0) this.#lines.delete(vm);
  }

  toolDone(id: number, outcome: Omit<ToolOutcome, "id">): void {
    const call = this.#tools.get(id);
    this.#tools.delete(id);
    call?.asked.settle({ ...outcome, id });
  }

  /** The next value of the stream that call `stream` was answered with, or with `stop` its end. */
  nextOfTool(vm: number, stream: number, stop: boolean): Deferred<ToolOutcome> {
    const id = this.#newId();
    const asked = new Deferred<ToolOutcome>();
    this.#tools.set(id, { asked, leave: () => undefined });
    asked.onCancel(() => this.#tools.delete(id));
    this.#port.toolNext(vm, id, stream, stop);
    return asked;
  }

  /** Nobody wants more of it. */
  endOfTool(vm: number, stream: number): void {
    this.#port.toolCancel(vm, stream);
  }

  /** A person is asked: the next call may be with the host meanwhile. */
  toolParked(id: number): void {
    this.#tools.get(id)?.leave();
  }
}
