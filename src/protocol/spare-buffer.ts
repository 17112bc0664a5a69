/**
 * Owns one large buffer that nobody uses at the moment. Messages of many kilobytes
 * come one after the other; with a new buffer for each, most of their time would go
 * into pages that the OS hands out and takes back.
 *
 * Invariant: whoever took the buffer has it alone until giving it back.
 */
const minBytes = 64 * 1024;
const maxBytes = 1024 * 1024;

let spare: Buffer | undefined;

/** At least `bytes` long; what it holds is left over from earlier messages of this process. */
export function takeBuffer(bytes: number): Buffer {
  if (spare !== undefined && spare.length >= bytes) {
    const taken = spare;
    spare = undefined;
    return taken;
  }
  return Buffer.allocUnsafeSlow(bytes < minBytes ? bytes : 2 ** Math.ceil(Math.log2(bytes)));
}

/** `buffer`, or a view of its start, is used no more. */
export function giveBuffer(buffer: Buffer): void {
  const { buffer: memory, byteOffset } = buffer;
  const size = memory.byteLength;
  if (byteOffset !== 0 || size < minBytes || size > maxBytes) return;
  if (spare === undefined || spare.length < size) spare = Buffer.from(memory as ArrayBuffer);
}
