/**
 * Owns the certificates that a machine's border shows to its programs: an authority of the machine's own,
 * and for each host that is looked into one that it signs. X.509 as far as RFC 5280 asks for that, in DER.
 *
 * Invariants: the authority may sign for nothing but TLS servers, and no authorities; a key is P-256 and
 * in no file. Untrusted: names, which are written as text of ASCII only.
 */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  sign,
} from "node:crypto";
import type { KeyObject } from "node:crypto";
import { isIP } from "node:net";

/** A certificate and its key, both in PEM. */
export interface Identity {
  certificate: string;
  key: string;
}

const dayMs = 86_400_000;
/** Clocks of programs may be behind, and of a machine that lives long nothing expires. */
const slackDays = 2;
const validDays = 3650;

const keptCertificates = 256;

const authorityName = "secure-exec border of this machine";

/** Tag, length, content; X.690, 8.1. */
function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), content]);
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest >>= 8) bytes.unshift(rest & 0xff);
  return Buffer.concat([Buffer.from([tag, 0x80 | bytes.length, ...bytes]), content]);
}

const sequence = (...parts: readonly Uint8Array[]): Buffer => der(0x30, ...parts);
const octets = (content: Uint8Array): Buffer => der(0x04, content);
const bits = (content: Uint8Array, unused = 0): Buffer => der(0x03, Buffer.from([unused]), content);
const yes = der(0x01, Buffer.from([0xff]));

function object(...numbers: readonly number[]): Buffer {
  const [first = 0, second = 0, ...rest] = numbers;
  const bytes = rest.flatMap((number) => {
    const digits = [number & 0x7f];
    for (let left = number >> 7; left > 0; left >>= 7) digits.unshift(0x80 | (left & 0x7f));
    return digits;
  });
  return der(0x06, Buffer.from([first * 40 + second, ...bytes]));
}

const ecdsaWithSha256 = sequence(object(1, 2, 840, 10045, 4, 3, 2));
const commonName = object(2, 5, 4, 3);
const basicConstraints = object(2, 5, 29, 19);
const keyUsage = object(2, 5, 29, 15);
const extendedKeyUsage = object(2, 5, 29, 37);
const serverAuth = object(1, 3, 6, 1, 5, 5, 7, 3, 1);
const alternativeNames = object(2, 5, 29, 17);

/** UTCTime until 2049, GeneralizedTime from then on; RFC 5280, 4.1.2.5. */
function time(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, "");
  return digits < "2050" ? der(0x17, Buffer.from(digits.slice(2))) : der(0x18, Buffer.from(digits));
}

const nameOf = (text: string): Buffer =>
  sequence(der(0x31, sequence(commonName, der(0x0c, Buffer.from(text, "utf8")))));

const extension = (id: Buffer, critical: boolean, value: Buffer): Buffer =>
  sequence(id, ...(critical ? [yes] : []), octets(value));

function addressBytes(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split(".").map(Number));
  const [head = "", tail] = address.split("::");
  const groups = (text: string): number[] =>
    text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16));
  const [before, after] = [groups(head), groups(tail ?? "")];
  const all = [...before, ...Array<number>(8 - before.length - after.length).fill(0), ...after];
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 0xff]));
}

interface Fields {
  issuer: string;
  subject: string;
  publicKey: KeyObject;
  extensions: readonly Buffer[];
}

function signed({ issuer, subject, publicKey, extensions }: Fields, key: KeyObject): string {
  const serial = randomBytes(16);
  // Positive, and never shorter.
  serial[0] = (serial[0]! & 0x7f) | 0x40;
  const now = Date.now();
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, serial),
    ecdsaWithSha256,
    nameOf(issuer),
    sequence(time(now - slackDays * dayMs), time(now + validDays * dayMs)),
    nameOf(subject),
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, sequence(...extensions)),
  );
  const whole = sequence(body, ecdsaWithSha256, bits(sign("sha256", body, key)));
  const lines = whole.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}

const newKey = (): { publicKey: KeyObject; privateKey: KeyObject } =>
  generateKeyPairSync("ec", { namedCurve: "P-256" });

const pemOf = (key: KeyObject): string => key.export({ type: "pkcs8", format: "pem" }) as string;

/** A new authority. */
export function createAuthority(): Identity {
  const { publicKey, privateKey } = newKey();
  // keyCertSign alone, and no authority below it.
  const extensions = [
    extension(basicConstraints, true, sequence(yes, der(0x02, Buffer.from([0])))),
    extension(keyUsage, true, bits(Buffer.from([0x04]), 2)),
    extension(extendedKeyUsage, false, sequence(serverAuth)),
  ];
  const fields = { issuer: authorityName, subject: authorityName, publicKey, extensions };
  return { certificate: signed(fields, privateKey), key: pemOf(privateKey) };
}

/** What the authority says for servers; one key serves them all. */
export class Signer {
  readonly #key: KeyObject;
  readonly #server = newKey();
  readonly #made = new Map<string, Identity>();

  constructor(authority: Identity) {
    this.#key = createPrivateKey(authority.key);
  }

  /** Of a name or address; kept, for as many as a machine may be expected to use. */
  identityOf(host: string): Identity {
    const known = this.#made.get(host);
    if (known !== undefined) return known;
    const name =
      isIP(host) === 0 ? der(0x82, Buffer.from(host, "latin1")) : der(0x87, addressBytes(host));
    const publicKey = createPublicKey(this.#server.privateKey);
    const extensions = [
      extension(basicConstraints, true, sequence()),
      // digitalSignature
      extension(keyUsage, true, bits(Buffer.from([0x80]), 7)),
      extension(extendedKeyUsage, false, sequence(serverAuth)),
      extension(alternativeNames, false, sequence(name)),
    ];
    const fields = { issuer: authorityName, subject: host.slice(0, 64), publicKey, extensions };
    const made = { certificate: signed(fields, this.#key), key: pemOf(this.#server.privateKey) };
    if (this.#made.size >= keptCertificates) this.#made.clear();
    this.#made.set(host, made);
    return made;
  }
}
