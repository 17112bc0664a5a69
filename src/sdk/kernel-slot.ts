/**
 * Owns one place for a kernel: its process is started when first needed and again after it was lost.
 * Untrusted: nothing.
 */
import { failure } from "./errors.js";
import { KernelConnection, defaultHeartbeatTimeoutMs } from "./kernel-connection.js";

export class KernelSlot {
  readonly #heartbeatTimeoutMs: number;
  #opening: Promise<KernelConnection> | undefined;
  #current: KernelConnection | undefined;

  constructor(heartbeatTimeoutMs: number = defaultHeartbeatTimeoutMs) {
    this.#heartbeatTimeoutMs = heartbeatTimeoutMs;
  }

  /** The living connection, or a new one. */
  connection(): Promise<KernelConnection> {
    if (this.#opening) return this.#opening;
    if (this.#current?.alive) return Promise.resolve(this.#current);
    const opening = KernelConnection.open({ heartbeatTimeoutMs: this.#heartbeatTimeoutMs }).then(
      (connection) => {
        this.#current = connection;
        return connection;
      },
    );
    this.#opening = opening;
    const forget = (): void => {
      this.#opening = undefined;
    };
    opening.then(forget, forget);
    return opening;
  }

  /** It answers: whoever asks for the connection does not wait. */
  get runs(): boolean {
    return this.#opening === undefined && this.#current?.alive === true;
  }

  /** The living connection, if there is one. */
  get current(): KernelConnection | undefined {
    return this.#current?.alive === true ? this.#current : undefined;
  }

  /** Machines on the kernel that runs now. */
  get machines(): number {
    return this.#current?.alive === true ? this.#current.machines : 0;
  }

  async close(): Promise<void> {
    const connection = (await this.#opening?.catch(() => undefined)) ?? this.#current;
    await connection?.close(failure("DISPOSED", { what: "sidecar" }));
  }
}
