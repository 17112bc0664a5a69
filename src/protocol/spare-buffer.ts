/**
 * Owns one large and one small buffer that nobody uses at the moment. Messages come one after the
 * other; with a new buffer for each, most of their time would go into pages that the OS hands out
 * and takes back, and a flood of them would leave more garbage than the heap shows its collector.
 *
 * Invariant: whoever took the buffer has it alone until giving it back. A large one is given back by moving its
 * memory: whatever view somebody still has is empty from then on, and never shows the next message.
 */
export const spareBytes = 64 * 1024;
const maxBytes = 1024 * 1024;

/** Holds most messages without content, and those of sockets that carry little. */
export const smallBytes = 1024;

let spare: Buffer | undefined;
let small: Buffer | undefined;
/** The one that was taken last: given back, it need not be made again of its memory. */
let taken: Buffer | undefined;

/** `smallBytes` long; otherwise as `takeBuffer`. */
export function takeSmallBuffer(): Buffer {
  taken = small ?? Buffer.allocUnsafeSlow(smallBytes);
  small = undefined;
  return taken;
}

/** At least `bytes` long; what it holds is left over from earlier messages of this process. */
export function takeBuffer(bytes: number): Buffer {
  if (spare !== undefined && spare.length >= bytes) {
    const large = spare;
    spare = undefined;
    return large;
  }
  const rounds = bytes >= spareBytes && bytes <= maxBytes;
  return Buffer.allocUnsafeSlow(rounds ? 2 ** Math.ceil(Math.log2(bytes)) : bytes);
}

/** `buffer`, or a view of its start, is used no more, and neither is any other view of its memory. */
export function giveBuffer(buffer: Buffer): void {
  const { buffer: memory, byteOffset } = buffer;
  const size = memory.byteLength;
  if (byteOffset !== 0) return;
  if (size === smallBytes)
    small ??= taken?.buffer === memory ? taken : Buffer.from(memory as ArrayBuffer);
  if (size < spareBytes) return;
  if (size <= maxBytes && (spare === undefined || spare.length < size))
    spare = Buffer.from(move(memory) ?? (memory as ArrayBuffer));
  // At once: several frames of many megabytes would wait for the collector.
  else move(memory, 0);
}

/** The same memory as another object, whose former views are empty; `undefined` on engines of hosts that cannot. */
export function move(
  memory: ArrayBufferLike & { transfer?: (bytes?: number) => ArrayBuffer },
  bytes?: number,
): ArrayBuffer | undefined {
  return memory.transfer?.(bytes);
}
