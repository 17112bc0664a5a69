// Who may do what: TLS, nkeys, accounts and permissions of the broker, and what a guest sees of all that.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { connect, nkeys } from "@nats-io/transport-node";
import { NodeRuntime } from "../../../dist/index.js";
import { fleetVersion, jsonBytes } from "../../../dist/protocol/fleet.js";
import { cert, key } from "../../support/certificate.mjs";
import { fleetCommand, natsServer, noServer, worker } from "../../support/fleets.mjs";
import { closeOperators, operator } from "../../support/leases.mjs";

const skip = noServer;
const folder = mkdtempSync(join(tmpdir(), "secure-exec-fleet-"));
after(closeOperators);
after(() => rmSync(folder, { recursive: true, force: true }));

function file(name, text) {
  const path = join(folder, name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

/** Whether a machine can be had there, or the code of why not. */
async function works(fleet, timeoutMs = 20_000) {
  try {
    const runtime = await NodeRuntime.create({ fleet: { ...fleet, placement: { timeoutMs } } });
    const { value } = await runtime.run("__return(1)");
    await runtime.dispose();
    return value === 1;
  } catch (error) {
    return error.code;
  }
}

test(
  "TLS: only with a certificate that is trusted, on both ways to the broker",
  { skip },
  async () => {
    const [certFile, keyFile] = [file("cert.pem", cert), file("key.pem", key)];
    const { port } = await natsServer({
      config: `tls { cert_file: "${certFile}", key_file: "${keyFile}" }`,
    });
    const servers = `tls://localhost:${port}`;
    await worker(servers, "--tls-ca", certFile);
    assert.equal(await works({ servers, tls: { ca: cert } }), true);
    assert.equal(await works({ servers }), "ERR_SECURE_EXEC_FLEET_UNREACHABLE");
    await assert.rejects(worker(servers), /FLEET_UNREACHABLE/);
  },
);

test("nkeys: the seed opens, another one does not", { skip }, async () => {
  const [known, stranger] = [nkeys.createUser(), nkeys.createUser()];
  const { url } = await natsServer({
    config: `authorization { users: [ { nkey: "${known.getPublicKey()}" } ] }`,
  });
  const seed = (user) => Buffer.from(user.getSeed()).toString();
  await worker(url, "--credentials", file("worker.nk", seed(known)));
  assert.equal(await works({ servers: url, credentials: { nkey: seed(known) } }), true);
  const refused = "ERR_SECURE_EXEC_FLEET_UNREACHABLE";
  assert.equal(await works({ servers: url, credentials: { nkey: seed(stranger) } }), refused);
  assert.equal(await works({ servers: url }), refused);
});

test(
  "accounts: tenants do not see each other's workers, machines or messages",
  { skip },
  async () => {
    const { url } = await natsServer({
      config: `accounts {
      A: { users: [ { user: a, password: pw } ] }
      B: { users: [ { user: b, password: pw } ] } }`,
    });
    await worker(url, "--credentials", file("a.json", '{ "user": "a", "password": "pw" }'));
    const listener = await connect({ servers: url, user: "b", pass: "pw" });
    const heard = [];
    listener.subscribe(">", { callback: (_error, { subject }) => heard.push(subject) });
    await listener.flush();
    const as = (user) => ({ servers: url, credentials: { user, password: "pw" } });
    assert.equal(await works(as("a")), true);
    assert.equal(await works(as("b"), 1500), "ERR_SECURE_EXEC_FLEET_FULL");
    await listener.flush();
    // All that is to be heard in B is what B itself asks.
    assert.deepEqual([...new Set(heard)], ["secure-exec.hello"]);
    await listener.close();
  },
);

test("permissions: callers cannot pose as workers, nor hear each other", { skip }, async () => {
  const caller = (name) => `{ user: ${name}, password: pw, permissions: {
    publish: ["secure-exec.hello", "secure-exec.open.*", "secure-exec.vm.>"],
    subscribe: ["secure-exec.worker", "_INBOX.${name}.>"] } }`;
  const { url } = await natsServer({
    config: `authorization { users: [
      { user: worker, password: pw, permissions: {
        publish: ["secure-exec.worker", "_INBOX.>"],
        subscribe: ["secure-exec.hello", "secure-exec.open.*", "secure-exec.vm.>"] } },
      ${caller("alice")}, ${caller("mallory")} ] }`,
  });
  await worker(url, "--credentials", file("w.json", '{ "user": "worker", "password": "pw" }'));
  const as = (user) => ({
    servers: url,
    credentials: { user, password: "pw" },
    inboxPrefix: `_INBOX.${user}`,
  });
  const mallory = await connect({
    servers: url,
    user: "mallory",
    pass: "pw",
    inboxPrefix: "_INBOX.mallory",
  });
  const refusals = [];
  const heard = [];
  for (const subject of ["_INBOX.alice.>", "secure-exec.vm.>", "secure-exec.open.*"])
    mallory.subscribe(subject, {
      callback: (error, message) =>
        error === null ? heard.push(message.subject) : refusals.push(subject),
    });
  const advertisement = {
    version: fleetVersion,
    worker: "0123456789abcdef",
    name: "better",
    labels: { better: "yes" },
    state: "open",
    vms: 0,
    slots: 1e6,
    freeBytes: 1e12,
    totalBytes: 1e12,
    load: 0,
    processors: 1,
    ageMs: 0,
    leases: "beats",
  };
  mallory.publish("secure-exec.worker", jsonBytes(advertisement));
  await mallory.flush();
  assert.equal(await works(as("alice")), true);
  const wanted = { ...as("alice"), labels: { better: "yes" } };
  assert.equal(await works(wanted, 1500), "ERR_SECURE_EXEC_FLEET_FULL");
  await mallory.flush();
  assert.deepEqual(heard, []);
  assert.equal(refusals.length, 3);
  await mallory.close();
});

test(
  "leases in the store: a worker needs the rights that are documented, and a caller has none of them",
  { skip },
  async () => {
    const users = readFileSync(new URL("../../../deploy/nats.conf", import.meta.url), "utf8")
      .replaceAll(/\$[A-Z]+_PASSWORD/g, "pw")
      .replace(/^jetstream .*/m, "")
      // One as there were before leases were in a store.
      .replace(
        "users: [",
        `users: [ { user: poor, password: pw, permissions: {
          publish: ["secure-exec.worker", "_INBOX.>"],
          subscribe: ["secure-exec.hello", "secure-exec.open.*", "secure-exec.vm.>"] } }`,
      );
    const { url } = await natsServer({ jetstream: true, config: users });
    const rights = (user) => file(`${user}.json`, `{ "user": "${user}", "password": "pw" }`);
    const poor = await worker(url, "--credentials", rights("poor"), "--labels", "rights=poor");
    const rich = await worker(
      url,
      "--inbox-prefix",
      "_INBOX.worker",
      "--credentials",
      rights("worker"),
      "--labels",
      "rights=rich",
    );
    const said = ({ lines }) =>
      lines.map((line) => JSON.parse(line)).find(({ event }) => event === "leases");
    assert.equal(said(poor).by, "beats");
    assert.match(said(poor).why, /permissions violation|timeout/i);
    assert.equal(said(rich).by, "store");
    const fleet = {
      servers: url,
      credentials: { user: "alice", password: "pw" },
      inboxPrefix: "_INBOX.alice",
    };
    assert.equal(await works({ ...fleet, labels: { rights: "poor" } }), true);
    const runtime = await NodeRuntime.create({ fleet: { ...fleet, labels: { rights: "rich" } } });
    const store = await operator(url, {
      user: "operator",
      pass: "pw",
      inboxPrefix: "_INBOX.operator",
    });
    const [{ key }] = await store.machines();
    const alice = await operator(url, { user: "alice", pass: "pw", inboxPrefix: "_INBOX.alice" });
    await assert.rejects(alice.revoke(key), /permissions violation/i);
    await assert.rejects(alice.machines(), /permissions violation/i);
    assert.equal((await runtime.run("__return(3)")).value, 3);
    // Who has the right sees it, and ends it.
    const as = ["--inbox-prefix", "_INBOX.operator", "--credentials", rights("operator")];
    const asked = await fleetCommand("status", "--machines", "--nats", url, ...as);
    assert.match(asked.stdout, /^_INBOX\.alice#/m);
    const id = key.split(".").at(-1);
    const ended = await fleetCommand("revoke", "--lease", id, "--nats", url, ...as);
    assert.equal(ended.status, 0);
    while (
      await runtime.run("1").then(
        () => true,
        () => false,
      )
    );
    await assert.rejects(runtime.run("1"), { code: "ERR_SECURE_EXEC_WORKER_LOST" });
    await runtime.dispose();
    await Promise.all([store.close(), alice.close()]);
  },
);

test(
  "a guest whose network allows everything does not reach its worker's broker",
  { skip },
  async () => {
    const { url, port } = await natsServer();
    await worker(url);
    const runtime = await NodeRuntime.create({
      fleet: { servers: url },
      permissions: { network: "allow" },
    });
    const { value } = await runtime.run(`
    import { connect } from "node:net";
    const outcomes = [];
    for (const host of ["127.0.0.1", "localhost", "::1", "::ffff:127.0.0.1", "0.0.0.0", "2130706433"])
      outcomes.push(await new Promise((resolve) => {
        const socket = connect(${port}, host, () => resolve("connected"));
        socket.on("error", ({ code }) => resolve(code));
      }));
    __return(outcomes);`);
    assert.ok(
      value.every((outcome) => outcome !== "connected"),
      value.join(),
    );
    // Nor is anything of the worker's process in what it sees.
    const { value: environment } = await runtime.run(
      "__return([JSON.stringify(process.env), process.argv.join()])",
    );
    assert.ok(!environment.join().includes(String(port)));
    await runtime.dispose();
  },
);
