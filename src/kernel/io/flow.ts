/**
 * Owns the flows of one process: descriptors whose bytes travel as events within
 * windows instead of as calls with replies.
 *
 * Invariants: at most a window of bytes waits here per flow and direction; bytes
 * keep their order; what was written before the close still reaches the stream,
 * also when the process has ended by then; a flow holds one reference to its stream.
 * Untrusted: every number and byte. A guest that overspends its window is ended.
 */
import { Errno } from "../../abi/errno.js";
import { MalformedMessage } from "../../protocol/codec.js";
import type { Message } from "../../protocol/codec.js";
import { flowWindowBytes } from "../../protocol/flow-calls.js";
import type { guestFlowEvents, kernelFlowEvents } from "../../protocol/flow-calls.js";
import type { EventOf } from "../../protocol/port.js";
import type { Account } from "../machine/account.js";
import type { Description, DescriptorTable } from "../process/descriptors.js";
import { describe } from "../process/describe.js";
import { Deferred } from "./deferred.js";
import type { Stream, StreamKind } from "./stream.js";
import type { WaitQueue } from "./wait-queue.js";

type FlowEvents = typeof kernelFlowEvents;
export type Notify = <K extends keyof FlowEvents>(
  name: K,
  args: Message<FlowEvents[K]["args"]>,
) => void;

/** What flows need of their process. */
export interface FlowOwner {
  readonly account: Account;
  readonly descriptors: DescriptorTable;
  isEnded(): boolean;
  readonly notifyFlow: Notify;
  /** The event `flowData`; nothing of `data` is kept. */
  sendData(flow: number, data: Uint8Array): void;
  brokenPipe(): void;
  /** As `ThreadOwner.mayRead`. */
  mayRead(stream: Stream): number;
  moved(kind: StreamKind, direction: "in" | "out", bytes: number): void;
  /** While the guest leaves too much unread: what is woken when it has read it. */
  unread(): WaitQueue | undefined;
}

/** The least room of a write that waits: further small ones fit behind it. */
const pendingRoomBytes = 1024;

interface Pending {
  readonly memory: Buffer;
  start: number;
  end: number;
  passed: Description | undefined;
}

class Flow {
  readonly #owner: FlowOwner;
  readonly #number: number;
  readonly fd: number;
  readonly stream: Stream;
  readonly #pending: Pending[] = [];
  /** Written by the guest and not yet given back. */
  #spent = 0;
  /** Taken by the stream and not yet given back. */
  #taken = 0;
  #readCredit = 0;
  #readEnded = false;
  #broken = false;
  #closed = false;
  #released = false;
  #stopReading: (() => void) | undefined;
  #stopWriting: (() => void) | undefined;
  readonly #shutdowns: Deferred<Record<never, never>>[] = [];

  constructor(owner: FlowOwner, number: number, fd: number, stream: Stream) {
    this.#owner = owner;
    this.#number = number;
    this.fd = fd;
    this.stream = stream;
    stream.ref();
  }

  grant(bytes: number): void {
    this.#readCredit = Math.min(flowWindowBytes, this.#readCredit + bytes);
    if (this.#stopReading === undefined) this.#read();
  }

  /** Bytes that it waits for, before anybody keeps them: takes what it has credit for. */
  readonly #take = (data: Uint8Array): number => {
    const size = Math.min(data.byteLength, this.#readCredit);
    if (size === 0 || this.#closed || this.#owner.unread() !== undefined) return 0;
    if (this.#owner.mayRead(this.stream) < 0) return 0;
    this.#deliver(size === data.byteLength ? data : data.subarray(0, size));
    if (this.#readCredit === 0) this.#stopWaiting();
    return size;
  };

  #deliver(data: Uint8Array): void {
    this.#readCredit = this.stream.isShared ? 0 : this.#readCredit - data.byteLength;
    this.#owner.moved(this.stream.kind, "in", data.byteLength);
    this.#owner.sendData(this.#number, data);
  }

  #stopWaiting(): void {
    this.#stopReading?.();
    this.#stopReading = undefined;
  }

  #read(): void {
    const flow = this.#number;
    while (this.#readCredit > 0 && !this.#readEnded && !this.#closed) {
      const unread = this.#owner.unread();
      if (unread !== undefined) return this.#readAfter(unread);
      const passed = this.stream.takePassed();
      if (passed !== undefined) this.#deliverPassed(passed);
      const refused = this.#owner.mayRead(this.stream);
      const data = refused < 0 ? refused : this.stream.read(this.#readCredit);
      const waits = typeof data !== "number" && data.byteLength === 0 && this.stream.awaitsWriter;
      if (data === -Errno.EAGAIN || waits) return this.#readAfter(this.stream.readable);
      if (typeof data === "number" || data.byteLength === 0) {
        this.#readEnded = true;
        const errno = typeof data === "number" ? -data : 0;
        // The one who ended it hears that it is done before the other hears of the end.
        queueMicrotask(() => {
          if (!this.#closed) this.#owner.notifyFlow("flowEnd", { flow, errno });
        });
        return;
      }
      this.#deliver(data);
    }
  }

  /** The guest reads no further for now: what comes stays where it is. */
  hold(): void {
    this.#readCredit = 0;
    this.#stopWaiting();
  }

  #readAfter(queue: WaitQueue): void {
    this.#stopReading = queue.add(() => {
      this.#stopReading = undefined;
      this.#read();
    }, this.#take);
  }

  #deliverPassed(description: Description): void {
    const kind = describe(description);
    const fd = this.#owner.descriptors.add(description);
    this.#owner.notifyFlow("flowPassed", { flow: this.#number, fd, kind });
  }

  write(data: Uint8Array, passed?: Description): void {
    this.#spent += data.byteLength;
    if (this.#spent > flowWindowBytes) throw new MalformedMessage("write beyond the flow's window");
    // A descriptor travels with a byte; unix(7).
    if (this.#broken || data.byteLength === 0) return passed?.unref();
    let rest = data;
    if (this.#pending.length === 0 && passed === undefined) {
      const written = this.stream.write(data);
      if (written >= 0) rest = data.subarray(written);
      else if (written !== -Errno.EAGAIN) return this.#break(-written);
      this.#took(data.byteLength - rest.byteLength);
    }
    if (rest.byteLength === 0) return;
    if (!this.#keep(rest, passed)) {
      passed?.unref();
      return this.#break(Errno.ENOBUFS);
    }
    if (this.#stopWriting === undefined) this.#advance();
  }

  /** A copy, as the frame that carried `data` is gone soon; false when the VM holds too much. */
  #keep(data: Uint8Array, passed: Description | undefined): boolean {
    const last = this.#pending.at(-1);
    if (passed === undefined && last !== undefined) {
      const room = last.memory.length - last.end;
      if (data.byteLength <= room) {
        last.memory.set(data, last.end);
        last.end += data.byteLength;
        return true;
      }
    }
    const size =
      passed === undefined ? Math.max(data.byteLength, pendingRoomBytes) : data.byteLength;
    if (!this.#owner.account.take("flowWrite", size)) return false;
    const memory = Buffer.allocUnsafeSlow(size);
    memory.set(data);
    this.#pending.push({ memory, start: 0, end: data.byteLength, passed });
    return true;
  }

  #forget(pending: Pending): void {
    pending.passed?.unref();
    this.#owner.account.give("flowWrite", pending.memory.length);
  }

  #advance(): void {
    for (let next = this.#pending[0]; next !== undefined; next = this.#pending[0]) {
      if (next.passed !== undefined) {
        this.stream.pass(next.passed);
        next.passed = undefined;
      }
      const { memory, start, end } = next;
      const written = this.stream.isReleased
        ? -Errno.EPIPE
        : this.stream.write(memory.subarray(start, end));
      if (written === -Errno.EAGAIN) {
        this.#stopWriting = this.stream.writable.add(() => {
          this.#stopWriting = undefined;
          this.#advance();
        });
        return;
      }
      if (written < 0) return this.#break(-written);
      next.start += written;
      if (next.start === next.end) this.#forget(this.#pending.shift()!);
      this.#took(written);
    }
    for (const shutdown of this.#shutdowns.splice(0)) this.#shutDown(shutdown);
    if (this.#closed) this.#release();
  }

  /** Credit goes back in large pieces: a guest that waits has spent the whole window. */
  #took(bytes: number): void {
    this.#taken += bytes;
    this.#owner.moved(this.stream.kind, "out", bytes);
    if (this.#closed || this.#taken < flowWindowBytes / 2) return;
    this.#owner.notifyFlow("flowWritten", { flow: this.#number, bytes: this.#taken });
    this.#spent -= this.#taken;
    this.#taken = 0;
  }

  #break(errno: number): void {
    this.#broken = true;
    for (const pending of this.#pending.splice(0)) this.#forget(pending);
    for (const shutdown of this.#shutdowns.splice(0)) shutdown.settle(-Errno.ENOTCONN);
    if (this.#closed) return this.#release();
    if (errno === Errno.EPIPE) this.#owner.brokenPipe();
    if (!this.#closed) this.#owner.notifyFlow("flowBroken", { flow: this.#number, errno });
  }

  shutdown(): Deferred<Record<never, never>> {
    const deferred = new Deferred<Record<never, never>>();
    if (this.#pending.length === 0) this.#shutDown(deferred);
    else this.#shutdowns.push(deferred);
    return deferred;
  }

  #shutDown(deferred: Deferred<Record<never, never>>): void {
    const result = this.stream.shutdown();
    deferred.settle(result < 0 ? result : {});
  }

  /** The guest is done with it. What it wrote still goes out, unless `reset`. */
  close(reset: boolean): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#stopWaiting();
    if (reset) this.stream.reset();
    if (reset || this.#pending.length === 0) this.#release();
  }

  /**
   * Where nobody has the stream any more but this flow, for what is still to go out, what comes in is lost; a connection of TCP
   * is reset then, and what waits to go out with it (tcp_close in net/ipv4/tcp.c). A peer that reads nothing learns of the end by that.
   */
  linger(): void {
    if (this.#released || this.stream.references > 1) return;
    if (this.stream.losesInput) return this.#release();
    this.#stopReading = this.stream.readable.add(() => this.linger());
  }

  #release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#stopReading?.();
    this.#stopWriting?.();
    for (const pending of this.#pending.splice(0)) this.#forget(pending);
    this.#owner.account.give("flow");
    this.stream.unref();
  }
}

export class FlowTable {
  readonly #owner: FlowOwner;
  readonly #limit: number;
  readonly #flows = new Map<number, Flow>();

  constructor(owner: FlowOwner, limit: number) {
    this.#owner = owner;
    this.#limit = limit;
  }

  get size(): number {
    return this.#flows.size;
  }

  event(event: Exclude<EventOf<typeof guestFlowEvents>, { name: "flowWrite" }>): void {
    const { name, args } = event;
    const number = args.flow;
    const flow = this.#flows.get(number);
    switch (name) {
      case "flowOpen":
        return this.#open(number, args.fd);
      case "flowRead":
        return flow?.grant(args.bytes);
      case "flowHold":
        return flow?.hold();
      case "flowPass": {
        const description = this.#owner.descriptors.get(args.fd);
        description?.ref();
        if (flow === undefined) return description?.unref();
        return flow.write(args.data, description);
      }
      case "flowClose":
        if (flow === undefined) return;
        return this.#close(number, flow, args.reset || args.unread);
    }
  }

  #open(number: number, fd: number): void {
    if (this.#flows.has(number)) throw new MalformedMessage(`flow ${number} is open already`);
    const stream = this.#owner.descriptors.stream(fd);
    if (
      stream === undefined ||
      this.#flows.size >= this.#limit ||
      !this.#owner.account.take("flow")
    ) {
      const errno = stream === undefined ? Errno.EBADF : Errno.ENFILE;
      this.#owner.notifyFlow("flowBroken", { flow: number, errno });
      this.#owner.notifyFlow("flowEnd", { flow: number, errno });
      return;
    }
    this.#flows.set(number, new Flow(this.#owner, number, fd, stream));
  }

  /** The event `flowWrite`; nothing of `data` is kept. */
  write(number: number, data: Uint8Array): void {
    this.#flows.get(number)?.write(data);
  }

  shutdown(number: number): Deferred<Record<never, never>> | number {
    return this.#flows.get(number)?.shutdown() ?? -Errno.ENOTCONN;
  }

  #close(number: number, flow: Flow, reset: boolean): void {
    this.#flows.delete(number);
    flow.close(reset);
    // Another descriptor may have taken the number since.
    if (this.#owner.descriptors.get(flow.fd) === flow.stream)
      this.#owner.descriptors.close(flow.fd);
    flow.linger();
  }

  /** The thread that opened them has ended. */
  closeAll(): void {
    for (const [number, flow] of this.#flows) this.#close(number, flow, false);
  }
}
