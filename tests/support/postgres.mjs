// A PostgreSQL server on loopback for tests: the real one where this host has it, otherwise one that speaks as much of the
// protocol as a client needs that asks for what `answer` knows.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const debian = "/usr/lib/postgresql";

/** The folder of the server's programs, or undefined. */
function installed() {
  if (!existsSync(debian)) return undefined;
  return readdirSync(debian)
    .map((version) => join(debian, version, "bin"))
    .findLast((folder) => ["initdb", "postgres"].every((name) => existsSync(join(folder, name))));
}

/** It refuses to run as root. */
function user() {
  if (process.getuid() !== 0) return {};
  const idOf = (flag) => Number(spawnSync("id", [flag, "postgres"], { encoding: "utf8" }).stdout);
  return { uid: idOf("-u"), gid: idOf("-g") };
}

/** @param {import("node:net").Server} server */
function portOf(server) {
  return /** @type {import("node:net").AddressInfo} */ (server.address()).port;
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const port = portOf(server);
  server.close();
  await once(server, "close");
  return port;
}

async function real(folder) {
  const directory = mkdtempSync(join(tmpdir(), "secure-exec-postgres-"));
  const as = user();
  if (as.uid !== undefined) chownSync(directory, as.uid, as.gid);
  const data = join(directory, "data");
  const made = spawnSync(
    join(folder, "initdb"),
    ["-D", data, "-A", "trust", "-U", "app", "--no-sync"],
    {
      ...as,
      cwd: directory,
      encoding: "utf8",
    },
  );
  if (made.status !== 0) throw new Error(made.stderr || String(made.error));
  const port = await freePort();
  const options = ["-D", data, "-h", "127.0.0.1", "-p", String(port), "-k", directory, "-F"];
  const server = spawn(join(folder, "postgres"), options, {
    ...as,
    cwd: directory,
    env: { ...process.env, LC_ALL: "C" },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const ended = once(server, "exit");
  let said = "";
  /** @type {Promise<void>} */
  const listens = new Promise((resolve, reject) => {
    server.stderr.setEncoding("utf8").on("data", (text) => {
      said += text;
      if (said.includes("ready to accept connections")) resolve();
    });
    void ended.then(() => reject(new Error(said)));
  });
  await listens;
  return {
    port,
    real: true,
    async close() {
      server.kill("SIGQUIT");
      await ended;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** One message from the server: a letter, its length, its parts. */
function message(letter, ...parts) {
  const body = Buffer.concat(
    parts.map((part) => {
      if (typeof part === "string") return Buffer.from(`${part}\0`);
      if (Buffer.isBuffer(part)) return part;
      const [bits, value] = part;
      const bytes = Buffer.alloc(bits / 8);
      if (bits === 16) bytes.writeInt16BE(value);
      else bytes.writeInt32BE(value);
      return bytes;
    }),
  );
  const head = Buffer.from(`${letter}0000`);
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

const ready = message("Z", Buffer.from("I"));
const textType = 25;
const int4Type = 23;

function columnsOf(row) {
  const names = Object.keys(row);
  const fields = names.flatMap((name) => [
    name,
    [32, 0],
    [16, 0],
    [32, typeof row[name] === "number" ? int4Type : textType],
    [16, -1],
    [32, -1],
    [16, 0],
  ]);
  return message("T", [16, names.length], ...fields);
}

function rowOf(row) {
  const values = Object.values(row).map((value) => Buffer.from(String(value)));
  return message(
    "D",
    [16, values.length],
    ...values.flatMap((bytes) => [[32, bytes.length], bytes]),
  );
}

/** Texts that a message of the client ends with zeros, and the values of a Bind. */
function textAt(body, at) {
  const end = body.indexOf(0, at);
  return [body.toString("utf8", at, end), end + 1];
}

function boundValues(body) {
  let at = textAt(body, textAt(body, 0)[1])[1];
  at += 2 + 2 * body.readInt16BE(at);
  const count = body.readInt16BE(at);
  at += 2;
  return Array.from({ length: count }, () => {
    const length = body.readInt32BE(at);
    at += 4 + length;
    return body.toString("utf8", at - length, at);
  });
}

function talk(socket, answer) {
  let held = Buffer.alloc(0);
  let greeted = false;
  let query = "";
  let rows = [];
  const send = (...messages) => socket.write(Buffer.concat(messages));
  const done = () => message("C", `SELECT ${rows.length}`);
  const handlers = {
    Q(body) {
      rows = answer(textAt(body, 0)[0], []);
      send(...rows.slice(0, 1).map(columnsOf), ...rows.map(rowOf), done(), ready);
    },
    P: (body) => ([query] = textAt(body, textAt(body, 0)[1])) && send(message("1")),
    B(body) {
      rows = answer(query, boundValues(body));
      send(message("2"));
    },
    D: () => send(rows.length === 0 ? message("n") : columnsOf(rows[0])),
    E: () => send(...rows.map(rowOf), done()),
    S: () => send(ready),
    X: () => socket.end(),
  };
  socket.on("error", () => {});
  socket.on("data", (chunk) => {
    held = Buffer.concat([held, chunk]);
    for (;;) {
      const head = greeted ? 1 : 0;
      if (held.length < head + 4) return;
      const length = head + held.readInt32BE(head);
      if (held.length < length) return;
      const [letter, body] = [held.toString("latin1", 0, head), held.subarray(head + 4, length)];
      held = held.subarray(length);
      if (greeted) handlers[letter]?.(body);
      else send(message("R", [32, 0]), message("S", "client_encoding", "UTF8"), ready);
      greeted = true;
    }
  });
}

async function spoken(answer) {
  const sockets = new Set();
  const server = createServer((socket) => {
    sockets.add(socket);
    talk(socket, answer);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: portOf(server),
    real: false,
    async close() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, "close");
    },
  };
}

/**
 * `{ port, real, close() }` of a server whose user `app` needs no password. `answer(query, values)`: the rows that one
 * of ours has for a query, as objects.
 */
export function postgres(answer, { real: wanted = true } = {}) {
  const folder = wanted ? installed() : undefined;
  return folder === undefined ? spoken(answer) : real(folder);
}
