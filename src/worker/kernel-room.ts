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

/** What concerns one kernel. */
interface Room {
  /** By the number of the machine, which only its own kernel knows. */
  readonly owners: Map<number, MachineOwner>;
  /** A kernel with machines is listened for all the time: to begin and end that with each call costs more. */
  release: (() => void) | undefined;
}

/** Who made a machine. */
export interface MachineOwner {
  happened(event: KernelEvent): void;
  /** The kernel is lost, and the machine with it. */
  lost(error: SecureExecError): void;
}

export class KernelRoom {
  #opening: Promise<KernelConnection> | undefined;
  #current: KernelConnection | undefined;
  readonly #rooms = new WeakMap<KernelConnection, Room>();

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
    this.#rooms.set(connection, { owners, release: undefined });
    this.#current = connection;
    return connection;
  }

  /** Routes what concerns `vm` of `connection` to `owner` until `disown`. */
  own(connection: KernelConnection, vm: number, owner: MachineOwner): void {
    const room = this.#rooms.get(connection)!;
    room.owners.set(vm, owner);
    room.release ??= connection.hold();
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
    const room = this.#rooms.get(connection)!;
    room.owners.delete(vm);
    connection.detachMachine(vm);
    if (room.owners.size > 0) return;
    room.release?.();
    room.release = undefined;
  }

  async close(reason: SecureExecError): Promise<void> {
    const connection = (await this.#opening?.catch(() => undefined)) ?? this.#current;
    await connection?.close(reason);
  }
}
