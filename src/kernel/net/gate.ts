/**
 * What a network needs of the border of its machine: which connections go through it, and how.
 */
import type { Joined } from "./outside.js";
import type { StreamSocket } from "./stream-socket.js";

export interface Gate {
  /** Whether connections to one of `names` at `port` go through it. */
  guards(names: readonly string[], port: number): boolean;
  /**
   * Joins `socket` with the border; answers the end that is joined with the server, or -errno. `names` are all
   * under which the server's address is known, and the address.
   */
  join(socket: StreamSocket, names: readonly string[], port: number): Joined | number;
}
