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

  callTool(vm: number, name: string, input: Uint8Array): Deferred<ToolOutcome> {
    const id = this.#newId();
    const call = new Deferred<ToolOutcome>();
    this.#tools.set(id, call);
    call.onCancel(() => {
      this.#tools.delete(id);
      this.#port.toolCancel(vm, id);
    });
    this.#port.toolCall(vm, id, name, input);
    return call;
  }

  toolDone(id: number, outcome: ToolOutcome): void {
    const call = this.#tools.get(id);
    this.#tools.delete(id);
    call?.settle(outcome);
  }
}
