/**
 * Owns one place for a kernel: its process is started when first needed and again after it was lost.
 * Untrusted: nothing.
 */
import { failure } from "./errors.js";
import { KernelConnection, defaultHeartbeatTimeoutMs } from "./kernel-connection.js";

export class KernelSlot {
  readonly #heartbeatTimeoutMs: number;
  #current: KernelConnection | undefined;

  constructor(heartbeatTimeoutMs: number = defaultHeartbeatTimeoutMs) {
    this.#heartbeatTimeoutMs = heartbeatTimeoutMs;
  }

  /** The living connection, or a new one, whose kernel may be starting still. Throws the engine's errors. */
  begun(): KernelConnection {
    if (this.#current?.alive !== true)
      this.#current = KernelConnection.begin({ heartbeatTimeoutMs: this.#heartbeatTimeoutMs });
    return this.#current;
  }

  /** The same once it is open. */
  async connection(): Promise<KernelConnection> {
    const connection = this.begun();
    await connection.opened;
    return connection;
  }

  /** It answers: whoever asks for the connection does not wait. */
  get runs(): boolean {
    return this.#current?.isOpen === true;
  }

  /** The living connection, if there is one. */
  get current(): KernelConnection | undefined {
    return this.#current?.isOpen === true ? this.#current : undefined;
  }

  /** Machines on the kernel that runs now. */
  get machines(): number {
    return this.current?.machines ?? 0;
  }

  async close(): Promise<void> {
    await this.#current?.opened.catch(() => undefined);
    await this.#current?.close(failure("DISPOSED", { what: "sidecar" }));
  }
}
