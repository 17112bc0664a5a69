/**
 * Owns the git library (isomorphic-git, put beside the commands by the build) and the transport it is given: Node's
 * own http and https, so that the network policy judges a clone as it judges any request.
 */
import * as http from "node:http";
import * as https from "node:https";
import type * as Library from "../../vendor/isomorphic-git.js";

export type Git = typeof Library;

const redirectsMax = 5;

let loaded: Git | undefined;

/** Compiled with the first subcommand that needs it. */
export function library(): Git {
  return (loaded ??= require("../../vendor/isomorphic-git.js") as Git);
}

async function collected(body: AsyncIterable<Uint8Array> | undefined): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  if (body !== undefined) for await (const part of body) parts.push(part);
  return Buffer.concat(parts);
}

async function* chunks(answer: http.IncomingMessage): AsyncGenerator<Uint8Array> {
  yield* answer as AsyncIterable<Uint8Array>;
}

function ask(
  url: string,
  method: string,
  headers: Record<string, string>,
  body: Buffer,
): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    const { request } = url.startsWith("https:") ? https : http;
    const sent = request(url, { method, headers }, resolve);
    sent.on("error", reject);
    sent.end(body);
  });
}

export const transport: Library.HttpClient = {
  async request({ url, method = "GET", headers = {}, body }) {
    const data = await collected(body);
    const sent = { ...headers };
    let target = url;
    for (let hop = 0; ; hop++) {
      const answer = await ask(target, method, sent, data);
      const { location } = answer.headers;
      const status = answer.statusCode ?? 0;
      if (location === undefined || status < 300 || status > 399 || hop === redirectsMax) {
        return {
          url: target,
          method,
          headers: answer.headers as Record<string, string>,
          body: chunks(answer),
          statusCode: status,
          statusMessage: answer.statusMessage ?? "",
        };
      }
      answer.resume();
      const next = new URL(location, target);
      // What was said to one host, a token among it, is not repeated to another.
      if (next.host !== new URL(target).host) delete sent["Authorization"];
      target = next.href;
    }
  },
};
