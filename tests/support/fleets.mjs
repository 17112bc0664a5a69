// NATS servers and workers of this machine, which end with the test file. Ports are the kernel's choice.
import { spawn, spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const cli = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const missing = spawnSync("nats-server", ["--version"]).error !== undefined;

/** Why tests of fleets are skipped here, or false. */
export const noServer = missing ? "nats-server is not installed on this machine" : false;

const children = new Set();
const folders = new Set();
process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL");
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** Starts a program whose stderr is lines; `until` answers what the wanted line says, or undefined. */
async function started(command, args, until) {
  const child = spawn(command, args, { stdio: ["ignore", "ignore", "pipe"] });
  children.add(child);
  const exited = once(child, "exit").finally(() => children.delete(child));
  const lines = [];
  const said = new Promise((resolve, reject) => {
    createInterface({ input: child.stderr }).on("line", (line) => {
      lines.push(line);
      if (lines.length > 1000) lines.shift();
      const found = until(line);
      if (found !== undefined) resolve(found);
    });
    exited.then(() => reject(new Error(`${command} ended: ${lines.join("\n")}`)), reject);
  });
  said.catch(() => {});
  const found = await said;
  // From now on neither the child nor its pipe keeps a test file alive.
  child.unref();
  const pipe = /** @type {import("node:net").Socket} */ (child.stderr);
  pipe.unref();
  const ended = () => {
    child.ref();
    return exited;
  };
  return { child, ended, lines, found };
}

/**
 * A free port of those that Linux gives nobody by itself (ip_local_port_range begins at 32768): a server that starts again
 * on its port finds it as free as it left it.
 */
async function freePort() {
  for (;;) {
    const port = 15_000 + randomInt(15_000);
    const server = createServer();
    const listening = once(server, "listening").then(
      () => true,
      () => false,
    );
    server.listen(port, "127.0.0.1");
    const isFree = await listening;
    if (isFree) await new Promise((resolve) => server.close(resolve));
    if (isFree) return port;
  }
}

/**
 * A server on a free port, or on `port`; `config` is text of its configuration file. With JetStream where a test wants that,
 * or all of them do: `SECURE_EXEC_TEST_JETSTREAM=1 node scripts/test.mjs sdk/fleet worker/`.
 */
export async function natsServer({
  port: wanted = 0,
  config = "",
  jetstream = process.env.SECURE_EXEC_TEST_JETSTREAM === "1",
} = {}) {
  const port = wanted || (await freePort());
  const folder = mkdtempSync(join(tmpdir(), "secure-exec-nats-"));
  folders.add(folder);
  const file = join(folder, "nats.conf");
  const store = jetstream
    ? `jetstream { store_dir: "${folder}", max_memory_store: 256MB, max_file_store: 256MB }\n`
    : "";
  writeFileSync(file, `host: "127.0.0.1"\nport: ${port}\n${store}${config}`);
  const { child, ended } = await started("nats-server", ["-c", file], (line) =>
    /Listening for client connections on 127\.0\.0\.1:\d+/.exec(line)?.at(0),
  );
  return {
    port,
    url: `nats://127.0.0.1:${port}`,
    pid: child.pid,
    jetstream,
    async stop(signal = /** @type {NodeJS.Signals} */ ("SIGKILL")) {
      child.kill(signal);
      await ended();
    },
  };
}

/** The command line of a worker. `args` come behind `--nats`. */
export const workerCommand = (url, ...args) => [
  process.execPath,
  cli,
  "worker",
  "--nats",
  url,
  ...args,
];

/** A worker, once it is ready. */
export function worker(url, ...args) {
  const [command, ...rest] = workerCommand(url, ...args);
  return workerBy(command, rest);
}

/** A worker that a command line of any kind starts. */
export async function workerBy(command, args) {
  const { child, ended, lines, found } = await started(command, args, (line) =>
    line.includes('"event":"ready"') ? JSON.parse(line) : undefined,
  );
  return {
    id: found.worker,
    name: found.name,
    pid: child.pid,
    /** Its log, a line of JSON each. */
    lines,
    /** Resolves with its exit code and signal. */
    ended,
    kill: (signal) => child.kill(signal),
    async stop(signal = /** @type {NodeJS.Signals} */ ("SIGKILL")) {
      child.kill(signal);
      return ended();
    },
  };
}

/** The workers as `secure-exec fleet status` lists them. */
export async function status(url, ...args) {
  const child = spawn(
    process.execPath,
    [cli, "fleet", "status", "--nats", url, "--json", "--wait", "500", ...args],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  let text = "";
  child.stdout.on("data", (chunk) => (text += chunk));
  await once(child, "close");
  return JSON.parse(text);
}

/** `secure-exec fleet …`. */
export const fleetCommand = (...args) => command("fleet", ...args);

/** `secure-exec …`, awaited: a caller that is blocked meanwhile would say nothing to its workers. */
export async function command(...args) {
  const child = spawn(process.execPath, [cli, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk) => (stdout += chunk));
  child.stderr.on("data", (chunk) => (stderr += chunk));
  const [code] = await once(child, "close");
  return { status: code, stdout, stderr };
}
