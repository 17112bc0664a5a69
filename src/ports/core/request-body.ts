/**
 * Owns reading what a client sends with a request, within a bound.
 *
 * Untrusted: every byte, and how many there are.
 */
import type http from "node:http";

/** The bytes of a body, or undefined for one of more than `limitBytes`. */
export async function bodyOf(
  request: http.IncomingMessage,
  limitBytes: number,
): Promise<Buffer | undefined> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request) {
    bytes += (part as Buffer).byteLength;
    if (bytes > limitBytes) return undefined;
    parts.push(part as Buffer);
  }
  return Buffer.concat(parts);
}
