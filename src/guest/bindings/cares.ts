/**
 * Replaces name resolution of internalBinding("cares_wrap"): getaddrinfo,
 * getnameinfo and the queries of `ChannelWrap` ask the kernel. Name servers that
 * a program sets are asked by the program itself, over its own sockets.
 */
import { Errno } from "../../abi/errno.js";
import { currentFrame, deliver } from "../delivery.js";
import type { EngineRequest } from "../engine-types.js";
import type { CallResult } from "../../protocol/table.js";
import type { GuestCalls, GuestEnvironment, KernelClient } from "../environment.js";
import { createDnsClient } from "./dns-client.js";
import type { AskServers } from "./dns-client.js";
import { recordTypes } from "./dns-message.js";
import type { DnsRecord } from "./dns-message.js";
import { denialError } from "./socket-handle.js";
import { asyncIdsOf, beginHandle, beginRequest } from "../async-resources.js";
import { later } from "../turns.js";

/** Methods of ChannelWrap and the record type each asks for. */
const queries: Readonly<Record<string, string>> = Object.freeze({
  queryAny: "ANY",
  queryA: "A",
  queryAaaa: "AAAA",
  queryCaa: "CAA",
  queryCname: "CNAME",
  queryMx: "MX",
  queryNs: "NS",
  queryTxt: "TXT",
  queryTlsa: "TLSA",
  querySrv: "SRV",
  queryPtr: "PTR",
  queryNaptr: "NAPTR",
  querySoa: "SOA",
  getHostByAddr: "REVERSE",
});

/** c-ares' own. */
const defaultTimeoutMs = 2000;
const defaultTries = 4;

const typeNames = new Map(Object.entries(recordTypes).map(([name, number]) => [number, name]));

/** A record as `resolveAny` shows it. */
function anyRecord({ type, ttl, value }: DnsRecord): object[] {
  const name = typeNames.get(type);
  if (name === undefined) return [];
  if (name === "A" || name === "AAAA") return [{ address: value, ttl, type: name }];
  if (name === "TXT") return [{ entries: value, type: name }];
  if (typeof value === "string") return [{ value, type: name }];
  return [{ ...(value as object), type: name }];
}

/** GetAddrInfoReqWrap, GetNameInfoReqWrap or QueryReqWrap; a promise's has `reject`. */
interface LookupRequest extends EngineRequest {
  reject?(error: Error): void;
  callback?(error: Error): void;
  bindingName?: string;
}

let kernel: KernelClient;
let askServers: AskServers;
let isIP: (address: string) => number;
/** Values of `order`; DNS_ORDER_* of src/cares_wrap.h. */
let orders: { ipv4First: number; ipv6First: number };

/** Hands an error of our own to whoever waits for `req`. */
function refuse(req: LookupRequest, error: Error): void {
  if (typeof req.reject === "function") req.reject(error);
  else if (typeof req.callback === "function") req.callback(error);
  else req.oncomplete?.(-Errno.EACCES);
}

function sorted(addresses: string[], order: number): string[] {
  const first = order === orders.ipv4First ? 4 : order === orders.ipv6First ? 6 : 0;
  if (first === 0) return addresses;
  const isFirst = (address: string): boolean => address.includes(":") === (first === 6);
  return [...addresses.filter(isFirst), ...addresses.filter((address) => !isFirst(address))];
}

function getaddrinfo(
  req: LookupRequest,
  hostname: string,
  family: number,
  _flags: number,
  order: number,
): number {
  const frame = currentFrame();
  beginRequest("GETADDRINFOREQWRAP", req);
  kernel.callAsync("resolve", { hostname, family }, (result, words) => {
    deliver(frame, req, () => {
      if (words !== "") return refuse(req, denialError(words, "getaddrinfo", { hostname }));
      if (typeof result === "number") return req.oncomplete?.(result);
      req.oncomplete?.(0, sorted(result.addresses, order));
    });
  });
  return 0;
}

/** UV_EAI_NONAME of uv.h. */
const unknownName = -3008;

function getnameinfo(req: LookupRequest, address: string, port: number): number {
  const frame = currentFrame();
  beginRequest("GETNAMEINFOREQWRAP", req);
  kernel.callAsync("nameOf", { address, port }, (result, words) => {
    deliver(frame, req, () => {
      if (words !== "") return refuse(req, denialError(words, "getnameinfo"));
      if (typeof result === "number") return req.oncomplete?.(result);
      // NI_NAMEREQD: an address is no name.
      if (result.hostname === "") return req.oncomplete?.(unknownName);
      req.oncomplete?.(null, result.hostname, result.service);
    });
  });
  return 0;
}

/** Completes `req` with what a name server of the program's own said. */
function completeOwn(
  req: LookupRequest,
  type: string,
  code: string,
  records: readonly DnsRecord[],
): void {
  if (code !== "") req.oncomplete?.(code);
  else if (type === "ANY") req.oncomplete?.(null, records.flatMap(anyRecord));
  else
    req.oncomplete?.(
      null,
      records.map(({ value }) => value),
      records.map(({ ttl }) => ttl),
    );
}

/** Completes `req` with what the kernel's resolver said. */
function completeResolved(
  req: LookupRequest,
  type: string,
  result: CallResult<GuestCalls, "dnsQuery"> | number,
): void {
  if (typeof result === "number") return req.oncomplete?.("ESERVFAIL");
  if (result.error !== "") return req.oncomplete?.(result.error);
  const records = JSON.parse(result.json) as { address?: string; ttl?: number }[];
  if (type !== "A" && type !== "AAAA") return req.oncomplete?.(null, records);
  req.oncomplete?.(
    null,
    records.map(({ address }) => address),
    records.map(({ ttl }) => ttl),
  );
}

class ChannelWrap {
  #servers: [string, number][] = [["127.0.0.1", 53]];
  /** Whether a program has set the servers; otherwise the kernel's resolver is asked. */
  #own = false;
  readonly #timeoutMs: number;
  readonly #mostTimeoutMs: number;
  readonly #tries: number;
  readonly #pending = new Set<(code: string) => void>();

  constructor(timeoutMs: number, tries: number, mostTimeoutMs = 0) {
    this.#timeoutMs = timeoutMs > 0 ? timeoutMs : defaultTimeoutMs;
    this.#mostTimeoutMs = mostTimeoutMs;
    this.#tries = tries > 0 ? tries : defaultTries;
    beginHandle("DNSCHANNEL", this);
  }

  getAsyncId(): number {
    return asyncIdsOf(this)!.id;
  }

  getServers(): [string, number][] {
    return this.#servers.map(([address, port]) => [address, port]);
  }

  setServers(servers: readonly [number, string, number][]): number {
    this.#servers = servers.map(([, address, port]) => [address, port]);
    this.#own = this.#servers.some(([address, port]) => address !== "127.0.0.1" || port !== 53);
    return 0;
  }

  /** Checked as C++ does, and without effect: a program's sockets are on loopback. */
  setLocalAddress(first: string, second?: string): void {
    const families = [first, second].map((address) => (address === undefined ? 0 : isIP(address)));
    const invalid = (message: string): never => {
      throw Object.assign(new TypeError(message), { code: "ERR_INVALID_ARG_VALUE" });
    };
    if (families[0] === 0) invalid("Invalid IP address.");
    if (second === undefined) return;
    if (families[1] === 0) invalid("Invalid IP address.");
    if (families[0] === families[1]) invalid(`Cannot specify two IPv${families[0]} addresses.`);
  }

  cancel(): void {
    for (const end of this.#pending) {
      this.#pending.delete(end);
      later(() => end("ECANCELLED"));
    }
  }

  ask(type: string, req: LookupRequest, name: string): number {
    const frame = currentFrame();
    beginRequest("QUERYWRAP", req);
    let giveUp: (() => void) | undefined;
    let over = false;
    const finish = (run: () => void): void => {
      if (over) return;
      over = true;
      this.#pending.delete(end);
      deliver(frame, req, run);
    };
    const end = (code: string): void => {
      finish(() => req.oncomplete?.(code));
      giveUp?.();
    };
    const refused = (words: string): void =>
      refuse(req, denialError(words, String(req.bindingName), { hostname: name }));
    this.#pending.add(end);
    if (this.#own) {
      const question = {
        type,
        name,
        servers: this.#servers,
        timeoutMs: this.#timeoutMs,
        mostTimeoutMs: this.#mostTimeoutMs,
        tries: this.#tries,
      };
      giveUp = askServers(question, (code, records, words) =>
        finish(() => {
          if (words !== "") refused(words);
          else completeOwn(req, type, code, records);
        }),
      );
      return 0;
    }
    kernel.callAsync("dnsQuery", { type, name }, (result, words) =>
      finish(() => {
        if (words !== "") refused(words);
        else completeResolved(req, type, result);
      }),
    );
    return 0;
  }
}

for (const [method, type] of Object.entries(queries)) {
  Object.defineProperty(ChannelWrap.prototype, method, {
    value(this: ChannelWrap, req: LookupRequest, name: string) {
      return this.ask(type, req, name);
    },
    writable: true,
    configurable: true,
  });
}

export function installCares(env: GuestEnvironment): void {
  const binding = env.internalBinding("cares_wrap");
  ({ kernel } = env);
  askServers = createDnsClient(env);
  ({ isIP } = env.requireBuiltin("internal/net"));
  orders = { ipv4First: binding.DNS_ORDER_IPV4_FIRST, ipv6First: binding.DNS_ORDER_IPV6_FIRST };
  Object.assign(binding, { getaddrinfo, getnameinfo, ChannelWrap });
}
