/**
 * Owns the way to a kernel of a fleet's worker: a session, instead of a child process.
 *
 * Invariant: it ends once; whatever the reason, calls that have no answer then are of unknown
 * outcome, and nothing is sent a second time to anybody else.
 */
import { PacketStream } from "../../protocol/packet-stream.js";
import type { StreamEnd } from "../../protocol/packet-stream.js";
import { fleetLimits, packetHeaderBytes } from "../../protocol/fleet.js";
import { failure, kernelError, nameOfCode } from "../errors.js";
import type { SecureExecError } from "../errors.js";
import type { KernelEnd, KernelLink } from "../kernel-link.js";
import type { Fleet, Placed } from "./fleet.js";

export class FleetLink implements KernelLink {
  readonly shared = false;
  readonly ended: Promise<KernelEnd>;
  readonly #fleet: Fleet;
  readonly #stream: PacketStream;
  readonly #worker: string;
  readonly #leaseMs: number;
  #holds = 0;
  #data: (chunk: Buffer) => void = () => undefined;
  #closed: () => void = () => undefined;
  onHeld: (held: boolean) => void = () => undefined;

  constructor(fleet: Fleet, placed: Placed, leaseMs: number) {
    this.#fleet = fleet;
    this.#worker = placed.name;
    this.#leaseMs = leaseMs;
    const { broker } = fleet;
    const { subject, address } = placed;
    let settle: (end: KernelEnd) => void;
    this.ended = new Promise((resolve) => {
      settle = resolve;
    });
    broker.join();
    const forget = broker.onReconnect(() => this.#stream.brokerIsBack());
    this.#stream = new PacketStream({
      leaseMs,
      pieceBytes: Math.min(fleetLimits.pieceBytes, broker.messageBytes - packetHeaderBytes),
      transmit: (packet) => broker.publish(subject, packet, address.subject),
      receive: (bytes) => this.#data(bytes),
      over: (end) => {
        forget();
        address.close();
        if (this.#holds > 0) broker.release();
        this.#holds = -Infinity;
        broker.leave();
        this.#closed();
        settle({ exitCode: null, signal: null, stderr: "", error: this.#errorOf(end) });
      },
    });
    placed.onMessage = (data, isUnheard) => {
      if (isUnheard) this.#stream.unheard();
      else this.#stream.take(data);
    };
  }

  listen(data: (chunk: Buffer) => void, closed: () => void): void {
    this.#data = data;
    this.#closed = closed;
  }

  write(frame: Buffer): void {
    this.#stream.write(frame);
  }

  hold(): void {
    if (this.#holds++ !== 0) return;
    this.#fleet.broker.hold();
    this.onHeld(true);
  }

  release(): void {
    if (--this.#holds !== 0) return;
    this.#fleet.broker.release();
    this.onHeld(false);
  }

  waitedMs(): number {
    return 0;
  }

  close(): void {
    this.#stream.end({
      code: "ERR_SECURE_EXEC_DISPOSED",
      message: "the caller has no more use for it",
    });
  }

  kill(): void {
    this.close();
  }

  #errorOf(end: StreamEnd): SecureExecError {
    const details = { worker: this.#worker };
    if (end.by === "peer" && end.reason !== undefined && nameOfCode(end.reason.code))
      return kernelError(end.reason.code, end.reason.message, details);
    const why = {
      us: "it was left",
      peer: "it ended the session",
      silence: `it said nothing for ${this.#leaseMs}ms`,
      absence: "nobody listens there any more",
      violation: "it sent what does not fit the protocol",
    }[end.by];
    return failure("WORKER_LOST", { worker: this.#worker, why }, { details });
  }
}
