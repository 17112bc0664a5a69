/** Owns the text of /proc/net/{tcp,tcp6,udp,udp6}, as net/ipv4/tcp_ipv4.c and its like print it. */
import { bytesOf, parseAddress } from "./address.js";
import type { Endpoint } from "./stream-socket.js";

/** include/net/tcp_states.h */
export const TcpState = Object.freeze({
  established: 1,
  synSent: 2,
  close: 7,
  listen: 10,
} as const);

export interface SocketRow {
  readonly local: Endpoint;
  readonly peer: Endpoint;
  readonly state: number;
  /** Bytes that nobody has read yet. */
  readonly unreadBytes: number;
}

const heads = {
  tcp: "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode                                                     ",
  tcp6: "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode",
  udp: "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops            ",
  udp6: "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops",
} as const;

const hex = (value: number, digits: number): string =>
  value.toString(16).toUpperCase().padStart(digits, "0");

/** The address in words of four bytes, each as a little-endian machine prints it. */
function place({ address, port }: Endpoint, family: 4 | 6): string {
  const size = family === 4 ? 4 : 16;
  const bytes =
    address === ""
      ? Array.from({ length: size }, () => 0)
      : family === 4
        ? address.split(".").map(Number)
        : bytesOf(address);
  let text = "";
  for (let at = 0; at < size; at += 4)
    for (let byte = 3; byte >= 0; byte--) text += hex(bytes[at + byte]!, 2);
  return `${text}:${hex(port, 4)}`;
}

type SocketTableName = keyof typeof heads;

export function socketTable(name: SocketTableName, rows: Iterable<SocketRow>, uid: number): string {
  const family = name.endsWith("6") ? 6 : 4;
  const lines: string[] = [heads[name]];
  let number = 0;
  for (const { local, peer, state, unreadBytes } of rows) {
    if (parseAddress(local.address)?.family !== family) continue;
    const queues = `${hex(0, 8)}:${hex(unreadBytes, 8)}`;
    const places = `${place(local, family)} ${place(peer, family)}`;
    const row = `${String(number++).padStart(4)}: ${places} ${hex(state, 2)} ${queues} 00:00000000 00000000 ${String(uid).padStart(5)}        0 0 1 0000000000000000`;
    lines.push(name.startsWith("udp") ? `${row} 0` : `${row} 100 0 0 10 0`);
  }
  return `${lines.join("\n")}\n`;
}
