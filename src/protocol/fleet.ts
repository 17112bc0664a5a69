/**
 * Owns what callers and workers of a fleet say to each other over a message broker: subjects, the
 * packets of a session, and the JSON of advertisements, requests to open a session and refusals.
 *
 * A session carries the frames of the SDK's socket (host-calls.ts) as two byte streams; packets are
 * what a stream is cut into. Everything here is private to one version: both ends say which they are.
 * Untrusted: every message. What does not fit is `undefined`, or throws `MalformedMessage`.
 */
import { MalformedMessage } from "./codec.js";

/** Raised with every change of packets, of the JSON below or of the host's table. */
export const fleetVersion = 3;

export const fleetLimits = Object.freeze({
  /** Bytes of one direction of a session that may be on their way without having been taken. */
  windowBytes: 256 * 1024,
  /** The most of them in one packet; a broker that allows less gets less. */
  pieceBytes: 64 * 1024,
  /** JSON of an advertisement, a request or a reason. */
  jsonBytes: 16 * 1024,
  labels: 32,
  labelChars: 128,
  nameChars: 128,
  inboxChars: 256,
  /** What is told of an inbox, and which one it is. */
  holderChars: 272,
  leaseMs: { default: 10_000, least: 1000, most: 120_000 },
  /** How often a worker says how it is. */
  advertiseMs: 1000,
  /** A worker that has not been heard of for so long is not asked. */
  advertisementLifeMs: 3500,
  /** How long an end that nobody listens for is waited for, at a broker that was there all the time. */
  unheardMs: 1500,
});

/** A name in a subject: no dots, spaces or wildcards. */
const tokenPattern = /^[A-Za-z0-9_-]{8,64}$/;
const prefixPattern = /^[A-Za-z0-9_-]{1,64}(?:\.[A-Za-z0-9_-]{1,64}){0,7}$/;
export const defaultSubjectPrefix = "secure-exec";

function isToken(value: unknown): value is string {
  return typeof value === "string" && tokenPattern.test(value);
}

export function isSubjectPrefix(value: unknown): value is string {
  return typeof value === "string" && prefixPattern.test(value);
}

/** The subjects of one fleet; docs/fleet.md lists them for the broker's permissions. */
export function subjectsOf(prefix: string): {
  readonly advertisements: string;
  readonly hello: string;
  open(worker: string): string;
  session(worker: string, fence: string): string;
} {
  return {
    advertisements: `${prefix}.worker`,
    hello: `${prefix}.hello`,
    open: (worker) => `${prefix}.open.${worker}`,
    session: (worker, fence) => `${prefix}.vm.${worker}.${fence}`,
  };
}

export const PacketKind = Object.freeze({
  /** Bytes of the sender's stream from `at` on. */
  data: 1,
  /** The sender is there; `at` is how much it has sent. */
  beat: 2,
  /** The receiver of this has to send again, from `taken` on. */
  again: 3,
  /** The session is over; `body` is JSON of a `Reason`. */
  end: 4,
} as const);

const headerBytes = 18;
export const packetHeaderBytes = headerBytes;

export interface Packet {
  kind: number;
  /** Offset in the stream of the packet's sender. */
  at: number;
  /** How much of the other stream its sender has taken. */
  taken: number;
  body: Buffer;
}

export function encodePacket(kind: number, at: number, taken: number, body?: Uint8Array): Buffer {
  const packet = Buffer.allocUnsafe(headerBytes + (body?.byteLength ?? 0));
  packet[0] = fleetVersion;
  packet[1] = kind;
  packet.writeDoubleLE(at, 2);
  packet.writeDoubleLE(taken, 10);
  if (body !== undefined) packet.set(body, headerBytes);
  return packet;
}

/** Views of `bytes`. Throws `MalformedMessage`. */
export function decodePacket(bytes: Uint8Array): Packet {
  const packet = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (packet.length < headerBytes || packet[0] !== fleetVersion)
    throw new MalformedMessage("no packet of this version");
  const at = packet.readDoubleLE(2);
  const taken = packet.readDoubleLE(10);
  for (const offset of [at, taken]) {
    if (!Number.isSafeInteger(offset) || offset < 0) throw new MalformedMessage("no offset");
  }
  return { kind: packet[1]!, at, taken, body: packet.subarray(headerBytes) };
}

/** Why a session was not opened, or is over: a code of the error table. */
export interface Reason {
  code: string;
  message: string;
}

export type WorkerState = "open" | "busy" | "full" | "draining";

/** What a worker says of itself. */
export interface Advertisement {
  version: number;
  /** Random for each start of a worker. */
  worker: string;
  name: string;
  labels: Record<string, string>;
  /** `busy`: over its soft limit, answers late; `full`: at its hard limit, refuses. */
  state: WorkerState;
  vms: number;
  slots: number;
  freeBytes: number;
  totalBytes: number;
  /** Processes that run or wait, per processor. */
  load: number;
  processors: number;
  /** How long it has been up. */
  ageMs: number;
  leases: LeaseKeeping;
}

/** Where a worker's leases are: in the broker's store besides, or in the beats of both ends alone. */
export type LeaseKeeping = "store" | "beats";

export interface OpenRequest {
  version: number;
  /** Where the worker's packets go. */
  inbox: string;
  leaseMs: number;
}

/** `fence` names the session; a worker that does not hold it refuses what is sent to it. */
export type OpenAnswer = { version: number; fence: string } | { version: number; refused: Reason };

type Bag = Readonly<Record<string, unknown>>;

function bagOf(bytes: Uint8Array): Bag | undefined {
  if (bytes.byteLength > fleetLimits.jsonBytes) return undefined;
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString("utf8"));
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Bag)
      : undefined;
  } catch {
    return undefined;
  }
}

export const jsonBytes = (value: object): Buffer => Buffer.from(JSON.stringify(value), "utf8");

function isCount(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= Number.MAX_SAFE_INTEGER;
}

function isText(value: unknown, mostChars: number): value is string {
  return typeof value === "string" && value.length <= mostChars;
}

export function isLabels(value: unknown): value is Record<string, string> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const entries = Object.entries(value);
  const { labels, labelChars } = fleetLimits;
  return (
    entries.length <= labels &&
    entries.every(([name, text]) => name.length <= labelChars && isText(text, labelChars))
  );
}

const states: readonly unknown[] = ["open", "busy", "full", "draining"] satisfies WorkerState[];

/** Of another version, or malformed: undefined. */
export function parseAdvertisement(bytes: Uint8Array): Advertisement | undefined {
  const given = bagOf(bytes);
  if (given?.version !== fleetVersion || !isToken(given.worker)) return undefined;
  const { worker, name, labels, state, vms, slots, freeBytes, totalBytes } = given;
  const { load, processors, ageMs, leases } = given;
  if (!isText(name, fleetLimits.nameChars) || !isLabels(labels) || !states.includes(state))
    return undefined;
  if (!isCount(vms) || !isCount(slots) || !isCount(freeBytes) || !isCount(totalBytes))
    return undefined;
  if (!isCount(load) || !isCount(processors) || !isCount(ageMs)) return undefined;
  if (leases !== "store" && leases !== "beats") return undefined;
  const counts = { vms, slots, freeBytes, totalBytes, load, processors, ageMs };
  const said = { worker, name, labels, state: state as WorkerState };
  return { version: fleetVersion, ...said, ...counts, leases };
}

/** Answers why not, where it is none of this version. */
export function parseOpenRequest(bytes: Uint8Array): OpenRequest | string {
  const given = bagOf(bytes);
  if (given === undefined) return "the request is malformed";
  const { version, inbox, leaseMs } = given;
  if (version !== fleetVersion)
    return `the worker speaks version ${fleetVersion} of the fleet's protocol`;
  const { least, most } = fleetLimits.leaseMs;
  if (!isCount(leaseMs) || leaseMs < least || leaseMs > most) return "the lease is out of range";
  if (!isText(inbox, fleetLimits.inboxChars) || !/^[^\s*>]+$/.test(inbox))
    return "the inbox is no subject";
  return { version, inbox, leaseMs };
}

/** What a worker writes into the broker's store of a session; of itself without `holder`. */
export interface LeaseText {
  worker: string;
  name: string;
  /** Where the caller's answers go, without the part that nobody else may know. */
  holder: string;
  leaseMs: number;
  /** Milliseconds since 1970, by the worker's clock. */
  since: number;
  /** The revision under which it was taken first; 0 while there is none. */
  number: number;
}

/** Malformed: undefined. */
export function parseLeaseText(bytes: Uint8Array): LeaseText | undefined {
  const { worker, name, holder, leaseMs, since, number } = bagOf(bytes) ?? {};
  const { nameChars, holderChars } = fleetLimits;
  if (!isToken(worker) || !isText(name, nameChars) || !isText(holder, holderChars))
    return undefined;
  if (!isCount(leaseMs) || !isCount(since) || !isCount(number)) return undefined;
  return { worker, name, holder, leaseMs, since, number };
}

export function parseReason(bytes: Uint8Array): Reason | undefined {
  return reasonOf(bagOf(bytes));
}

function reasonOf(given: unknown): Reason | undefined {
  if (typeof given !== "object" || given === null) return undefined;
  const { code, message } = given as Bag;
  return isText(code, 64) && isText(message, 4096) ? { code, message } : undefined;
}

export function parseOpenAnswer(bytes: Uint8Array): OpenAnswer | undefined {
  const given = bagOf(bytes);
  if (given?.version !== fleetVersion) return undefined;
  if (isToken(given.fence)) return { version: fleetVersion, fence: given.fence };
  const refused = reasonOf(given.refused);
  return refused === undefined ? undefined : { version: fleetVersion, refused };
}
