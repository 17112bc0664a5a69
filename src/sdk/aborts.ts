/**
 * Owns listening to a caller's `AbortSignal` for as long as a call lasts. Untrusted: nothing.
 */

/** Calls `listener` when `signal` is aborted; answers how to listen no more. */
export function listenOnce(signal: AbortSignal | undefined, listener: () => void): () => void {
  signal?.addEventListener("abort", listener, { once: true });
  return () => signal?.removeEventListener("abort", listener);
}
