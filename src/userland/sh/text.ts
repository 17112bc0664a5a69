/**
 * Owns what the shell does with its text, which is that of src/abi/byte-text.ts: file names, variables and the
 * output of commands survive unchanged, whatever they hold. NUL bytes are kept here and dropped where the shell must
 * (command substitution).
 */
import { decodeText, encodeText } from "../../abi/byte-text.js";

export { decodeText, encodeText };

/** The text of bytes that escapes such as `\303\251` name one at a time. */
export function textOfBytes(bytes: readonly number[]): string {
  return decodeText(Uint8Array.from(bytes));
}

export function concatBytes(chunks: readonly Uint8Array[]): Uint8Array {
  if (chunks.length === 1) return chunks[0]!;
  const whole = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}
