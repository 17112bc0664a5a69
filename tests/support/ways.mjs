// Ways from a process of a fleet to its broker that tests can break: a passage whose bytes stand still or whose
// connections are cut and, where this machine allows, a network namespace of the process's own, whose link loses every
// packet while it is down. Namespaces are made only in one of the caller's own (`inOwnNetwork`), so that nothing of the
// host's network changes and nothing stays.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { connect, createServer } from "node:net";

const marker = "SECURE_EXEC_OWN_NETWORK";

/** Whether this process may give others a network namespace and a link to it. */
export const ownNetwork = process.env[marker] !== undefined;

const ip = (...args) => {
  const { status, stderr, error } = spawnSync("ip", args, { encoding: "utf8" });
  if (status !== 0) throw error ?? new Error(`ip ${args.join(" ")}: ${stderr}`);
};

/** Why there can be no namespaces here, or undefined. */
function impossible() {
  if (process.getuid?.() !== 0) return "only root makes network namespaces";
  const made = spawnSync(
    "unshare",
    [
      "--net",
      "--mount",
      "sh",
      "-c",
      "mount -t tmpfs none /run && ip netns add a && ip link add name h type veth peer name w netns a",
    ],
    { encoding: "utf8" },
  );
  return made.status === 0 ? undefined : String(made.error ?? made.stderr).trim();
}

/**
 * Runs the program that is running again in network and mount namespaces of its own, and ends as that does. Answers why
 * not where that cannot be, and undefined within.
 */
export async function inOwnNetwork() {
  if (ownNetwork) {
    ip("link", "set", "lo", "up");
    return undefined;
  }
  const why = impossible();
  if (why !== undefined) return why;
  const child = spawn(
    "unshare",
    [
      "--net",
      "--mount",
      "sh",
      "-c",
      // `ip netns` keeps its names in /run/netns.
      'mount -t tmpfs none /run && exec "$@"',
      "sh",
      process.execPath,
      ...process.execArgv,
      ...process.argv.slice(1),
    ],
    { stdio: "inherit", env: { ...process.env, [marker]: "1" } },
  );
  for (const signal of /** @type {NodeJS.Signals[]} */ (["SIGINT", "SIGTERM"]))
    process.on(signal, () => child.kill(signal));
  const [code] = await once(child, "exit");
  process.exit(code ?? 1);
}

let links = 0;
/** A namespace with a link to here, of four addresses. */
function namespaceLink() {
  const number = links++;
  if (number >= 2 ** 16) throw new Error("no addresses are left");
  const [name, here, there] = [`n${number}`, `h${number}`, `w${number}`];
  const address = (last) =>
    `10.${64 + (number >> 14)}.${(number >> 6) & 255}.${((number & 63) << 2) + last}`;
  ip("netns", "add", name);
  ip("link", "add", here, "type", "veth", "peer", "name", there, "netns", name);
  ip("addr", "add", `${address(1)}/30`, "dev", here);
  ip("link", "set", here, "up");
  ip("-n", name, "addr", "add", `${address(2)}/30`, "dev", there);
  ip("-n", name, "link", "set", there, "up");
  ip("-n", name, "link", "set", "lo", "up");
  return {
    host: address(1),
    prefix: ["ip", "netns", "exec", name],
    lose: (on) => ip("link", "set", here, on ? "down" : "up"),
    close() {
      // Either end takes the other with it.
      ip("link", "del", here);
      ip("netns", "del", name);
    },
  };
}

/** A way to the broker's `port`. `prefix` is what a command line begins with to be at its other end. */
export async function way(port) {
  const link = ownNetwork ? namespaceLink() : undefined;
  const sockets = new Set();
  let frozen = false;
  const server = createServer((socket) => {
    const other = connect(port, "127.0.0.1");
    for (const [from, to] of [
      [socket, other],
      [other, socket],
    ]) {
      sockets.add(from);
      from.on("error", () => {});
      from.on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
    if (frozen) for (const one of [socket, other]) one.pause();
  });
  const host = link?.host ?? "127.0.0.1";
  server.listen(0, host);
  await once(server, "listening");
  const { port: own } = /** @type {import("node:net").AddressInfo} */ (server.address());
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `nats://${host}:${own}`,
    prefix: link?.prefix ?? [],
    /** Bytes stand still, in both directions, until it is called again with false. */
    freeze(on) {
      frozen = on;
      for (const socket of sockets) {
        if (on) socket.pause();
        else socket.resume();
      }
    },
    /** Packets are lost, in both directions; undefined where there is no link. */
    lose: link?.lose,
    cut,
    close() {
      server.close();
      cut();
      link?.close();
    },
  };
}
