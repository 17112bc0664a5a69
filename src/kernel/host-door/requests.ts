/**
 * Owns what the kernel asks of the SDK: decisions of policy functions, and tool
 * calls. Answers come back by id.
 *
 * Invariants: every request is settled once: by its answer, by time (decisions
 * only, the SDK times tools), or by the end of who asked, which the SDK is told; so many of
 * each kind and machine are with the host at a time.
 * Untrusted: what is inside requests and answers; who answers is trusted.
 */
import { Errno } from "../../abi/errno.js";
import { borderLimits } from "../../protocol/border.js";
import type { OutwardRequest } from "../../protocol/border.js";
import type { Answer, Request, Scope } from "../../protocol/permissions.js";
import { toolLimits } from "../../protocol/tools.js";
import { Deferred } from "../io/deferred.js";
import type { WaitQueue } from "../io/wait-queue.js";
import { limits } from "../limits.js";
import { HostLines } from "./host-lines.js";
import type { Part } from "./host-lines.js";

/** One question to the host has to fit a frame; a longer one is not put, and so denied. */
const requestBytes = 4 * 1024 * 1024;

export interface HostPort {
  judge(vm: number, id: number, scope: Scope, requests: string): void;
  /** `more` of it comes by the next one. */
  toolCall(vm: number, id: number, name: string, input: Uint8Array, more: boolean): void;
  toolNext(vm: number, id: number, stream: number, stop: boolean): void;
  toolCancel(vm: number, id: number): void;
  outward(vm: number, id: number, request: string): void;
  /** Whether the host has not read what was sent before: another input would lie here twice. */
  isBehind(): boolean;
}

/** The machine that asks. */
export interface Asker {
  readonly vm: number;
  readonly part: Part;
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
  readonly #outward = new Map<number, Deferred<{ added: string }>>();
  /** By VM, and for the values of streams by the stream. */
  readonly #lines: Readonly<Record<"judge" | "tool" | "next" | "outward", HostLines>>;
  #lastId = 0;

  constructor(port: HostPort) {
    this.#port = port;
    const lines = (window: number): HostLines => new HostLines(window, () => port.isBehind());
    this.#lines = {
      judge: lines(limits.judgements),
      tool: lines(limits.toolCalls),
      next: lines(1),
      outward: lines(limits.outwardRequests),
    };
  }

  get pending(): number {
    return this.#judgements.size + this.#tools.size + this.#outward.size;
  }

  #newId(): number {
    do this.#lastId = (this.#lastId + 1) >>> 0;
    while ([this.#judgements, this.#tools, this.#outward].some((map) => map.has(this.#lastId)));
    return this.#lastId;
  }

  /** Answers -ETIMEDOUT when the host has not decided within `timeoutMs` of being asked. */
  judge(
    asker: Asker,
    scope: Scope,
    requests: readonly Request[],
    timeoutMs: number,
  ): Deferred<Answer[]> {
    return this.#timed(this.#lines.judge, asker, this.#judgements, timeoutMs, (id) => {
      const json = JSON.stringify(requests);
      if (Buffer.byteLength(json) > requestBytes) return -Errno.E2BIG;
      this.#port.judge(asker.vm, id, scope, json);
      return 0;
    });
  }

  /** While a machine's calls are to wait, as many decisions do: what is woken when they may go on. */
  crowdOf(vm: number): WaitQueue | undefined {
    return this.#lines.judge.crowdOf(vm);
  }

  /** What a request gets on its way out: JSON that the host has made, or -errno when it has nothing to say. */
  outward(asker: Asker, request: OutwardRequest): Deferred<{ added: string }> {
    const { answerMs } = borderLimits;
    return this.#timed(this.#lines.outward, asker, this.#outward, answerMs, (id) => {
      this.#port.outward(asker.vm, id, JSON.stringify(request));
      return 0;
    });
  }

  /** A question that is put by `send` when its turn has come, and answered through `pending` within `timeoutMs` from then on. */
  #timed<R>(
    lines: HostLines,
    { vm, part }: Asker,
    pending: Map<number, Deferred<R>>,
    timeoutMs: number,
    send: (id: number) => number,
  ): Deferred<R> {
    const asked = new Deferred<R>();
    let over = (): void => undefined;
    const answer = asked.chain<R>((result) => {
      over();
      return result;
    });
    const leave = lines.enter(vm, part, (give) => {
      const id = this.#newId();
      const timer = setTimeout(() => asked.settle(-Errno.ETIMEDOUT), timeoutMs);
      over = () => {
        clearTimeout(timer);
        pending.delete(id);
        give();
      };
      pending.set(id, asked);
      const refused = send(id);
      if (refused < 0) asked.settle(refused);
    });
    asked.onCancel(() => {
      over();
      leave();
    });
    return answer;
  }

  outwardReady(id: number, ok: boolean, added: string): void {
    this.#outward.get(id)?.settle(ok ? { added } : -Errno.EACCES);
  }

  judged(id: number, answers: Answer[]): void {
    this.#judgements.get(id)?.settle(answers);
  }

  /** `input` lasts as long as the call waits. So many of one VM are with the host at a time; the rest waits its turn here, and goes with its caller. */
  callTool({ vm, part }: Asker, name: string, input: Uint8Array): Deferred<ToolOutcome> {
    return this.#ofTool(
      this.#lines.tool,
      vm,
      part,
      (id) => {
        const size = toolLimits.jsonBytes;
        let at = 0;
        for (; input.byteLength - at > size; at += size)
          this.#port.toolCall(vm, id, name, input.subarray(at, at + size), true);
        this.#port.toolCall(vm, id, name, input.subarray(at), false);
      },
      (id) => this.#port.toolCancel(vm, id),
    );
  }

  /** The next value of the stream that call `stream` was answered with, or with `stop` its end. The host has one such question of a stream at a time. */
  nextOfTool({ vm, part }: Asker, stream: number, stop: boolean): Deferred<ToolOutcome> {
    return this.#ofTool(this.#lines.next, stream, part, (id) =>
      this.#port.toolNext(vm, id, stream, stop),
    );
  }

  #ofTool(
    lines: HostLines,
    key: number,
    part: Part,
    send: (id: number) => void,
    cancel: (id: number) => void = () => undefined,
  ): Deferred<ToolOutcome> {
    const call = new Deferred<ToolOutcome>();
    let taken: number | undefined;
    const leave = lines.enter(key, part, (give) => {
      const id = this.#newId();
      taken = id;
      const asked = new Deferred<ToolOutcome>();
      asked.whenSettled((outcome) => {
        call.settle(outcome);
        give();
      });
      this.#tools.set(id, { asked, leave: give });
      send(id);
    });
    call.onCancel(() => {
      if (taken !== undefined && this.#tools.delete(taken)) cancel(taken);
      leave();
    });
    return call;
  }

  /** The host has read what was sent. */
  drained(): void {
    const more = Object.values(this.#lines).filter((lines) => lines.drained());
    if (more.length > 0) setImmediate(() => this.drained());
  }

  toolDone(id: number, outcome: Omit<ToolOutcome, "id">): void {
    const call = this.#tools.get(id);
    this.#tools.delete(id);
    call?.asked.settle({ ...outcome, id });
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
