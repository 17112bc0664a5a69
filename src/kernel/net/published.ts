/**
 * Owns the ports of the host's loopback that lead to a guest's listeners: those
 * the host named as exempt, while a guest listens on them.
 *
 * Invariant: a host port is held exactly as long as somebody in the VM listens.
 */
import { createServer } from "node:net";
import type { Server } from "node:net";
import type { Network } from "./network.js";
import { SocketDuplex, bridge } from "./socket-duplex.js";

export class PublishedPorts {
  readonly #network: Network;
  readonly #servers = new Map<number, Server>();

  constructor(network: Network) {
    this.#network = network;
  }

  /** `done` gets an errno's name when the host's port could not be had. */
  open(port: number, done: (error: string) => void): void {
    if (this.#servers.has(port)) return done("");
    const server = createServer({ allowHalfOpen: true }, (outer) => {
      const socket = this.#network.connectFromHost(port);
      if (typeof socket === "number") {
        outer.resetAndDestroy();
        return;
      }
      bridge(new SocketDuplex(socket), outer);
    });
    this.#servers.set(port, server);
    server.once("error", (error: NodeJS.ErrnoException) => {
      this.#servers.delete(port);
      done(error.code ?? "EIO");
    });
    server.listen(port, "127.0.0.1", () => done(""));
  }

  close(port: number): void {
    this.#servers.get(port)?.close();
    this.#servers.delete(port);
  }

  closeAll(): void {
    for (const port of this.#servers.keys()) this.close(port);
  }
}
