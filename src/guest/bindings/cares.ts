/**
 * Replaces name resolution of internalBinding("cares_wrap"): getaddrinfo,
 * getnameinfo and the queries of `ChannelWrap` ask the kernel. Name servers that
 * a program sets are kept and shown, and not asked: there is one resolver.
 */
import { Errno } from "../../abi/errno.js";
import { createDelivery } from "../delivery.js";
import type { GuestEnvironment } from "../environment.js";
import { denialError } from "./socket-handle.js";

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

export function installCares(env: GuestEnvironment): void {
  const { kernel } = env;
  const binding = env.internalBinding("cares_wrap");
  const { DNS_ORDER_IPV4_FIRST, DNS_ORDER_IPV6_FIRST, AI_V4MAPPED } = binding;
  const frames = env.requireBuiltin("internal/async_context_frame");
  const { newAsyncId } = env.requireBuiltin("internal/async_hooks");
  const { setImmediate } = env.requireBuiltin("timers") as { setImmediate(run: () => void): void };
  const deliver = createDelivery(env);

  /** Hands an error of our own to whoever waits for `req`. */
  const refuse = (req: any, error: Error): void => {
    if (typeof req.reject === "function") req.reject(error);
    else if (typeof req.callback === "function") req.callback(error);
    else req.oncomplete?.(-Errno.EACCES);
  };

  binding.getaddrinfo = function getaddrinfo(
    req: any,
    hostname: string,
    family: number,
    flags: number,
    order: number,
  ): number {
    const frame = frames.current();
    kernel.callAsync("resolve", { hostname, family }, (result) => {
      deliver(frame, req, () => {
        if (typeof result === "number") return req.oncomplete?.(result);
        if (result.denied !== "")
          return refuse(req, denialError(result.denied, "getaddrinfo", { hostname }));
        req.oncomplete?.(0, sorted(result.addresses, order));
      });
    });
    void (flags & AI_V4MAPPED);
    return 0;
  };

  const sorted = (addresses: string[], order: number): string[] => {
    const first = order === DNS_ORDER_IPV4_FIRST ? 4 : order === DNS_ORDER_IPV6_FIRST ? 6 : 0;
    if (first === 0) return addresses;
    const isFirst = (address: string): boolean => address.includes(":") === (first === 6);
    return [...addresses.filter(isFirst), ...addresses.filter((address) => !isFirst(address))];
  };

  binding.getnameinfo = function getnameinfo(req: any, address: string, port: number): number {
    const frame = frames.current();
    kernel.callAsync("nameOf", { address, port }, (result) => {
      deliver(frame, req, () => {
        if (typeof result === "number") return req.oncomplete?.(result);
        if (result.denied !== "") return refuse(req, denialError(result.denied, "getnameinfo"));
        req.oncomplete?.(null, result.hostname, result.service);
      });
    });
    return 0;
  };

  class ChannelWrap {
    [name: string]: any;
    #servers: [string, number][] = [["127.0.0.1", 53]];
    readonly #pending = new Set<{ req: any; frame: unknown }>();
    readonly #asyncId: number = newAsyncId();

    getAsyncId(): number {
      return this.#asyncId;
    }

    getServers(): [string, number][] {
      return this.#servers.map(([address, port]) => [address, port]);
    }

    setServers(servers: readonly [number, string, number][]): number {
      this.#servers = servers.map(([, address, port]) => [address, port]);
      return 0;
    }

    setLocalAddress(): void {}

    cancel(): void {
      for (const entry of this.#pending) {
        this.#pending.delete(entry);
        setImmediate(() =>
          deliver(entry.frame, entry.req, () => entry.req.oncomplete?.("ECANCELLED")),
        );
      }
    }

    ask(type: string, req: any, name: string): number {
      const frame = frames.current();
      const entry = { req, frame };
      this.#pending.add(entry);
      kernel.callAsync("dnsQuery", { type, name }, (result) => {
        if (!this.#pending.delete(entry)) return;
        deliver(frame, req, () => {
          if (typeof result === "number") return req.oncomplete?.("ESERVFAIL");
          if (result.denied !== "")
            return refuse(
              req,
              denialError(result.denied, String(req.bindingName), { hostname: name }),
            );
          if (result.error !== "") return req.oncomplete?.(result.error);
          const records = JSON.parse(result.json) as any[];
          if (type !== "A" && type !== "AAAA") return req.oncomplete?.(null, records);
          req.oncomplete?.(
            null,
            records.map(({ address }) => address),
            records.map(({ ttl }) => ttl),
          );
        });
      });
      return 0;
    }
  }
  for (const [method, type] of Object.entries(queries)) {
    Object.defineProperty(ChannelWrap.prototype, method, {
      value(this: ChannelWrap, req: any, name: string) {
        return this.ask(type, req, name);
      },
      writable: true,
      configurable: true,
    });
  }
  binding.ChannelWrap = ChannelWrap;
}
