/**
 * Owns the text of permission patterns: paths, plain names, network addresses.
 * The SDK parses them to refuse bad ones early, the kernel to match with them.
 *
 * Invariant: what parses has one meaning; anything doubtful (classes, braces, a
 * `**` inside a name, `..`) is refused instead of read as text.
 */
import { isIP } from "node:net";

export class PatternError extends Error {
  override name = "PatternError";
}

const patternLimitChars = 4096;

/** One name with wildcards: literal text, or a wildcard for any run ("*") or one character ("?"). */
export type NameToken = { text: string } | { any: "run" | "one" };
export type NameGlob = readonly NameToken[];
/** A path's components; "**" stands for any number of them, also none. */
export type PathGlob = readonly (NameGlob | "**")[];

function checkText(text: string): void {
  if (text === "") throw new PatternError("must not be empty");
  if (text.length > patternLimitChars)
    throw new PatternError(`is longer than ${patternLimitChars} characters`);
  if (text.includes("\0")) throw new PatternError("must not contain a NUL character");
}

/** `*` any run, `?` one character, `\` makes the next character plain. */
export function parseNameGlob(text: string): NameGlob {
  checkText(text);
  const tokens: NameToken[] = [];
  let plain = "";
  const flush = (): void => {
    if (plain !== "") tokens.push({ text: plain });
    plain = "";
  };
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!;
    if (char === "\\") {
      at++;
      if (at === text.length) throw new PatternError("ends in a backslash that escapes nothing");
      plain += text[at]!;
    } else if (char === "*" || char === "?") {
      flush();
      const before = tokens.at(-1);
      const repeated = char === "*" && before !== undefined && "any" in before;
      if (!repeated || (before as { any: string }).any !== "run")
        tokens.push({ any: char === "*" ? "run" : "one" });
    } else if ("[]{}".includes(char)) {
      throw new PatternError(`has an unescaped "${char}"; only *, ** and ? are wildcards`);
    } else {
      plain += char;
    }
  }
  flush();
  return tokens;
}

/** An absolute path, or one that begins with a wildcard; `/a/**` is `/a` and everything below. */
export function parsePathGlob(text: string): PathGlob {
  checkText(text);
  if (text === "*") return ["**"];
  if (!text.startsWith("/") && !/^\*\*(?:\/|$)/.test(text))
    throw new PatternError('must be an absolute path or begin with "**"');
  return text
    .split("/")
    .filter((part) => part !== "")
    .map((part) => {
      if (part === "**") return "**";
      if (part.includes("**"))
        throw new PatternError('has a "**" that does not stand alone between slashes');
      if (part === "." || part === "..")
        throw new PatternError(`has a "${part}" component, which no resolved path has`);
      return parseNameGlob(part);
    });
}

export interface NetworkPattern {
  /** Which requests it is about; undefined: any of them. */
  readonly protocol: "tcp" | "udp" | "dns" | undefined;
  readonly host:
    | { kind: "any" }
    /** The name itself, or with `below` every name under it. */
    | { kind: "name"; name: string; below: boolean }
    | { kind: "range"; address: string; prefix: number; family: "ipv4" | "ipv6" };
  readonly port: number | undefined;
}

const schemes: Readonly<Record<string, { protocol: "tcp" | "udp" | "dns"; port?: number }>> = {
  tcp: { protocol: "tcp" },
  udp: { protocol: "udp" },
  dns: { protocol: "dns" },
  http: { protocol: "tcp", port: 80 },
  ws: { protocol: "tcp", port: 80 },
  https: { protocol: "tcp", port: 443 },
  wss: { protocol: "tcp", port: 443 },
};

/** A host name as names are compared: ASCII, lower case, without the root's dot. */
export function normalizeHostname(name: string): string {
  const bare = name.replace(/^\[(.*)\]$/, "$1");
  if (isIP(bare) !== 0) return bare.toLowerCase();
  let ascii = bare;
  // oxlint-disable-next-line no-control-regex -- what is beyond ASCII is what matters
  if (/[^\x00-\x7f]/.test(bare)) {
    try {
      ascii = new URL(`http://${bare}`).hostname;
    } catch {
      // It matches nothing in ASCII then.
    }
  }
  return ascii.toLowerCase().replace(/\.$/, "");
}

function parsePort(text: string): number | undefined {
  if (text === "*") return undefined;
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535)
    throw new PatternError(`has no valid port: "${text}"`);
  return Number(text);
}

function parseHost(text: string): NetworkPattern["host"] {
  if (text === "*") return { kind: "any" };
  const family = isIP(text);
  if (family !== 0) {
    return {
      kind: "range",
      address: text,
      prefix: family === 4 ? 32 : 128,
      family: family === 4 ? "ipv4" : "ipv6",
    };
  }
  const below = text.startsWith("*.");
  const name = normalizeHostname(below ? text.slice(2) : text);
  if (!/^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/.test(name) || name.length > 253)
    throw new PatternError(`has no valid host: "${text}"`);
  // The notations of inet_aton(3), such as 127.1, would look like a name and never match one.
  if (/^(?:0x[0-9a-f]*|\d+)$/.test(name.split(".").at(-1)!))
    throw new PatternError(`has an address in an unusual notation: "${text}"`);
  return { kind: "name", name, below };
}

/** `host`, `host:port`, `*.host`, an address, a range in CIDR notation, or one of these behind a scheme. */
export function parseNetworkPattern(text: string): NetworkPattern {
  checkText(text);
  let rest = text;
  let protocol: NetworkPattern["protocol"];
  let port: number | undefined;
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(text);
  if (scheme !== null) {
    const known = schemes[scheme[1]!.toLowerCase()];
    if (known === undefined)
      throw new PatternError(`has an unknown scheme; known are ${Object.keys(schemes).join(", ")}`);
    protocol = known.protocol;
    port = known.port;
    rest = text.slice(scheme[0].length);
    if (port !== undefined) rest = rest.replace(/\/$/, "");
  }
  const range = /^\[?([0-9A-Fa-f:.]+)\]?\/(\d{1,3})$/.exec(rest);
  if (range !== null) {
    const address = range[1]!;
    const prefix = Number(range[2]);
    const family = isIP(address);
    if (family === 0 || prefix > (family === 4 ? 32 : 128))
      throw new PatternError(`has no valid address range: "${rest}"`);
    const host = {
      kind: "range",
      address,
      prefix,
      family: family === 4 ? "ipv4" : "ipv6",
    } as const;
    return { protocol, host, port };
  }
  if (rest.includes("/")) throw new PatternError("must not contain a path: the kernel sees none");
  if (isIP(rest) === 6) return { protocol, host: parseHost(rest), port };
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/.exec(rest);
  if (bracketed !== null) {
    if (isIP(bracketed[1]!) !== 6) throw new PatternError(`has no valid host: "${rest}"`);
    if (bracketed[2] !== undefined) port = parsePort(bracketed[2]);
    return { protocol, host: parseHost(bracketed[1]!), port };
  }
  const colon = rest.indexOf(":");
  if (colon !== -1) {
    port = parsePort(rest.slice(colon + 1));
    rest = rest.slice(0, colon);
  }
  if (protocol === "dns" && port !== undefined) throw new PatternError("names a port for dns://");
  return { protocol, host: parseHost(rest), port };
}
