/**
 * Owns what the kernel asks of the SDK: decisions of policy functions, and tool
 * calls. Answers come back by id.
 *
 * Invariants: every request is settled once: by its answer, by time (decisions
 * only, the SDK times tools), or by the end of who asked, which the SDK is told.
 * Untrusted: what is inside requests and answers; who answers is trusted.
 */
import { Errno } from "../../abi/errno.js";
import type { Answer, Request, Scope } from "../../protocol/permissions.js";
import { Deferred } from "../io/deferred.js";
import { limits } from "../limits.js";

/** One question to the host has to fit a frame; a longer one is not put, and so denied. */
const requestBytes = 4 * 1024 * 1024;

export interface HostPort {
  judge(vm: number, id: number, scope: Scope, requests: string): void;
  toolCall(vm: number, id: number, name: string, input: Uint8Array): void;
  toolCancel(vm: number, id: number): void;
}

export interface ToolOutcome {
  ok: boolean;
  json: Uint8Array;
}

export class HostRequests {
  readonly #port: HostPort;
  readonly #judgements = new Map<number, Deferred<Answer[]>>();
  readonly #tools = new Map<number, Deferred<ToolOutcome>>();
  /** Tool calls by VM: how many the host has, and those that wait. */
  readonly #lines = new Map<number, { running: number; waiting: Set<() => void> }>();
  #lastId = 0;

  constructor(port: HostPort) {
    this.#port = port;
  }

  get pending(): number {
    return this.#judgements.size + this.#tools.size;
  }

  #newId(): number {
    do this.#lastId = (this.#lastId + 1) >>> 0;
    while (this.#judgements.has(this.#lastId) || this.#tools.has(this.#lastId));
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

  judged(id: number, answers: Answer[]): void {
    this.#judgements.get(id)?.settle(answers);
  }

  /** So many of one VM are with the host at a time; the rest waits its turn here, and goes with its caller. */
  callTool(vm: number, name: string, input: Uint8Array): Deferred<ToolOutcome> {
    const line = this.#lines.get(vm) ?? { running: 0, waiting: new Set<() => void>() };
    this.#lines.set(vm, line);
    const call = new Deferred<ToolOutcome>();
    const over = (): void => {
      line.running--;
      const [next] = line.waiting;
      if (next !== undefined) line.waiting.delete(next);
      next?.();
      if (line.running === 0) this.#lines.delete(vm);
    };
    const start = (): void => {
      line.running++;
      const id = this.#newId();
      const asked = new Deferred<ToolOutcome>();
      this.#tools.set(id, asked);
      asked.onCancel(() => {
        this.#tools.delete(id);
        this.#port.toolCancel(vm, id);
      });
      call.onCancel(() => {
        asked.cancel();
        over();
      });
      asked.whenSettled((outcome) => {
        call.settle(outcome);
        over();
      });
      this.#port.toolCall(vm, id, name, input);
    };
    if (line.running < limits.toolCalls) {
      start();
      return call;
    }
    // The frame that the input is a view of does not last until then.
    input = Buffer.from(input);
    line.waiting.add(start);
    call.onCancel(() => line.waiting.delete(start));
    return call;
  }

  toolDone(id: number, outcome: ToolOutcome): void {
    const call = this.#tools.get(id);
    this.#tools.delete(id);
    call?.settle(outcome);
  }
}
