/**
 * Owns the wire format of DNS questions and answers, RFC 1035 and its successors,
 * as far as node:dns shows it. Untrusted: every byte of an answer; what does not
 * parse throws.
 */
export const recordTypes: Readonly<Record<string, number>> = Object.freeze({
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  NAPTR: 35,
  TLSA: 52,
  ANY: 255,
  CAA: 257,
});

/** By response code; anything else is ESERVFAIL. */
const responseErrors = ["", "EFORMERR", "ESERVFAIL", "ENOTFOUND", "ENOTIMP", "EREFUSED"];
const headerBytes = 12;
const maxPointers = 64;

export function encodeQuestion(id: number, name: string, type: number): Buffer | undefined {
  const labels = name.split(".").filter((label) => label !== "");
  if (labels.some((label) => Buffer.byteLength(label) > 63) || name.length > 253) return undefined;
  const header = Buffer.alloc(headerBytes);
  header.writeUInt16BE(id, 0);
  // Recursion desired.
  header.writeUInt16BE(0x0100, 2);
  header.writeUInt16BE(1, 4);
  const parts: Uint8Array[] = [header];
  for (const label of labels) {
    const bytes = Buffer.from(label, "utf8");
    parts.push(Buffer.from([bytes.length]), bytes);
  }
  const tail = Buffer.alloc(5);
  tail.writeUInt16BE(type, 1);
  tail.writeUInt16BE(1, 3);
  parts.push(tail);
  return Buffer.concat(parts);
}

/** The name that asks for an address's name, RFC 1035 and RFC 3596. */
export function reverseName(address: string): string {
  if (!address.includes(":")) return `${address.split(".").reverse().join(".")}.in-addr.arpa`;
  const [head = "", tail] = address.split("::");
  const groups = (part: string): string[] => (part === "" ? [] : part.split(":"));
  const first = groups(head);
  const last = tail === undefined ? [] : groups(tail);
  const middle = Array.from({ length: 8 - first.length - last.length }, () => "0");
  const digits = [...first, ...middle, ...last].map((group) => group.padStart(4, "0")).join("");
  return `${[...digits].reverse().join(".")}.ip6.arpa`;
}

export interface DnsRecord {
  type: number;
  ttl: number;
  /** In the shape that node:dns gives it. */
  value: unknown;
}

class Reader {
  readonly #bytes: Buffer;
  at: number;

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes;
    this.at = at;
  }

  u8(): number {
    return this.#bytes.readUInt8(this.at++);
  }

  u16(): number {
    this.at += 2;
    return this.#bytes.readUInt16BE(this.at - 2);
  }

  u32(): number {
    this.at += 4;
    return this.#bytes.readUInt32BE(this.at - 4);
  }

  bytes(count: number): Buffer {
    if (count < 0 || this.at + count > this.#bytes.length) throw new RangeError("short answer");
    this.at += count;
    return this.#bytes.subarray(this.at - count, this.at);
  }

  text(): string {
    return this.bytes(this.u8()).toString("utf8");
  }

  name(): string {
    const labels: string[] = [];
    let back = -1;
    for (let jumps = 0; ;) {
      const size = this.u8();
      if (size === 0) break;
      if (size >= 0xc0) {
        const target = ((size & 0x3f) << 8) | this.u8();
        if (back < 0) back = this.at;
        if (++jumps > maxPointers) throw new RangeError("names that lead in circles");
        this.at = target;
      } else labels.push(this.bytes(size).toString("utf8"));
    }
    if (back >= 0) this.at = back;
    return labels.join(".");
  }
}

function valueOf(reader: Reader, type: number, end: number): unknown {
  switch (type) {
    case 1:
      return [...reader.bytes(4)].join(".");
    case 28: {
      const groups = Array.from({ length: 8 }, () => reader.u16().toString(16));
      return compressed(groups);
    }
    case 2:
    case 5:
    case 12:
      return reader.name();
    case 6:
      return {
        nsname: reader.name(),
        hostmaster: reader.name(),
        serial: reader.u32(),
        refresh: reader.u32(),
        retry: reader.u32(),
        expire: reader.u32(),
        minttl: reader.u32(),
      };
    case 15: {
      const priority = reader.u16();
      return { exchange: reader.name(), priority };
    }
    case 16: {
      const texts: string[] = [];
      while (reader.at < end) texts.push(reader.text());
      return texts;
    }
    case 33: {
      const [priority, weight, port] = [reader.u16(), reader.u16(), reader.u16()];
      return { name: reader.name(), port, priority, weight };
    }
    case 35: {
      const [order, preference] = [reader.u16(), reader.u16()];
      const [flags, service, regexp] = [reader.text(), reader.text(), reader.text()];
      return { flags, service, regexp, replacement: reader.name(), order, preference };
    }
    case 52: {
      const [certUsage, selector, match] = [reader.u8(), reader.u8(), reader.u8()];
      const data = Uint8Array.from(reader.bytes(end - reader.at)).buffer;
      return { certUsage, selector, match, data };
    }
    case 257: {
      const critical = reader.u8();
      const tag = reader.text();
      return { critical, [tag]: reader.bytes(end - reader.at).toString("utf8") };
    }
    default:
      return undefined;
  }
}

/** The longest run of zero groups becomes "::", RFC 5952. */
function compressed(groups: string[]): string {
  let best = -1;
  let length = 1;
  for (let at = 0; at < groups.length; at++) {
    let run = 0;
    while (groups[at + run] === "0") run++;
    if (run > length) [best, length] = [at, run];
  }
  if (best < 0) return groups.join(":");
  return `${groups.slice(0, best).join(":")}::${groups.slice(best + length).join(":")}`;
}

/** The answer's records, or the code that node:dns has for what it says. */
export function decodeAnswer(bytes: Buffer): DnsRecord[] | string {
  const flags = bytes.readUInt16BE(2);
  const code = flags & 0xf;
  if (code !== 0) return responseErrors[code] ?? "ESERVFAIL";
  const reader = new Reader(bytes, 4);
  const [questions, answers] = [reader.u16(), reader.u16()];
  reader.at = headerBytes;
  for (let i = 0; i < questions; i++) {
    reader.name();
    reader.at += 4;
  }
  const records: DnsRecord[] = [];
  for (let i = 0; i < answers; i++) {
    reader.name();
    const type = reader.u16();
    reader.at += 2;
    const ttl = reader.u32();
    const size = reader.u16();
    const end = reader.at + size;
    if (end > bytes.length) throw new RangeError("short answer");
    const value = valueOf(reader, type, end);
    reader.at = end;
    if (value !== undefined) records.push({ type, ttl, value });
  }
  return records;
}
