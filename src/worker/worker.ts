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
import type { Advertisement, OpenAnswer, OpenRequest, Reason } from "../protocol/fleet.js";
import type { StreamEnd } from "../protocol/packet-stream.js";
import { failure } from "../sdk/errors.js";
import { Broker } from "../sdk/fleet/broker.js";
import type { BrokerMessage } from "../sdk/fleet/broker.js";
import { newToken, refuse } from "../sdk/fleet/mailbox.js";
import type { ParsedFleetServers } from "../sdk/fleet/options.js";
import { KernelRoom } from "./kernel-room.js";
import { Leases } from "./leases.js";
import type { Lease, LeaseLoss } from "./leases.js";
import { Load } from "./load.js";
import type { Capacity } from "./load.js";
import type { Log } from "./log.js";
import { WorkerMetrics } from "./metrics.js";
import { Refusal, refused } from "./refusal.js";
import { Session } from "./session.js";
import type { WorkerRules } from "./shapes.js";

export interface WorkerOptions {
  readonly servers: ParsedFleetServers;
  /** Default: the host's name. */
  readonly name?: string;
  readonly labels: Record<string, string>;
  readonly capacity: Capacity;
  readonly rules: WorkerRules;
  /** Whether leases are in the broker's store too, where it has one. */
  readonly isStoreWanted: boolean;
  readonly log: Log;
}

const drained: Reason = {
  code: "ERR_SECURE_EXEC_WORKER_LOST",
  message: "the worker was drained, and the machine was still there at its deadline",
};

const lossOf: Readonly<Record<LeaseLoss, string>> = Object.freeze({
  revoked: "the machine's lease was revoked",
  taken: "the machine's lease is another worker's",
});
/** Fences are drawn from 2^128: a second one that is somebody's is no chance. */
const fenceTries = 2;

/** What a worker has of a session. */
interface Holding {
  readonly fence: string;
  readonly lease: Lease;
  loss?: LeaseLoss;
}

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
  readonly #holdings = new Map<Session, Holding>();
  readonly #leases: Leases;
  #recall: () => void = () => undefined;
  /** Resolves when an operator has deleted the worker's own key in the broker's store. */
  readonly recalled = new Promise<void>((resolve) => {
    this.#recall = resolve;
  });
  readonly #startedMs = performance.now();
  readonly #advertising: NodeJS.Timeout;
  #emptied: () => void = () => undefined;

  private constructor(options: WorkerOptions, broker: Broker) {
    this.#options = options;
    this.#broker = broker;
    this.name = (options.name ?? hostname()).slice(0, fleetLimits.nameChars);
    this.load = new Load(options.capacity);
    this.metrics = new WorkerMetrics(this.load, {
      sessions: () => this.#sessions.size,
      stored: () => this.#leases.stored,
    });
    this.#subjects = subjectsOf(options.servers.subject);
    this.#leases = new Leases({
      broker,
      prefix: options.servers.subject,
      worker: this.id,
      name: this.name,
      log: options.log,
      recalled: () => this.#recall(),
    });
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
      for (const session of this.#sessions.values()) session.brokerIsBack();
      this.#advertise();
      if (options.isStoreWanted) this.#leases.reconnected();
    });
    broker.hold();
    this.#advertising = setInterval(() => this.#advertise(), fleetLimits.advertiseMs);
  }

  /** Starts a kernel, then says that it is there. Rejects with the errors of both. */
  static async start(options: WorkerOptions): Promise<Worker> {
    const broker = await Broker.connect(options.servers, "secure-exec worker");
    const worker = new Worker(options, broker);
    try {
      const started = [
        worker.#kernels.connection(),
        options.isStoreWanted && worker.#leases.start(),
      ];
      await Promise.all(started);
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
      leases: this.#leases.keeping,
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
    const opened = this.#session(request).then(
      ({ fence, subject }) =>
        () =>
          answer({ version: fleetVersion, fence }, subject),
      (error: unknown) => {
        this.load.give();
        if (!(error instanceof Refusal))
          this.#options.log.error("no kernel", { why: String(error) });
        return () =>
          refuseOpen(error instanceof Refusal ? error.message : "cannot start its kernel");
      },
    );
    void opened.then((say) => {
      const delayMs = this.load.delayMs();
      if (delayMs === 0) say();
      else setTimeout(say, delayMs);
    });
  }

  /** Rejects with a `Refusal`, and with the errors of starting a kernel. */
  async #session({ inbox, leaseMs }: OpenRequest): Promise<{ fence: string; subject: string }> {
    const kernel = await this.#kernels.connection();
    const { fence, lease } = await this.#fence(inbox, leaseMs);
    if (this.load.draining) {
      lease.release();
      throw refused("is draining");
    }
    const subject = this.#subjects.session(this.id, fence);
    const session = new Session(this.#servicesOf(), kernel, {
      leaseMs,
      pieceBytes: Math.min(fleetLimits.pieceBytes, this.#broker.messageBytes - packetHeaderBytes),
      transmit: (packet) => this.#broker.publish(inbox, packet, subject),
    });
    this.#sessions.set(fence, session);
    this.#holdings.set(session, { fence, lease });
    this.metrics.placed();
    return { fence, subject };
  }

  /** A fence that nobody in the fleet has, as far as its store knows. */
  async #fence(inbox: string, leaseMs: number): Promise<{ fence: string; lease: Lease }> {
    for (let tries = 0; tries < fenceTries; tries++) {
      const fence = newToken();
      const lost = (why: LeaseLoss): void => this.#lost(fence, why);
      const lease = await this.#leases.take(fence, { inbox, leaseMs }, lost);
      if (lease !== undefined) return { fence, lease };
    }
    throw refused("finds every fence taken");
  }

  #lost(fence: string, loss: LeaseLoss): void {
    const session = this.#sessions.get(fence);
    const holding = session && this.#holdings.get(session);
    if (session === undefined || holding === undefined) return;
    holding.loss = loss;
    session.end({ code: "ERR_SECURE_EXEC_WORKER_LOST", message: lossOf[loss] });
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
    const holding = this.#holdings.get(session);
    if (holding === undefined) return;
    const { fence, lease, loss } = holding;
    this.#holdings.delete(session);
    this.#sessions.delete(fence);
    lease.release();
    const by = loss ?? end.by;
    this.metrics.over(by);
    const aliveMs = Math.round(performance.now() - session.openedMs);
    const said = { fence: fence.slice(0, 8), lease: lease.number, by, aliveMs };
    // A caller that leaves in order needs no line.
    if (end.by !== "peer") this.#options.log.info("session is over", said);
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
    await this.#leases.close();
    await this.#kernels.close(failure("DISPOSED", { what: "worker" }));
    await this.#broker.close();
  }
}
