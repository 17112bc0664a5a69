/**
 * The border of a machine: the program that reads what its programs say to certain hosts. It runs in a
 * guest process of a machine of its own, which has no way out and nobody else in it: connections come from
 * the kernel, in pairs of which one half leads to a program and the other to the server it has connected to.
 *
 * Invariants: halves of one pair only are ever joined; what is added to a request goes to that pair's server.
 * Untrusted: every byte of either half but the kernel's first line.
 */
import { createServer as createHttpServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:net";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { TLSSocket, connect as connectTls, createSecureContext, rootCertificates } from "node:tls";
import { Signer } from "./certificates.js";
import { openingOf } from "./client-hello.js";
import { Control, readFirstLine } from "./control.js";
import type { Facts, Setting } from "./wire.js";
import { Passage, splice } from "./passage.js";

/** Where the kernel connects. */
const listenPort = 1;
const headerBytes = 16 * 1024;
/** For a program to say what it wants, and a server to agree on TLS. */
const openingMs = 60_000;

const passages = new WeakMap<Duplex, Passage>();
/** Halves whose other half has not come yet. */
const halves = new Map<number, { facts: Facts; socket: Socket }>();
let control: Control | undefined;
let signer: Signer | undefined;
let authorities: string[] = [];

const settings = {
  maxHeaderSize: headerBytes,
  keepAliveTimeout: 0,
  requestTimeout: 0,
  requireHostHeader: true,
  insecureHTTPParser: false,
  // Of the engine's version, not of the types'. Others stay with HTTP, as a server may choose to.
  shouldUpgradeCallback: ({ headers }: IncomingMessage) =>
    headers.upgrade?.toLowerCase() === "websocket",
};
const http = createHttpServer(settings);
// A program that has said everything may say so.
(http as { httpAllowHalfOpen?: boolean }).httpAllowHalfOpen = true;
const passageOf = (incoming: IncomingMessage): Passage => passages.get(incoming.socket)!;
http.on("request", (incoming: IncomingMessage, response: ServerResponse) =>
  passageOf(incoming).request(incoming, response),
);
http.on("checkContinue", (incoming: IncomingMessage, response: ServerResponse) =>
  passageOf(incoming).request(incoming, response, true),
);
http.on("upgrade", (incoming: IncomingMessage, socket: Duplex, head: Buffer) =>
  passageOf(incoming).upgrade(incoming, socket, head),
);

/** Server's TLS, verified for `name` whatever the program would accept. */
function securely(outside: Socket, name: string): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const server = connectTls({
      socket: outside,
      servername: name,
      host: name,
      ALPNProtocols: ["http/1.1"],
      ca: authorities,
      minVersion: "TLSv1.2",
      rejectUnauthorized: true,
    });
    server.once("secureConnect", () => resolve(server));
    server.on("error", reject);
    server.once("close", () => reject(new Error("closed")));
  });
}

/** Reads what the program begins with, and decides what the connection is. */
function open(facts: Facts, inside: Socket, outside: Socket): void {
  inside.on("close", () => outside.destroy());
  outside.on("error", () => inside.destroy());
  let seen = Buffer.alloc(0);
  inside.setTimeout(openingMs, () => inside.destroy());
  const look = (chunk: Buffer): void => {
    seen = Buffer.concat([seen, chunk]);
    const opening = openingOf(seen);
    if (opening.kind === "more") return;
    inside.off("data", look);
    inside.pause();
    inside.setTimeout(0);
    if (opening.kind === "broken") return void inside.destroy();
    inside.unshift(seen);
    if (opening.kind === "plain") {
      // Nothing comes from a server that was not asked.
      outside.resume();
      read(facts, inside, Promise.resolve(outside), undefined);
    } else openTls(facts, inside, outside, opening.serverName);
  };
  inside.on("data", look).resume();
}

function openTls(
  facts: Facts,
  inside: Socket,
  outside: Socket,
  serverName: string | undefined,
): void {
  // A program that names an address sends no name.
  const name = serverName ?? facts.guarded[0] ?? "";
  if (facts.others.includes(name) && !facts.guarded.includes(name)) return splice(inside, outside);
  if (!facts.guarded.includes(name)) return void inside.destroy();
  const { certificate, key } = signer!.identityOf(name);
  const secured = new TLSSocket(inside, {
    isServer: true,
    secureContext: createSecureContext({ cert: certificate, key, minVersion: "TLSv1.2" }),
    ALPNProtocols: ["http/1.1"],
  });
  secured.on("error", () => inside.destroy());
  read(facts, secured, securely(outside, name), name);
}

function read(
  facts: Facts,
  inside: Socket,
  server: Promise<Duplex>,
  serverName: string | undefined,
): void {
  const passage = new Passage({ facts, serverName, server, control: control! });
  passages.set(inside, passage);
  const ended = (): void => passage.whenIdle(() => inside.end(() => inside.destroy()));
  server.then((connection) => connection.on("close", ended)).catch(() => undefined);
  http.emit("connection", inside);
  // What was put back waits in it.
  inside.resume();
}

function begin(facts: Facts, socket: Socket): void {
  const first = halves.get(facts.pair);
  if (first === undefined) {
    halves.set(facts.pair, { facts, socket });
    socket.once("close", () => halves.delete(facts.pair));
    return;
  }
  halves.delete(facts.pair);
  const [inside, outside] =
    facts.side === "inside" ? [socket, first.socket] : [first.socket, socket];
  open(facts, inside, outside);
}

function settle({ authority, ca }: Setting): void {
  signer = new Signer(authority);
  authorities = [...rootCertificates, ...ca];
}

const server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
  socket.on("error", () => socket.destroy());
  if (control === undefined) {
    control = new Control(socket);
    void control.setting.then((setting) => {
      settle(setting);
      socket.write(`${JSON.stringify({ ready: true })}\n`);
    });
    return;
  }
  readFirstLine(socket, (line) => begin(JSON.parse(line) as Facts, socket));
});
server.listen(listenPort, "127.0.0.1");
