/**
 * Owns the look-ups of one VM at the host's name servers.
 *
 * Invariants: each has a resolver and sockets of its own, so one VM's unanswered questions are in
 * nobody's way; so many of a VM are under way, the rest waits here in order; each ends by its
 * deadline, and at once when nobody waits for it or the VM goes.
 * Untrusted: names, and all that name servers answer.
 */
import { Resolver } from "node:dns";
import { Deferred } from "../io/deferred.js";
import { limits } from "../limits.js";
import type { Account } from "../machine/account.js";
import { parseAddress } from "./address.js";
import { addressesInHosts, hasGlobalIpv6, searchNames } from "./host-names.js";

export interface DnsAnswer {
  error: string;
  json: string;
}

/** getaddrinfo(3) as libuv says it; include/uv.h. */
const [tryAgain, unknownName] = [-3001, -3008];
/** Errors of a name server that says there is no such thing, rather than nothing. */
const notThere: ReadonlySet<string> = new Set(["ENOTFOUND", "ENODATA"]);
/** A chain of CNAMEs longer than this is no honest one; resolvers give up at about as many. */
const maxAliases = 8;
const asked = { timeout: limits.lookupTimeoutMs, tries: limits.lookupTries };
/** What a name is an alias of is asked beside the name itself, and must not hold that up for long. */
const aliasAsked = { timeout: 1500, tries: 1 };

const recordTypes = new Set([
  "A",
  "AAAA",
  "ANY",
  "CAA",
  "CNAME",
  "MX",
  "NAPTR",
  "NS",
  "PTR",
  "SOA",
  "SRV",
  "TLSA",
  "TXT",
]);

type Asked = NodeJS.ErrnoException;
type Work<R> = (resolver: Resolver, done: (result: R) => void) => void;

const codeOf = (error: Asked | null): string => error?.code ?? "ESERVFAIL";

export class Lookups {
  readonly #account: Account;
  readonly #servers: readonly string[] | undefined;
  /** Those that wait for a place. */
  readonly #waiting = new Set<() => void>();
  /** How to end those under way. */
  readonly #running = new Set<() => void>();
  #closed = false;

  /** `servers` are asked instead of the host's, as `dns.setServers` takes them. */
  constructor(account: Account, servers?: readonly string[]) {
    this.#account = account;
    this.#servers = servers;
  }

  /** getaddrinfo(3): the host's files, then its name servers. */
  lookup(hostname: string, family: number): Deferred<{ addresses: string[] }> {
    const known = addressesInHosts(hostname).filter(
      (address) => family === 0 || parseAddress(address)!.family === family,
    );
    if (known.length > 0) {
      const answered = new Deferred<{ addresses: string[] }>();
      answered.settle({ addresses: known });
      return answered;
    }
    const names = searchNames(hostname);
    return this.#run<{ addresses: string[] } | number>(tryAgain, (resolver, done) => {
      const next = (at: number): void =>
        addressesOf(resolver, names[at]!, family, (addresses, code) => {
          if (addresses.length > 0) done({ addresses });
          else if (!notThere.has(code)) done(tryAgain);
          else if (at + 1 < names.length) next(at + 1);
          else done(unknownName);
        });
      next(0);
    }) as Deferred<{ addresses: string[] }>;
  }

  /** The names that `name` is an alias of, nearest first; none where the resolver knows of none. */
  aliases(name: string): Deferred<{ names: string[] }> {
    const names: string[] = [];
    const work: Work<{ names: string[] }> = (resolver, done) => {
      // A name of the host's files is asked of nobody.
      if (addressesInHosts(name).length > 0) return done({ names });
      const next = (alias: string): void =>
        resolver.resolveCname(alias, (error, found) => {
          const target = error === null ? found[0]?.toLowerCase() : undefined;
          if (target === undefined || names.includes(target) || names.length === maxAliases)
            return done({ names });
          names.push(target);
          next(target);
        });
      next(name);
    };
    return this.#run({ names }, work, aliasAsked);
  }

  /** Records as `dns.resolve` gives them; `error` is c-ares' code, or empty. */
  query(type: string, name: string): Deferred<DnsAnswer> {
    return this.#run<DnsAnswer>({ error: "ETIMEOUT", json: "" }, (resolver, done) => {
      const answered = (error: Asked | null, value: unknown): void =>
        done(
          error === null
            ? { error: "", json: JSON.stringify(value) }
            : { error: codeOf(error), json: "" },
        );
      if (type === "REVERSE") reverse(resolver, name, answered);
      else if (!recordTypes.has(type)) done({ error: "EBADQUERY", json: "" });
      else if (type === "A") resolver.resolve4(name, { ttl: true }, answered);
      else if (type === "AAAA") resolver.resolve6(name, { ttl: true }, answered);
      else resolver.resolve(name, type, answered);
    });
  }

  close(): void {
    this.#closed = true;
    this.#waiting.clear();
    for (const end of this.#running) end();
  }

  /** Runs `work` when it has a place; after its deadline the answer is `late`. */
  #run<R>(
    late: R,
    work: Work<R>,
    options: { timeout: number; tries: number } = asked,
  ): Deferred<R> {
    const deferred = new Deferred<R>();
    const start = (): void => {
      if (!this.#account.take("lookup")) return deferred.settle(late);
      const resolver = new Resolver(options);
      if (this.#servers !== undefined) resolver.setServers(this.#servers);
      let over = false;
      const end = (result: R): void => {
        if (over) return;
        over = true;
        clearTimeout(timer);
        this.#running.delete(giveUp);
        this.#account.give("lookup");
        resolver.cancel();
        deferred.settle(result);
        this.#startNext();
      };
      const giveUp = (): void => end(late);
      const timer = setTimeout(giveUp, limits.lookupDeadlineMs);
      this.#running.add(giveUp);
      deferred.onCancel(giveUp);
      work(resolver, end);
    };
    if (this.#closed) deferred.settle(late);
    else if (this.#running.size < limits.lookups) start();
    else {
      this.#waiting.add(start);
      deferred.onCancel(() => this.#waiting.delete(start));
    }
    return deferred;
  }

  #startNext(): void {
    const [start] = this.#waiting;
    if (start === undefined || this.#closed || this.#running.size >= limits.lookups) return;
    this.#waiting.delete(start);
    start();
  }
}

/** What the name servers know of one name; `code` says why there is nothing. */
function addressesOf(
  resolver: Resolver,
  name: string,
  family: number,
  done: (addresses: string[], code: string) => void,
): void {
  const found: Record<4 | 6, string[]> = { 4: [], 6: [] };
  const codes: string[] = [];
  const wanted = ([4, 6] as const).filter((one) => family === 0 || one === family);
  let left = wanted.length;
  const settle = (): void => {
    const order = hasGlobalIpv6() ? [...found[6], ...found[4]] : [...found[4], ...found[6]];
    // One that says "no" for sure counts less than one that could not be asked.
    done(order, codes.find((code) => !notThere.has(code)) ?? codes[0] ?? "ENOTFOUND");
  };
  for (const one of wanted) {
    const answered = (error: Asked | null, addresses: string[] | undefined): void => {
      if (error === null) found[one] = addresses ?? [];
      else codes.push(codeOf(error));
      if (--left === 0) settle();
    };
    if (one === 4) resolver.resolve4(name, answered);
    else resolver.resolve6(name, answered);
  }
}

/** `reverse` throws where the address is none. */
function reverse(
  resolver: Resolver,
  address: string,
  done: (error: Asked | null, names: string[]) => void,
): void {
  try {
    resolver.reverse(address, done);
  } catch (error) {
    done(error as Asked, []);
  }
}
