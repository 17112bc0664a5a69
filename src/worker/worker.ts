/**
 * Owns a worker of a fleet: what it says of itself, which sessions it holds, and how it leaves.
 *
 * Invariants: a session is opened only while there is room; what comes for one that is not held is
 * refused; after `drain` nothing new is taken, and after its deadline nothing is left.
 * Untrusted: every message of the broker.
 */
import { hostname } from "node:os";
import {
  fleetLimits,
  fleetVersion,
  jsonBytes,
  packetHeaderBytes,
  parseOpenRequest,
  subjectsOf,
} from "../protocol/fleet.js";
import type { Advertisement, OpenAnswer, Reason } from "../protocol/fleet.js";
import type { StreamEnd } from "../protocol/packet-stream.js";
import { failure } from "../sdk/errors.js";
import { Broker } from "../sdk/fleet/broker.js";
import type { BrokerMessage } from "../sdk/fleet/broker.js";
import { newToken, refuse } from "../sdk/fleet/mailbox.js";
import type { ParsedFleetServers } from "../sdk/fleet/options.js";
import { KernelRoom } from "./kernel-room.js";
import { Load } from "./load.js";
import type { Capacity } from "./load.js";
import type { Log } from "./log.js";
import { WorkerMetrics } from "./metrics.js";
import { Session } from "./session.js";
import type { WorkerRules } from "./shapes.js";

export interface WorkerOptions {
  readonly servers: ParsedFleetServers;
  /** Default: the host's name. */
  readonly name?: string;
  readonly labels: Record<string, string>;
  readonly capacity: Capacity;
  readonly rules: WorkerRules;
  readonly log: Log;
}

const drained: Reason = {
  code: "ERR_SECURE_EXEC_WORKER_LOST",
  message: "the worker was drained, and the machine was still there at its deadline",
};

export class Worker {
  readonly id = newToken();
  readonly name: string;
  readonly metrics: WorkerMetrics;
  readonly load: Load;
  readonly #options: WorkerOptions;
  readonly #broker: Broker;
  readonly #kernels = new KernelRoom();
  readonly #subjects: ReturnType<typeof subjectsOf>;
  readonly #sessions = new Map<string, Session>();
  readonly #fences = new Map<Session, string>();
  readonly #startedMs = performance.now();
  readonly #advertising: NodeJS.Timeout;
  #emptied: () => void = () => undefined;

  private constructor(options: WorkerOptions, broker: Broker) {
    this.#options = options;
    this.#broker = broker;
    this.name = (options.name ?? hostname()).slice(0, fleetLimits.nameChars);
    this.load = new Load(options.capacity);
    this.metrics = new WorkerMetrics(this.load, () => this.#sessions.size);
    this.#subjects = subjectsOf(options.servers.subject);
    const forbidden = (error: Error): void =>
      options.log.error("subject refused", { why: error.message });
    broker.subscribe(this.#subjects.hello, ({ reply }) => this.#advertise(reply), forbidden);
    broker.subscribe(this.#subjects.open(this.id), (message) => this.#open(message), forbidden);
    broker.subscribe(
      this.#subjects.session(this.id, "*"),
      (message) => this.#packet(message),
      forbidden,
    );
    broker.onReconnect(() => {
      options.log.info("broker is back", {});
      for (const session of this.#sessions.values()) session.beat();
      this.#advertise();
    });
    broker.hold();
    this.#advertising = setInterval(() => this.#advertise(), fleetLimits.advertiseMs);
  }

  /** Starts a kernel, then says that it is there. Rejects with the errors of both. */
  static async start(options: WorkerOptions): Promise<Worker> {
    const broker = await Broker.connect(options.servers, "secure-exec worker");
    const worker = new Worker(options, broker);
    try {
      await worker.#kernels.connection();
      await broker.flush();
    } catch (error) {
      await worker.close();
      throw error;
    }
    worker.#advertise();
    return worker;
  }

  get sessions(): number {
    return this.#sessions.size;
  }

  /** For Prometheus. */
  metricsText(): Promise<string> {
    return this.metrics.text(this.#kernels.living);
  }

  get isConnected(): boolean {
    return !this.#broker.isClosed;
  }

  #advertise(to = this.#subjects.advertisements): void {
    if (to === "") return;
    const { slots } = this.load.capacity;
    const advertisement: Advertisement = {
      version: fleetVersion,
      worker: this.id,
      name: this.name,
      labels: this.#options.labels,
      state: this.load.state(),
      vms: this.load.taken,
      slots,
      ...this.load.memory,
      ...this.load.processors,
      ageMs: Math.round(performance.now() - this.#startedMs),
    };
    this.#broker.publish(to, jsonBytes(advertisement));
  }

  #open({ data, reply }: BrokerMessage): void {
    if (reply === "") return;
    const answer = (given: OpenAnswer, session = ""): void =>
      this.#broker.publish(reply, jsonBytes(given), session);
    const refuseOpen = (message: string): void => {
      this.metrics.refused(message);
      const reason = { code: "ERR_SECURE_EXEC_FLEET_REFUSED", message };
      answer({ version: fleetVersion, refused: reason });
      this.#advertise();
    };
    const request = parseOpenRequest(data);
    if (typeof request === "string") return refuseOpen(request);
    const state = this.load.state();
    if (state === "draining") return refuseOpen("is draining");
    if (state === "full" || !this.load.take())
      return refuseOpen(
        this.load.taken >= this.load.capacity.slots
          ? `runs ${this.load.taken} machines of ${this.load.capacity.slots}`
          : "is out of memory",
      );
    const { inbox, leaseMs } = request;
    const opened = this.#kernels.connection().then(
      (kernel) => {
        const fence = newToken();
        const subject = this.#subjects.session(this.id, fence);
        const session = new Session(this.#servicesOf(), kernel, {
          leaseMs,
          pieceBytes: Math.min(
            fleetLimits.pieceBytes,
            this.#broker.messageBytes - packetHeaderBytes,
          ),
          transmit: (packet) => this.#broker.publish(inbox, packet, subject),
        });
        this.#sessions.set(fence, session);
        this.#fences.set(session, fence);
        this.metrics.placed();
        return () => answer({ version: fleetVersion, fence }, subject);
      },
      (error: unknown) => {
        this.load.give();
        this.#options.log.error("no kernel", { why: String(error) });
        return () => refuseOpen("cannot start its kernel");
      },
    );
    void opened.then((say) => {
      const delayMs = this.load.delayMs();
      if (delayMs === 0) say();
      else setTimeout(say, delayMs);
    });
  }

  #packet(message: BrokerMessage): void {
    const fence = message.subject.slice(message.subject.lastIndexOf(".") + 1);
    const session = this.#sessions.get(fence);
    if (session !== undefined)
      return message.isUnheard ? session.unheard() : session.take(message.data);
    if (message.isUnheard) return;
    this.metrics.fenced();
    refuse(this.#broker, message);
  }

  #servicesOf(): ConstructorParameters<typeof Session>[0] {
    return {
      kernels: this.#kernels,
      rules: this.#options.rules,
      takeSlot: () => !this.load.draining && this.load.take(),
      giveSlot: () => this.load.give(),
      // Its caller is told first.
      ended: (end, durationMs) => setImmediate(() => this.metrics.ended(end, durationMs)),
      over: (session, end) => this.#over(session, end),
    };
  }

  #over(session: Session, end: StreamEnd): void {
    const fence = this.#fences.get(session);
    if (fence === undefined) return;
    this.#fences.delete(session);
    this.#sessions.delete(fence);
    this.metrics.over(end.by);
    const aliveMs = Math.round(performance.now() - session.openedMs);
    // A caller that leaves in order needs no line.
    if (end.by !== "peer")
      this.#options.log.info("session is over", { fence: fence.slice(0, 8), by: end.by, aliveMs });
    this.#advertiseSoon();
    if (this.#sessions.size === 0) this.#emptied();
  }

  #soon: NodeJS.Timeout | undefined;
  /** Room is told at once, but not for each machine of many. */
  #advertiseSoon(): void {
    this.#soon ??= setTimeout(() => {
      this.#soon = undefined;
      this.#advertise();
    }, 20).unref();
  }

  /** Takes nothing new, and lets what runs end until the deadline. Answers how many machines were cut off. */
  async drain(timeoutMs: number): Promise<number> {
    this.load.draining = true;
    this.#advertise();
    this.#options.log.info("draining", { sessions: this.#sessions.size, timeoutMs });
    for (const session of this.#sessions.values()) session.draining(timeoutMs);
    if (this.#sessions.size > 0) {
      const emptied = new Promise<void>((resolve) => {
        this.#emptied = resolve;
      });
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, timeoutMs);
      });
      await Promise.race([emptied, late]);
      clearTimeout(timer);
    }
    const left = this.#sessions.size;
    for (const session of this.#sessions.values()) session.end(drained);
    await this.close();
    return left;
  }

  async close(): Promise<void> {
    clearInterval(this.#advertising);
    clearTimeout(this.#soon);
    for (const session of this.#sessions.values()) session.end(drained);
    await this.#kernels.close(failure("DISPOSED", { what: "worker" }));
    await this.#broker.close();
  }
}
