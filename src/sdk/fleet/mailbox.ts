/**
 * Owns the subjects on which this process is answered: one subscription, an address for each who waits.
 *
 * Invariant: whoever writes to an address that nobody holds is told that it is over, so that a worker
 * does not keep a machine for a caller that has given up.
 * Untrusted: what comes.
 */
import { randomBytes } from "node:crypto";
import { PacketKind, encodePacket, jsonBytes } from "../../protocol/fleet.js";
import type { Reason } from "../../protocol/fleet.js";
import type { Broker, BrokerMessage } from "./broker.js";

/** Characters that a guesser would have to get right, of a subject that is in no message to others. */
const randomTokenBytes = 16;

export function newToken(): string {
  return randomBytes(randomTokenBytes).toString("hex");
}

const gone: Reason = {
  code: "ERR_SECURE_EXEC_WORKER_LOST",
  message: "the session is not held here any more",
};

/** Tells whoever wrote to what is over. */
export function refuse(broker: Broker, { data, reply }: BrokerMessage): void {
  // An end is not answered, or two that have both forgotten would go on for ever.
  if (reply !== "" && data[1] !== PacketKind.end)
    broker.publish(reply, encodePacket(PacketKind.end, 0, 0, jsonBytes(gone)));
}

export interface Address {
  readonly subject: string;
  close(): void;
}

export class Mailbox {
  readonly #base: string;
  readonly #takers = new Map<string, (message: BrokerMessage) => void>();
  #last = 0;

  constructor(broker: Broker, prefix: string, refused: (error: Error) => void) {
    this.#base = `${prefix}.${newToken()}.`;
    const take = (message: BrokerMessage): void => {
      const taker = this.#takers.get(message.subject.slice(this.#base.length));
      if (taker !== undefined) taker(message);
      else if (!message.isUnheard) refuse(broker, message);
    };
    broker.subscribe(`${this.#base}*`, take, refused);
  }

  address(take: (message: BrokerMessage) => void): Address {
    const token = String(++this.#last);
    this.#takers.set(token, take);
    return { subject: this.#base + token, close: () => this.#takers.delete(token) };
  }
}
