/**
 * Network calls of a guest: decode → call → encode. What may be connected to,
 * looked up or listened on, the network says in plans. Untrusted: every field of `args`.
 */
import { Errno } from "../../abi/errno.js";
import { SocketType, maxDatagramBytes } from "../../protocol/net-calls.js";
import type { netCalls } from "../../protocol/net-calls.js";
import { mapAnswer } from "../io/deferred.js";
import { Plan, mapOutcome } from "../io/plan.js";
import type { Outcome } from "../io/plan.js";
import { Last } from "../fs/index.js";
import { StreamSocket } from "../net/stream-socket.js";
import { UdpSocket } from "../net/udp-socket.js";
import type { Process } from "../process/process.js";
import type { Handlers } from "./dispatch.js";

const servicesByPort = new Map([
  [21, "ftp"],
  [22, "ssh"],
  [25, "smtp"],
  [53, "domain"],
  [80, "http"],
  [110, "pop3"],
  [143, "imap2"],
  [443, "https"],
]);

function streamSocket(process: Process, fd: number): StreamSocket | number {
  const description = process.descriptors.get(fd);
  if (description === undefined) return -Errno.EBADF;
  return description instanceof StreamSocket ? description : -Errno.ENOTSOCK;
}

function anySocket(process: Process, fd: number): StreamSocket | UdpSocket | number {
  const description = process.descriptors.get(fd);
  if (description === undefined) return -Errno.EBADF;
  if (description instanceof StreamSocket || description instanceof UdpSocket) return description;
  return -Errno.ENOTSOCK;
}

/** A Unix socket's file is made by binding and written to by connecting; the fs scope says who may. */
function withFile<R>(path: string, last: Last, work: () => Outcome<R>): Outcome<R> {
  if (path === "" || path.includes("\0")) return path.startsWith("\0") ? work() : -Errno.EINVAL;
  return new Plan<R>([], work, { demands: [{ operation: "write", on: { path, last } }] });
}

function namesOf(socket: StreamSocket | UdpSocket): {
  localAddress: string;
  localPort: number;
  peerAddress: string;
  peerPort: number;
} {
  return {
    localAddress: socket.local.address,
    localPort: socket.local.port,
    peerAddress: socket.peer.address,
    peerPort: socket.peer.port,
  };
}

/** Whether a process still wants connections of a socket that it has waited for. */
const waits = new WeakMap<Process, WeakMap<StreamSocket, { over: boolean }>>();

function waitOf(process: Process, socket: StreamSocket): { over: boolean } {
  let sockets = waits.get(process);
  if (sockets === undefined) waits.set(process, (sockets = new WeakMap()));
  let wait = sockets.get(socket);
  if (wait === undefined) sockets.set(socket, (wait = { over: false }));
  return wait;
}

export const netHandlers: Pick<Handlers, keyof typeof netCalls> = {
  socket(process, { type }) {
    const { network } = process.vm;
    const socket =
      type === SocketType.tcp
        ? network.streamSocket("tcp")
        : type === SocketType.unix
          ? network.streamSocket("unix")
          : type === SocketType.udp
            ? network.udpSocket()
            : -Errno.EAFNOSUPPORT;
    if (typeof socket === "number") return socket;
    const fd = process.descriptors.add(socket);
    return fd < 0 ? fd : { fd };
  },

  bind(process, { fd, address, port, flags }) {
    const { network } = process.vm;
    const socket = anySocket(process, fd);
    if (typeof socket === "number") return socket;
    if (socket instanceof UdpSocket) return network.bindUdp(socket, address, port, flags);
    const bound = (result: number) => (result < 0 ? result : {});
    if (socket.domain === "tcp") return bound(network.bindTcp(socket, address, port, flags));
    return withFile(address, Last.Entry, () =>
      bound(network.bindUnix(socket, process.credentials, address)),
    );
  },

  listen(process, { fd, backlog }) {
    const socket = streamSocket(process, fd);
    if (typeof socket === "number") return socket;
    return process.vm.network.listen(socket, process.pid, backlog);
  },

  accept(process, { fd }) {
    const socket = streamSocket(process, fd);
    if (typeof socket === "number") return socket;
    // Others may hold the socket too: who has closed it takes no connection from them.
    const wait = waitOf(process, socket);
    const holds = (): boolean => !wait.over && process.descriptors.get(fd) === socket;
    // The connection that cannot get a descriptor is lost to the one who tried.
    return mapAnswer(socket.accept(holds), (accepted) => {
      const names = namesOf(accepted);
      const number = process.descriptors.add(accepted);
      return number < 0 ? number : { fd: number, ...names };
    });
  },

  stopAccepting(process, { fd }) {
    const socket = streamSocket(process, fd);
    if (typeof socket === "number") return socket;
    const wait = waitOf(process, socket);
    wait.over = true;
    waits.get(process)?.delete(socket);
    socket.recheckWaits();
    return {};
  },

  connect(process, { fd, address, port }) {
    const { network } = process.vm;
    const socket = anySocket(process, fd);
    if (typeof socket === "number") return socket;
    if (socket instanceof UdpSocket) {
      const result = network.connectUdp(socket, address, port);
      return result < 0 ? result : namesOf(socket);
    }
    socket.openedBy = { pid: process.pid, argv0: process.argv[0] ?? "" };
    const connect =
      socket.domain === "tcp"
        ? network.connectTcp(socket, address, port)
        : withFile(address, Last.Follow, () =>
            network.connectUnix(socket, process.credentials, address),
          );
    return mapOutcome(connect, () => namesOf(socket));
  },

  socketNames(process, { fd }) {
    const socket = anySocket(process, fd);
    return typeof socket === "number" ? socket : namesOf(socket);
  },

  resolve(process, { hostname, family }) {
    if (family !== 0 && family !== 4 && family !== 6) return -Errno.EINVAL;
    return process.vm.network.resolve(hostname, family, process.policy.deniesNames);
  },

  nameOf(process, { address, port }) {
    const service = servicesByPort.get(port) ?? String(port);
    const found = process.vm.network.query("REVERSE", address, process.policy.deniesNames);
    return mapOutcome(found, ({ error, json }) => {
      const names = error === "" && json !== "" ? (JSON.parse(json) as string[]) : [];
      return { hostname: names[0] ?? "", service };
    });
  },

  dnsQuery(process, { type, name }) {
    return process.vm.network.query(type, name, process.policy.deniesNames);
  },

  sendTo(process, { fd, address, port, data }) {
    const socket = anySocket(process, fd);
    if (typeof socket === "number") return socket;
    if (!(socket instanceof UdpSocket)) return -Errno.EOPNOTSUPP;
    const sent = data.byteLength;
    if (sent > maxDatagramBytes) return -Errno.EMSGSIZE;
    return mapOutcome(process.vm.network.send(socket, address, port, data), () => ({ sent }));
  },

  membership(process, { fd, group, source, via, joins }) {
    const socket = anySocket(process, fd);
    if (typeof socket === "number") return socket;
    if (!(socket instanceof UdpSocket)) return -Errno.ENOPROTOOPT;
    const result = process.vm.network.membership(socket, group, source, via, joins);
    return result < 0 ? result : {};
  },

  receiveFrom(process, { fd }) {
    const socket = anySocket(process, fd);
    if (typeof socket === "number") return socket;
    if (!(socket instanceof UdpSocket)) return -Errno.EOPNOTSUPP;
    return mapAnswer(socket.receive(), ({ from, data }) => ({
      address: from.address,
      port: from.port,
      data,
    }));
  },
};
