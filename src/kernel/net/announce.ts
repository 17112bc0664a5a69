/**
 * Owns telling the host who listens in a VM, and opening the host's ports that
 * lead there.
 *
 * Invariant: a listener on an exempt port is announced once the host's port is
 * open, or with the reason why it is not; each announcement is taken back once.
 */
import type { ListenerInfo } from "../../protocol/host-calls.js";
import type { Listener, ListenerSink, Network } from "./network.js";
import { PublishedPorts } from "./published.js";

export interface HostEar {
  listenerAdded(info: ListenerInfo): void;
  listenerRemoved(id: number): void;
}

export class Announcer implements ListenerSink {
  readonly #network: Network;
  readonly #ear: HostEar;
  readonly #published: PublishedPorts;
  readonly #listening = new Map<number, Listener>();
  readonly #announced = new Set<number>();

  constructor(network: Network, ear: HostEar) {
    this.#network = network;
    this.#ear = ear;
    this.#published = new PublishedPorts(network);
  }

  #isPublic({ path, port }: Listener): boolean {
    return path === "" && this.#network.exemptPorts.has(port);
  }

  added(listener: Listener): void {
    this.#listening.set(listener.id, listener);
    const announce = (publishError: string): void => {
      if (!this.#listening.has(listener.id)) return;
      this.#announced.add(listener.id);
      this.#ear.listenerAdded({ ...listener, publishError });
    };
    if (this.#isPublic(listener)) this.#published.open(listener.port, announce);
    else announce("");
  }

  removed(id: number): void {
    const listener = this.#listening.get(id);
    if (listener === undefined) return;
    this.#listening.delete(id);
    if (this.#isPublic(listener)) {
      const others = [...this.#listening.values()];
      const needed = others.some((other) => this.#isPublic(other) && other.port === listener.port);
      if (!needed) this.#published.close(listener.port);
    }
    if (this.#announced.delete(id)) this.#ear.listenerRemoved(id);
  }

  close(): void {
    this.#published.closeAll();
  }
}
