/**
 * Owns the worker's kernel: one process for all sessions, started again after it was lost, and to
 * which session each of its machines belongs.
 *
 * Invariant: an event of a machine reaches the session that made it and no other.
 * Untrusted: nothing; what programs produce is bytes inside events.
 */
import { KernelConnection } from "../sdk/kernel-connection.js";
import type { KernelEvent } from "../sdk/kernel-connection.js";
import type { SecureExecError } from "../sdk/errors.js";

/** Who made a machine. */
export interface MachineOwner {
  happened(event: KernelEvent): void;
  /** The kernel is lost, and the machine with it. */
  lost(error: SecureExecError): void;
}

export class KernelRoom {
  #opening: Promise<KernelConnection> | undefined;
  #current: KernelConnection | undefined;
  /** By the number of the machine, which only its own kernel knows. */
  readonly #owners = new WeakMap<KernelConnection, Map<number, MachineOwner>>();

  /** The living kernel, or a new one. Rejects with the errors of starting it. */
  connection(): Promise<KernelConnection> {
    if (this.#current?.alive === true) return Promise.resolve(this.#current);
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  /** The one that lives, if any does. */
  get living(): KernelConnection[] {
    return this.#current?.alive === true ? [this.#current] : [];
  }

  async #open(): Promise<KernelConnection> {
    const owners = new Map<number, MachineOwner>();
    const connection = await KernelConnection.open({
      events: (event) => owners.get(event.args.vm)?.happened(event),
    });
    this.#owners.set(connection, owners);
    this.#current = connection;
    return connection;
  }

  /** Routes what concerns `vm` of `connection` to `owner` until `disown`. */
  own(connection: KernelConnection, vm: number, owner: MachineOwner): void {
    this.#owners.get(connection)!.set(vm, owner);
    connection.attachMachine(vm, {
      listenerAdded: () => undefined,
      listenerRemoved: () => undefined,
      limitWarning: () => undefined,
      draining: () => undefined,
      decided: () => undefined,
      lost: (error) => owner.lost(error),
    });
  }

  disown(connection: KernelConnection, vm: number): void {
    this.#owners.get(connection)!.delete(vm);
    connection.detachMachine(vm);
  }

  async close(reason: SecureExecError): Promise<void> {
    const connection = (await this.#opening?.catch(() => undefined)) ?? this.#current;
    await connection?.close(reason);
  }
}
