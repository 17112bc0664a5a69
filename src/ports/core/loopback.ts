/**
 * Owns what keeps web pages away from a server on loopback: a request has to name a host that is this one, and no
 * origin that is another. And the comparison of secrets in a time that says nothing of them.
 * Untrusted: every header.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type http from "node:http";

const names = new Set(["127.0.0.1", "localhost", "[::1]", "::1"]);

export const isLoopback = (host: string): boolean => names.has(host);

/** The name in a Host header or an origin, without its port. */
const nameOf = (host: string): string => host.replace(/^https?:\/\//, "").replace(/:\d+$/, "");

/** Whether a request to a server at `host` may have come by another name than its own. */
export function isForeign({ headers }: http.IncomingMessage, host: string): boolean {
  const mayBe = (name: string): boolean =>
    isLoopback(name) || name === host || name.endsWith(".localhost");
  if (isLoopback(host) && !mayBe(nameOf(headers.host ?? ""))) return true;
  return headers.origin !== undefined && !mayBe(nameOf(headers.origin));
}

const digest = (text: string): Buffer => createHash("sha256").update(text).digest();

export const isSame = (given: string, secret: string): boolean =>
  timingSafeEqual(digest(given), digest(secret));
