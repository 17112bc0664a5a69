/**
 * Owns what a conversation with a kernel needs of the way there: a child process of this host, or a
 * worker of a fleet. Frames go in and out as bytes; a link ends once, and says how.
 */
import type { NodeBuffer } from "../protocol/node-types.js";
import type { SecureExecError } from "./errors.js";

export interface KernelEnd {
  exitCode: number | null;
  signal: string | null;
  /** Set when there never was a process. */
  spawnError?: Error;
  /** The last 8 KiB of what it wrote to stderr. */
  stderr: string;
  /** What the end means to whoever used the link, where that knows better. */
  error?: SecureExecError;
}

export interface KernelLink {
  /** Whether machines that have nothing to do with each other use it; otherwise it ends with its last one. */
  readonly shared: boolean;
  /** Resolves once, never rejects. */
  readonly ended: Promise<KernelEnd>;
  /** Told whether anybody waits for the kernel. */
  onHeld: (held: boolean) => void;
  /** Hears all that comes, and that nothing more will. */
  listen(data: (chunk: NodeBuffer) => void, closed: () => void): void;
  write(frame: NodeBuffer): void;
  /** Keeps the host's event loop alive until the matching `release`. */
  hold(): void;
  release(): void;
  /** How long the other end has waited for a processor, in milliseconds; 0 where that is not known. */
  waitedMs(): number;
  /** Lets it end in order. */
  close(): void;
  kill(): void;
}
