/**
 * Owns one end of a fleet's session: two byte streams over packets that may be lost or come twice,
 * and how long the other end may say nothing.
 *
 * Invariants: bytes are handed on once each and in order, or the session is over; what is on its way
 * and not taken is never more than the window; `over` runs exactly once, with who ended it.
 * A packet that is missing is asked for again, so a broker may restart within the lease. Time in which
 * this process itself did not run is no silence of the other end; see silence.ts.
 * Untrusted: every packet. The other end can waste its own session and nothing else.
 */
import { MalformedMessage } from "./codec.js";
import { PacketKind, decodePacket, encodePacket, fleetLimits, jsonBytes } from "./fleet.js";
import { parseReason } from "./fleet.js";
import type { Packet, Reason } from "./fleet.js";
import { Silence } from "./silence.js";

/** A part of the lease after which an end that has nothing to say says that it is there. */
const beatsPerLease = 4;
/** What is missing is sent again at most this often, whatever the other end asks. */
const againMs = 25;
/** How often an end that nobody listens for is looked for. */
const probeMs = 250;
/** Longer than most programs run, and shorter than anybody notices. */
const lateMs = 25;

export type StreamEnd =
  | { by: "us" }
  | { by: "peer"; reason: Reason | undefined }
  | { by: "silence" | "absence" }
  | { by: "violation"; why: string };

export interface PacketStreamOptions {
  leaseMs: number;
  /** The most bytes of a packet's body. */
  pieceBytes: number;
  /** Hands a packet to the broker. */
  transmit(packet: Buffer): void;
  /** Bytes that came, in order; a view of the packet's. May throw `MalformedMessage`. */
  receive(bytes: Buffer): void;
  over(end: StreamEnd): void;
  /** Everything that was written is on its way. */
  drained?(): void;
}

export class PacketStream {
  readonly #options: PacketStreamOptions;
  readonly #silence: Silence;
  readonly #beat: NodeJS.Timeout;
  /** Written and not yet sent, oldest first. */
  readonly #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  /** Sent and not yet taken, oldest first. */
  readonly #onTheWay: Uint8Array[] = [];
  #sent = 0;
  /** How much of what was sent the other end has taken. */
  #acknowledged = 0;
  #received = 0;
  /** How much of that the other end knows. */
  #told = 0;
  #askedAgainFor = -1;
  #againTimer: NodeJS.Timeout | undefined;
  #resend: NodeJS.Timeout | undefined;
  #probe: NodeJS.Timeout | undefined;
  #unheardSinceMs = 0;
  #unheardLastMs = 0;
  /** Since the broker came back, nothing has come from the other end, which may be on its way back itself. */
  #mayBeAway = false;
  #held: Buffer[] | undefined;
  #heldBytes = 0;
  #pumping = false;
  #late: NodeJS.Timeout | undefined;
  #over = false;

  constructor(options: PacketStreamOptions) {
    this.#options = options;
    const { leaseMs } = options;
    this.#silence = new Silence({
      limitMs: leaseMs,
      ask: () => undefined,
      broken: () => this.#finish({ by: "silence" }),
    });
    this.#silence.awaits(true);
    this.#beat = setInterval(() => this.beat(), leaseMs / beatsPerLease).unref();
  }

  get isOver(): boolean {
    return this.#over;
  }

  /** Bytes that were written and are not with the other end. */
  get pendingBytes(): number {
    return this.#over ? 0 : this.#waitingBytes + this.#sent - this.#acknowledged;
  }

  /** `bytes` is not changed afterwards. */
  write(bytes: Uint8Array): void {
    if (!this.#keep(bytes) || this.#pumping) return;
    this.#pumping = true;
    // What is written in one turn travels together, also what promises write that this turn has settled.
    queueMicrotask(() => process.nextTick(this.#pumpAll));
  }

  /** The same for what nobody waits for: it goes with what is sent next, and at the latest after `lateMs`. */
  writeLate(bytes: Uint8Array): void {
    if (this.#keep(bytes)) this.#late ??= setTimeout(this.#pumpAll, lateMs).unref();
  }

  #keep(bytes: Uint8Array): boolean {
    if (this.#over || bytes.byteLength === 0) return false;
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.byteLength;
    return true;
  }

  readonly #pumpAll = (): void => {
    this.#pumping = false;
    if (!this.#over) this.#pump();
  };

  /** Says that this end is there, and how far it is. */
  beat(): void {
    if (!this.#over) this.#send(PacketKind.beat, this.#sent);
  }

  /** Keeps what comes, within the window, and lets the other end wait; `false` goes on. */
  hold(held: boolean): void {
    if (held) {
      this.#held ??= [];
      return;
    }
    const kept = this.#held;
    if (kept === undefined) return;
    this.#held = undefined;
    for (let at = 0; at < kept.length && !this.#over; at++) {
      // Whoever receives may hold again.
      if (this.#held === undefined) {
        this.#heldBytes -= kept[at]!.length;
        this.#hand(kept[at]!);
      } else (this.#held as Buffer[]).push(kept[at]!);
    }
    this.#tell();
  }

  /** Takes a packet as it came from the broker. */
  take(bytes: Uint8Array): void {
    if (this.#over) return;
    try {
      this.#take(decodePacket(bytes));
    } catch (error) {
      if (!(error instanceof MalformedMessage)) throw error;
      this.end(
        { code: "ERR_SECURE_EXEC_PROTOCOL_VIOLATION", message: error.message },
        { by: "violation", why: error.message },
      );
    }
  }

  /**
   * The broker says that nobody listens at the other end. Said for as long as an end is waited for, and of each beat,
   * that is absence; a beat of which it is not said was heard, or is lost, and the lease decides.
   */
  unheard(): void {
    if (this.#over || this.#mayBeAway) return;
    const nowMs = performance.now();
    this.#unheardLastMs = nowMs;
    if (this.#probe === undefined) {
      this.#unheardSinceMs = nowMs;
      this.#probe = setInterval(() => this.#lookForIt(), probeMs).unref();
    } else if (nowMs - this.#unheardSinceMs >= fleetLimits.unheardMs)
      this.#finish({ by: "absence" });
  }

  #lookForIt(): void {
    if (performance.now() - this.#unheardLastMs >= fleetLimits.unheardMs) this.#stopLooking();
    else this.beat();
  }

  #stopLooking(): void {
    clearInterval(this.#probe);
    this.#probe = undefined;
  }

  /** The broker is back. What was lost meanwhile is asked for; what it knew of the other end it knows no more. */
  brokerIsBack(): void {
    this.#stopLooking();
    this.#mayBeAway = true;
    this.beat();
  }

  /** Ends the session and tells the other end why. */
  end(reason: Reason, end: StreamEnd = { by: "us" }): void {
    if (this.#over) return;
    this.#pump();
    this.#send(PacketKind.end, this.#sent, jsonBytes(reason));
    this.#finish(end);
  }

  #finish(end: StreamEnd): void {
    if (this.#over) return;
    this.#over = true;
    this.#silence.awaits(false);
    clearInterval(this.#beat);
    this.#stopLooking();
    clearTimeout(this.#againTimer);
    clearTimeout(this.#resend);
    clearTimeout(this.#late);
    this.#waiting.length = 0;
    this.#onTheWay.length = 0;
    this.#held = undefined;
    this.#options.over(end);
  }

  #send(kind: number, at: number, body?: Uint8Array): void {
    const taken = this.#received - this.#heldBytes;
    this.#told = taken;
    this.#options.transmit(encodePacket(kind, at, taken, body));
  }

  #pump(): void {
    const { pieceBytes } = this.#options;
    clearTimeout(this.#late);
    this.#late = undefined;
    while (this.#waitingBytes > 0) {
      const room = fleetLimits.windowBytes - (this.#sent - this.#acknowledged);
      const size = Math.min(room, pieceBytes, this.#waitingBytes);
      if (size <= 0) return;
      const piece = this.#cut(size);
      this.#onTheWay.push(piece);
      const at = this.#sent;
      this.#sent += size;
      this.#send(PacketKind.data, at, piece);
    }
    this.#options.drained?.();
  }

  /** The next `size` bytes of those that wait, small writes joined. */
  #cut(size: number): Uint8Array {
    const parts: Uint8Array[] = [];
    let left = size;
    let whole = 0;
    while (left > 0) {
      const first = this.#waiting[whole]!;
      if (first.byteLength <= left) {
        parts.push(first);
        left -= first.byteLength;
        whole++;
      } else {
        parts.push(first.subarray(0, left));
        this.#waiting[whole] = first.subarray(left);
        left = 0;
      }
    }
    this.#waiting.splice(0, whole);
    this.#waitingBytes -= size;
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  }

  #take({ kind, at, taken, body }: Packet): void {
    this.#silence.heard();
    this.#mayBeAway = false;
    this.#stopLooking();
    if (kind === PacketKind.end) return this.#finish({ by: "peer", reason: parseReason(body) });
    this.#acknowledge(taken);
    if (kind === PacketKind.data) this.#data(at, body);
    else if (kind === PacketKind.again) this.#sendAgainSoon();
    else if (kind !== PacketKind.beat) throw new MalformedMessage(`packet of kind ${kind}`);
    // What it has sent and did not come is lost: packets of one sender keep their order.
    else if (at > this.#received) this.#askAgain();
    if (!this.#over) this.#pump();
  }

  #acknowledge(taken: number): void {
    if (taken > this.#sent) throw new MalformedMessage("more was taken than was sent");
    while (this.#acknowledged < taken) {
      const first = this.#onTheWay[0]!;
      const count = Math.min(first.byteLength, taken - this.#acknowledged);
      if (count === first.byteLength) this.#onTheWay.shift();
      else this.#onTheWay[0] = first.subarray(count);
      this.#acknowledged += count;
    }
  }

  #data(at: number, body: Buffer): void {
    if (at > this.#received) return this.#askAgain();
    // What came before is dropped; a piece may have been cut differently the second time.
    const fresh = body.subarray(Math.min(body.length, this.#received - at));
    if (fresh.length === 0) return;
    if (this.#heldBytes + fresh.length > fleetLimits.windowBytes)
      throw new MalformedMessage("more was sent than the window allows");
    this.#received += fresh.length;
    if (this.#held === undefined) this.#hand(fresh);
    else {
      // The broker's client may use its buffer again.
      this.#held.push(Buffer.from(fresh));
      this.#heldBytes += fresh.length;
    }
    this.#tell();
  }

  #hand(bytes: Buffer): void {
    this.#options.receive(bytes);
  }

  /** Before the other end runs out of room; smaller amounts travel with what is sent anyway. */
  #tell(): void {
    const untold = this.#received - this.#heldBytes - this.#told;
    if (!this.#over && untold >= fleetLimits.windowBytes / 4) this.beat();
  }

  #askAgain(): void {
    // Once for each gap: what was on its way behind it comes as well.
    if (this.#askedAgainFor === this.#received && this.#againTimer !== undefined) return;
    this.#askedAgainFor = this.#received;
    this.#send(PacketKind.again, this.#sent);
    this.#againTimer ??= setTimeout(() => {
      this.#againTimer = undefined;
    }, againMs).unref();
  }

  #sendAgainSoon(): void {
    this.#resend ??= setTimeout(() => {
      this.#resend = undefined;
      if (this.#over) return;
      let at = this.#acknowledged;
      for (const piece of this.#onTheWay) {
        this.#send(PacketKind.data, at, piece);
        at += piece.byteLength;
      }
    }, againMs).unref();
  }
}
