/**
 * Owns a command's result as a model reads it: the lines that the package's own sandboxes write, and output
 * cut to a number of tokens of about four bytes.
 * Untrusted: output, which is passed on as it is.
 */
import { randomUUID } from "node:crypto";

const bytesPerToken = 4;

const tokensOf = (bytes: number): number => Math.ceil(Math.max(0, bytes) / bytesPerToken);

/** Begin and end of an output that is too long, and how much there was of it. */
export function truncated(
  output: string,
  maxTokens?: number,
): { text: string; originalTokenCount?: number } {
  const bytes = Buffer.from(output);
  const mostBytes = Math.max(0, maxTokens ?? Infinity) * bytesPerToken;
  if (bytes.byteLength <= mostBytes) return { text: output };
  const originalTokenCount = tokensOf(bytes.byteLength);
  const marker = `...${originalTokenCount} tokens truncated...`;
  const head = `Total output lines: ${output.split(/\r\n|\r|\n/).length}\n\n`;
  const frame = head.length + marker.length <= mostBytes ? head : "";
  const room = mostBytes - frame.length - marker.length;
  if (room <= 0) return { text: (frame + marker).slice(0, mostBytes), originalTokenCount };
  // A character that is cut in two is left out.
  const part = (from: number, to: number): string =>
    bytes.toString("utf8", from, to).replace(/^\ufffd+|\ufffd+$/g, "");
  const first = part(0, Math.floor(room / 2));
  const last = part(bytes.byteLength - Math.ceil(room / 2), bytes.byteLength);
  const left = tokensOf(bytes.byteLength - Buffer.byteLength(first) - Buffer.byteLength(last));
  return { text: `${frame}${first}...${left} tokens truncated...${last}`, originalTokenCount };
}

export function execText(result: {
  output: string;
  wallTimeSeconds: number;
  exitCode?: number | undefined;
  sessionId?: number | undefined;
  originalTokenCount?: number | undefined;
}): string {
  const { output, wallTimeSeconds, exitCode, sessionId, originalTokenCount } = result;
  return [
    `Chunk ID: ${randomUUID().slice(0, 6)}`,
    `Wall time: ${wallTimeSeconds.toFixed(4)} seconds`,
    ...(sessionId === undefined ? [] : [`Process running with session ID ${sessionId}`]),
    ...(exitCode === undefined ? [] : [`Process exited with code ${exitCode}`]),
    ...(originalTokenCount === undefined ? [] : [`Original token count: ${originalTokenCount}`]),
    "Output:",
    output,
  ].join("\n");
}
