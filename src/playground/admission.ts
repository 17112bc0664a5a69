/**
 * Owns who may talk to the playground: whoever knows the token of its address, from a page that the playground served.
 *
 * Invariants: a request is refused unless its Host is the playground's own address, so that no name which
 * somebody else resolves to loopback reaches it; unless its Origin, where it has one, is that same address;
 * and unless the first part of its path is the token. No answer allows another origin anything. The token is in the
 * path and in no cookie: cookies of a host are seen by all its ports.
 * Untrusted: every header and path.
 */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";

const tokenBytes = 24;
const defaultHttpPort = 80;
const names = ["127.0.0.1", "localhost"];

const digest = (text: string): Buffer => createHash("sha256").update(text).digest();

export interface Asked {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
}

/** The path below the token, or the status and reason of a refusal. */
export type Admission =
  | { readonly path: string }
  | { readonly status: number; readonly why: string };

export class Doorkeeper {
  readonly token = randomBytes(tokenBytes).toString("base64url");
  readonly #digest = digest(this.token);
  readonly #hosts: ReadonlySet<string>;

  constructor(port: number) {
    const suffixes = port === defaultHttpPort ? ["", `:${port}`] : [`:${port}`];
    this.#hosts = new Set(names.flatMap((name) => suffixes.map((suffix) => name + suffix)));
  }

  admit({ method, url, headers }: Asked): Admission {
    const { host = "", origin } = headers;
    if (!this.#hosts.has(host))
      return { status: 421, why: "this is not the name of the playground" };
    if (origin !== undefined && origin !== `http://${host}`)
      return { status: 403, why: "another origin may not ask" };
    if (!isFromPage(method, headers)) return { status: 403, why: "another site may not ask" };
    const [, token = "", path] = /^\/([^/?]*)\/([^?]*)(?:\?|$)/.exec(url) ?? [];
    if (path === undefined || !timingSafeEqual(digest(token), this.#digest))
      return { status: 404, why: "the address is the one that the command printed" };
    if (method === "POST" && headers["content-type"] !== "application/json")
      return { status: 415, why: "a request is JSON" };
    return { path };
  }
}

/**
 * What a browser says of where a request comes from (Fetch Metadata): the page itself, or somebody who typed or followed
 * the address. A program that is no browser says nothing.
 */
function isFromPage(method: string, headers: IncomingHttpHeaders): boolean {
  const { "sec-fetch-site": site, "sec-fetch-mode": mode, "sec-fetch-dest": dest } = headers;
  if (site === undefined || site === "same-origin") return true;
  const opened = method === "GET" && mode === "navigate" && dest === "document";
  return opened;
}
