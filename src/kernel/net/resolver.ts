/**
 * Owns what names mean to the programs of one VM: those of the machine itself, and those that are asked for outside.
 *
 * Invariants: a look-up is a plan that says what has to be allowed; where rules deny by name, what a name is an alias of
 * has to be allowed as well; an answer is given only once its addresses are known by that name. Untrusted: names.
 */
import { Errno } from "../../abi/errno.js";
import type { Deferred } from "../io/deferred.js";
import { Plan } from "../io/plan.js";
import type { Outcome } from "../io/plan.js";
import type { Request } from "../../protocol/permissions.js";
import { isLoopback, parseAddress } from "./address.js";
import type { IpAddress } from "./address.js";
import type { KnownNames } from "./known-names.js";
import type { Outside } from "./outside.js";

/** How a name is judged before anybody is asked for it. */
type NetworkRequest = Extract<Request, { scope: "network" }>;

/** `getaddrinfo` for a name nobody knows; include/uv.h UV_EAI_NONAME. */
const unknownName = -3008;

function dnsRequest(hostname: string, loopback: boolean): NetworkRequest {
  return { scope: "network", operation: "dns", protocol: "dns", hostname, loopback };
}

function normalName(hostname: string): string {
  const lower = hostname.toLowerCase();
  return lower.endsWith(".") ? lower.slice(0, -1) : lower;
}

/** What a resolver may be asked; anything else has no address. */
function isHostname(name: string): boolean {
  if (name.length > 253 || !/^[^\s\0/@:\\#?%[\]]+$/.test(name)) return false;
  return name.split(".").every((label) => label.length > 0 && label.length <= 63);
}

/** An answer as node:dns has it, or an error's code. */
export interface DnsAnswer {
  error: string;
  json: string;
}

/** What the machine says of itself. */
function ownRecord(type: string): DnsAnswer {
  const records: Record<string, unknown> = {
    A: [{ address: "127.0.0.1", ttl: 0 }],
    AAAA: [{ address: "::1", ttl: 0 }],
    REVERSE: ["localhost"],
  };
  const record = Object.hasOwn(records, type) ? records[type] : undefined;
  return record === undefined
    ? { error: "ENODATA", json: "" }
    : { error: "", json: JSON.stringify(record) };
}

export class Resolver {
  readonly #names: KnownNames;
  readonly #outside: Outside;
  readonly #hostname: string;

  constructor(names: KnownNames, outside: Outside, hostname: string) {
    this.#names = names;
    this.#outside = outside;
    this.#hostname = hostname;
  }

  /**
   * `aliased`: where rules deny by name, what the name is an alias of is found out, and has to be
   * allowed, too.
   */
  resolve(
    hostname: string,
    family: number,
    aliased: boolean,
  ): { addresses: string[] } | Plan<{ addresses: string[] }> | number {
    const literal = parseAddress(hostname);
    const wanted = (ip: IpAddress): boolean => family === 0 || ip.family === family;
    if (literal !== undefined) return wanted(literal) ? { addresses: [hostname] } : unknownName;
    const name = normalName(hostname);
    // No resolver knows it, so there is nothing to judge.
    if (!isHostname(name)) return unknownName;
    const request = dnsRequest(name, this.#isOwnName(name));
    const remembered = (addresses: string[], aliases: readonly string[]) =>
      this.#names.remember(addresses, name, aliases) ? { addresses } : -Errno.ENOBUFS;
    return new Plan<{ addresses: string[] }>([request], () => {
      if (request.loopback)
        return remembered(
          ["127.0.0.1", "::1"].filter((address) => wanted(parseAddress(address)!)),
          [],
        );
      return this.#withAliases(
        request,
        aliased,
        this.#outside.lookup(name, family),
        ({ addresses }, aliases) => remembered(addresses, aliases),
      );
    });
  }

  /** `aliased` as for `resolve`. */
  query(type: string, asked: string, aliased: boolean): DnsAnswer | Plan<DnsAnswer> {
    // RFC 1035: no name is longer, with a dot at its end.
    if (asked.length > 254) return { error: "EBADNAME", json: "" };
    const reverse = type === "REVERSE";
    const name = reverse ? asked : normalName(asked);
    const ip = reverse ? parseAddress(asked) : undefined;
    const own = reverse ? ip !== undefined && isLoopback(ip) : this.#isOwnName(name);
    const request = dnsRequest(name, own);
    return new Plan<DnsAnswer>([request], () => {
      if (own) return ownRecord(type);
      const found = this.#outside.query(type, name);
      return this.#withAliases(request, aliased, found, (result, aliases) => {
        if (result.json !== "" && (type === "A" || type === "AAAA")) {
          const records = JSON.parse(result.json) as { address: string }[];
          const addresses = records.map(({ address }) => address);
          if (!this.#names.remember(addresses, name, aliases)) return -Errno.ENOBUFS;
        }
        return result;
      });
    });
  }

  #isOwnName(name: string): boolean {
    return (
      name === "localhost" ||
      name.endsWith(".localhost") ||
      name === "ip6-localhost" ||
      name === "ip6-loopback" ||
      name === this.#hostname
    );
  }

  /** What a look-up found, made into an answer; `aliased`, after its aliases were allowed as well. */
  #withAliases<F, R>(
    request: NetworkRequest,
    aliased: boolean,
    found: Deferred<F>,
    answer: (result: F, aliases: readonly string[]) => R | number,
  ): Outcome<R> {
    if (!aliased) return found.map<R>((result) => answer(result, []));
    return found.chain<Plan<R>>((result) => {
      if (typeof result === "number") return result;
      return this.#outside.aliases(request.hostname).chain<Plan<R>>((known) => {
        const aliases = typeof known === "number" ? [] : known.names;
        return new Plan<R>([{ ...request, aliases }], () => answer(result, aliases));
      });
    });
  }
}
