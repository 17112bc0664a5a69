/**
 * Owns what an IP address is: canonical text, IPv4 inside IPv6, loopback, and the
 * ranges that nothing may reach unless a rule names them.
 *
 * Invariant: every form that the OS would connect to the same host has one
 * canonical form here. Untrusted: the text.
 */
import { BlockList, SocketAddress, isIPv4, isIPv6 } from "node:net";

export interface IpAddress {
  family: 4 | 6;
  address: string;
}

/** The canonical form, or undefined when `text` is no address. A zone is not kept. */
export function parseAddress(text: string): IpAddress | undefined {
  if (isIPv4(text)) return { family: 4, address: text };
  const percent = text.indexOf("%");
  const bare = percent < 0 ? text : text.slice(0, percent);
  if (!isIPv6(bare)) return undefined;
  return { family: 6, address: new SocketAddress({ address: bare, family: "ipv6" }).address };
}

/** The 16 bytes of a canonical IPv6 address. */
export function bytesOf(address: string): number[] {
  let text = address;
  const dotted = /(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text);
  if (dotted !== null) {
    const [a, b, c, d] = dotted.slice(1).map(Number) as [number, number, number, number];
    text = `${text.slice(0, dotted.index)}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  }
  const [head = "", tail] = text.split("::");
  const groups = (part: string): number[] =>
    part === "" ? [] : part.split(":").map((group) => parseInt(group, 16));
  const first = groups(head);
  const last = tail === undefined ? [] : groups(tail);
  const middle = Array.from({ length: 8 - first.length - last.length }, () => 0);
  return [...first, ...middle, ...last].flatMap((group) => [group >> 8, group & 0xff]);
}

/** The IPv4 address that packets to this IPv6 address end at, if there is one. */
export function embeddedIpv4(address: string): string | undefined {
  const bytes = bytesOf(address);
  const zero = (from: number, to: number): boolean =>
    bytes.slice(from, to).every((byte) => byte === 0);
  const at = (from: number): string => bytes.slice(from, from + 4).join(".");
  // ::ffff:a.b.c.d and ::ffff:0:a.b.c.d, RFC 4291 and RFC 2765.
  if (zero(0, 10) && bytes[10] === 0xff && bytes[11] === 0xff) return at(12);
  if (zero(0, 8) && bytes[8] === 0xff && bytes[9] === 0xff && zero(10, 12)) return at(12);
  // ::a.b.c.d, but for :: and ::1.
  if (zero(0, 12) && !(zero(12, 15) && bytes[15]! <= 1)) return at(12);
  // 64:ff9b::/96, RFC 6052.
  if (bytes[0] === 0 && bytes[1] === 0x64 && bytes[2] === 0xff && bytes[3] === 0x9b)
    return zero(4, 12) ? at(12) : undefined;
  // 2002::/16, RFC 3056.
  if (bytes[0] === 0x20 && bytes[1] === 0x02) return at(2);
  return undefined;
}

/** IPv4 where the address is one in an IPv6 coat that the OS takes off itself. */
export function unmapped(ip: IpAddress): IpAddress {
  if (ip.family === 4) return ip;
  const match = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(ip.address);
  return match === null ? ip : { family: 4, address: match[1]! };
}

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

export function isLoopback(ip: IpAddress): boolean {
  const plain = unmapped(ip);
  return loopback.check(plain.address, plain.family === 4 ? "ipv4" : "ipv6");
}

export function isUnspecified(ip: IpAddress): boolean {
  const { address } = unmapped(ip);
  return address === "0.0.0.0" || address === "::";
}

/** IANA's special-purpose registries, and what clouds and sites use inside. */
const forbiddenRanges: readonly [address: string, prefix: number, family: 4 | 6][] = [
  ["0.0.0.0", 8, 4],
  ["10.0.0.0", 8, 4],
  ["100.64.0.0", 10, 4],
  ["127.0.0.0", 8, 4],
  ["169.254.0.0", 16, 4],
  ["172.16.0.0", 12, 4],
  ["192.0.0.0", 24, 4],
  ["192.0.2.0", 24, 4],
  ["192.88.99.0", 24, 4],
  ["192.168.0.0", 16, 4],
  ["198.18.0.0", 15, 4],
  ["198.51.100.0", 24, 4],
  ["203.0.113.0", 24, 4],
  ["224.0.0.0", 4, 4],
  ["240.0.0.0", 4, 4],
  ["::", 128, 6],
  ["::1", 128, 6],
  ["64:ff9b:1::", 48, 6],
  ["100::", 64, 6],
  ["2001::", 23, 6],
  ["2001:db8::", 32, 6],
  ["3fff::", 20, 6],
  ["5f00::", 16, 6],
  ["fc00::", 7, 6],
  ["fe80::", 10, 6],
  ["fec0::", 10, 6],
  ["ff00::", 8, 6],
];

const forbidden = new BlockList();
for (const [address, prefix, family] of forbiddenRanges)
  forbidden.addSubnet(address, prefix, family === 4 ? "ipv4" : "ipv6");

/** Whether only a rule that names the address opens it. */
export function isForbidden(ip: IpAddress): boolean {
  if (forbidden.check(ip.address, ip.family === 4 ? "ipv4" : "ipv6")) return true;
  if (ip.family === 4) return false;
  const inner = embeddedIpv4(ip.address);
  return inner !== undefined && forbidden.check(inner, "ipv4");
}
