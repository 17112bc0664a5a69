// A caller that speaks the protocol and means harm: it reaches nothing but its own machines, and breaks
// its own session at most. Beside it an honest caller goes on.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { connect } from "@nats-io/transport-node";
import { NodeRuntime } from "../../dist/index.js";
import { FrameReader, encodeFrame } from "../../dist/protocol/frames.js";
import {
  PacketKind,
  decodePacket,
  encodePacket,
  fleetVersion,
  jsonBytes,
  subjectsOf,
} from "../../dist/protocol/fleet.js";
import { hostWire } from "../../dist/protocol/host-calls.js";
import { PacketStream } from "../../dist/protocol/packet-stream.js";
import { CallingPort } from "../../dist/protocol/port.js";
import { completeVmLimits } from "../../dist/protocol/limits.js";
import { natsServer, noServer, worker } from "../support/fleets.mjs";

const skip = noServer;
const subjects = subjectsOf("secure-exec");
let nats;
let server;
let host;
let honest;

if (skip === false) {
  before(async () => {
    server = await natsServer();
    host = await worker(server.url, "--capacity", "machines=50");
    nats = await connect({ servers: server.url });
    honest = await NodeRuntime.create({ fleet: { servers: server.url } });
  });
  after(async () => {
    // Whatever was done: the honest caller's machine is there and works.
    assert.equal((await honest.run("__return(6 * 7)")).value, 42);
    await honest.dispose();
    await nats.close();
  });
}

let inboxes = 0;

/** A session by hand: calls of the table, and packets and bytes as they are. */
async function session() {
  const inbox = `_INBOX.hostile.${++inboxes}`;
  const request = jsonBytes({ version: fleetVersion, inbox, leaseMs: 20_000 });
  const { data } = await nats.request(subjects.open(host.id), request, { timeout: 20_000 });
  const { fence } = JSON.parse(Buffer.from(data).toString());
  const subject = subjects.session(host.id, fence);
  const events = [];
  const reader = new FrameReader();
  const port = new CallingPort(hostWire, {
    write: (frame) => stream.write(frame),
    event: (event) => {
      events.push(event);
      if (event.name === "output")
        port.send("credit", { ...event.args, bytes: event.args.data.length });
      heard(event);
    },
    own: (view) => new Uint8Array(view),
    unknown: (what) => assert.fail(what),
  });
  let heard = (_event) => {};
  let stream;
  const over = new Promise((resolve) => {
    stream = new PacketStream({
      leaseMs: 20_000,
      pieceBytes: 64 * 1024,
      transmit: (packet) => nats.publish(subject, packet, { reply: inbox }),
      receive: (bytes) => reader.push(bytes, (frame) => port.take(frame)),
      over: resolve,
    });
  });
  nats.subscribe(inbox, { callback: (_error, message) => stream.take(message.data) });
  const call = (name, args) =>
    new Promise((resolve, reject) =>
      port.call(name, args, (result, why) =>
        why === undefined ? resolve(result) : reject(JSON.parse(why.json)),
      ),
    );
  return {
    call,
    port,
    events,
    over,
    subject,
    inbox,
    bytes: (data) => stream.write(data),
    end: () => stream.end({ code: "ERR_SECURE_EXEC_DISPOSED", message: "" }),
    on: (name) =>
      new Promise((resolve) => {
        heard = (event) => event.name === name && resolve(event.args);
      }),
  };
}

const policies = {
  fs: "allow",
  network: "deny",
  childProcess: "allow",
  process: "allow",
  env: "allow",
  tool: "deny",
};
const vmOptions = {
  engine: "forked",
  nativeAddons: false,
  env: {},
  cwd: "/home/user",
  mounts: [],
  jsRuntime: {
    nodeVersion: "22.0.0",
    platform: "node",
    moduleResolution: "node",
    allowedBuiltins: null,
    timing: "normal",
  },
  loopbackExemptPorts: [],
  limits: completeVmLimits(),
  warnsOfLimits: false,
  permissions: policies,
  permissionTimeoutMs: 10_000,
  policyMode: "enforce",
  audit: { entries: 10, all: false, stream: false },
  tools: [],
};
const processOptions = {
  mode: "program",
  language: "js",
  name: "",
  args: [],
  env: {},
  cwd: "",
  stdin: false,
  limits: {},
  stdoutLimitBytes: 0,
  stderrLimitBytes: 0,
};
const json = JSON.stringify;
const create = (one, vm, options = {}) =>
  one.call("createVm", { vm, options: json({ ...vmOptions, ...options }) });

test("numbers of other sessions' machines and programs mean nothing", { skip }, async () => {
  const [own, other] = [await session(), await session()];
  await create(other, 1);
  await other.call("writeFile", {
    vm: 1,
    path: "/tmp/secret",
    data: Buffer.from("s"),
    more: false,
    followLinks: false,
  });
  const gone = { code: "ERR_SECURE_EXEC_DISPOSED" };
  for (let vm = 0; vm < 20; vm++) {
    const read = own.call("readFile", { vm, path: "/tmp/secret", followLinks: true });
    await assert.rejects(read, gone);
    await assert.rejects(own.call("usage", { vm, process: 0 }), gone);
    await assert.rejects(create(own, 100 + vm, { source: vm }), gone);
  }
  await create(own, 1);
  await assert.rejects(own.call("readFile", { vm: 1, path: "/tmp/secret", followLinks: true }), {
    code: "ERR_SECURE_EXEC_FILE",
  });
  // A program of the other session, under every number that the kernel may have given it.
  await other.call("spawn", {
    vm: 1,
    process: 7,
    options: json(processOptions),
    source: Buffer.from(
      "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); console.log(1)",
    ),
  });
  for (let process = 0; process < 40; process++)
    own.port.send("kill", { vm: 1, process, signal: 9, group: true });
  for (let template = 0; template < 40; template++) {
    const copy = own.call("spawn", {
      vm: 1,
      process: 100 + template,
      options: json({ ...processOptions, template }),
      source: Buffer.from("1"),
    });
    await assert.rejects(copy, { code: "ERR_SECURE_EXEC_TEMPLATE_ENDED" });
  }
  await own.call("ping", {});
  assert.equal(JSON.parse((await other.call("stats", {})).json).processes, 1);
  const stats = JSON.parse((await own.call("stats", {})).json);
  assert.deepEqual(
    [stats.pid, stats.zygotePid, stats.vms, stats.guestPids, Object.keys(stats.accounts)],
    [0, 0, 1, [], ["1"]],
  );
  own.end();
  other.end();
});

test("a question to one session is not answered by another", { skip }, async () => {
  const [own, other] = [await session(), await session()];
  await create(other, 1, { permissions: { ...policies, fs: "ask" } });
  await create(own, 1);
  const asked = other.on("judge");
  await other.call("spawn", {
    vm: 1,
    process: 1,
    options: json(processOptions),
    source: Buffer.from(
      'import fs from "node:fs"; try { fs.readFileSync("/etc/hostname"); console.log("in") } catch (e) { console.log(e.code) }',
    ),
  });
  const { id } = await asked;
  const answers = (allow, count = 1) => json(Array.from({ length: count }, () => ({ allow })));
  for (let guess = 0; guess < 200; guess++)
    own.port.send("judged", { vm: 1, id: guess, answers: answers(true, 8) });
  own.port.send("toolDone", { vm: 1, id, ok: true, json: Buffer.from("1") });
  await own.call("ping", {});
  const exit = other.on("exit");
  for (const event of other.events)
    if (event.name === "judge")
      other.port.send("judged", { vm: 1, id: event.args.id, answers: answers(false, 8) });
  const deny = setInterval(() => {
    for (const event of other.events)
      if (event.name === "judge")
        other.port.send("judged", { vm: 1, id: event.args.id, answers: answers(false, 8) });
  }, 20);
  await exit;
  clearInterval(deny);
  const printed = other.events
    .filter(({ name }) => name === "output")
    .map(({ args }) => Buffer.from(args.data).toString());
  assert.doesNotMatch(printed.join(""), /in\n/);
  own.end();
  other.end();
});

for (const [what, options] of [
  [
    "mounts of the worker",
    { mounts: [{ option: "mounts[0]", guestPath: "/m", hostPath: "/etc", readOnly: true }] },
  ],
  [
    "a mount by a detour",
    { mounts: [{ option: "m", guestPath: "/m", hostPath: "/tmp/../etc", readOnly: true }] },
  ],
  ["ports of the worker", { loopbackExemptPorts: [80] }],
  ["limits above the table", { limits: { ...completeVmLimits(), memoryBytes: 2 ** 50 } }],
  ["limits that are no numbers", { limits: { ...completeVmLimits(), processes: "1" } }],
  ["an unknown option", { more: 1 }],
  ["a missing policy", { permissions: { fs: "allow" } }],
  ["a policy of its own", { permissions: { ...policies, network: "ask-nobody" } }],
  [
    "a pattern that does not parse",
    {
      permissions: {
        ...policies,
        network: { default: "deny", rules: [{ mode: "allow", patterns: ["1.2.3.4/99"] }] },
      },
    },
  ],
  [
    "an operation under an alias",
    {
      permissions: {
        ...policies,
        fs: { default: "deny", rules: [{ mode: "allow", operations: ["createDir"] }] },
      },
    },
  ],
  [
    "tools with names of paths",
    {
      tools: [
        { name: "../x", aliases: [], description: "", inputSchema: {}, examples: [], timeoutMs: 1 },
      ],
    },
  ],
  ["an environment of objects", { env: { A: {} } }],
  ["a directory that is relative", { cwd: "etc" }],
  ["a platform that is none", { jsRuntime: { ...vmOptions.jsRuntime, platform: "windows" } }],
]) {
  test(`what no SDK sends is refused: ${what}`, { skip }, async () => {
    const one = await session();
    await assert.rejects(create(one, 1, options), {
      code: /^ERR_SECURE_EXEC_(INVALID_OPTION|FLEET_REFUSED)$/,
    });
    // The session goes on, and the machine is not there.
    await assert.rejects(one.call("usage", { vm: 1, process: 0 }), {
      code: "ERR_SECURE_EXEC_DISPOSED",
    });
    await create(one, 1);
    one.end();
  });
}

for (const [what, options] of [
  ["another mode", { mode: "native" }],
  ["an argument that is none", { args: [1] }],
  ["a NUL in a name", { name: "a\0b" }],
  ["a terminal of no size", { terminal: { rows: -1, columns: 3 } }],
  ["a limit that no run has", { limits: { openFiles: 5 } }],
  ["more than there is", { uid: 0 }],
]) {
  test(`a program as no SDK asks for it is refused: ${what}`, { skip }, async () => {
    const one = await session();
    await create(one, 1);
    const spawn = one.call("spawn", {
      vm: 1,
      process: 1,
      options: json({ ...processOptions, ...options }),
      source: Buffer.from("1"),
    });
    await assert.rejects(spawn, { code: "ERR_SECURE_EXEC_INVALID_OPTION" });
    one.end();
  });
}

for (const [what, bytes] of [
  ["a frame over the limit", () => Buffer.from([0xff, 0xff, 0xff, 0x7f, 1, 1, 0, 0, 0, 1, 0])],
  ["a call that does not exist", () => encodeFrame(1, 1, 999, {}, {})],
  ["a reply", () => encodeFrame(2, 1, 1, {}, {})],
  ["an event that does not exist", () => encodeFrame(4, 0, 999, {}, {})],
  ["bytes behind a message", () => encodeFrame(1, 1, 1, { more: "u32" }, { more: 1 })],
]) {
  test(`bytes that break the table end the session: ${what}`, { skip }, async () => {
    const one = await session();
    await create(one, 1);
    one.bytes(bytes());
    assert.equal((await one.over).reason.code, "ERR_SECURE_EXEC_PROTOCOL_VIOLATION");
  });
}

test("signals, sizes and streams out of range end the session", { skip }, async () => {
  for (const [name, args] of [
    ["kill", { signal: 200, group: false }],
    ["kill", { signal: 0, group: false }],
    ["credit", { stream: 9, bytes: 1 }],
    ["resize", { rows: 0, columns: 1 }],
  ]) {
    const one = await session();
    await create(one, 1);
    await one.call("spawn", {
      vm: 1,
      process: 1,
      options: json(processOptions),
      source: Buffer.from("setInterval(() => {}, 1000)"),
    });
    one.port.send(name, { vm: 1, process: 1, ...args });
    assert.equal((await one.over).reason.code, "ERR_SECURE_EXEC_PROTOCOL_VIOLATION");
  }
});

test("a fence that is not held is refused, and the refusal is not answered", { skip }, async () => {
  const inbox = `_INBOX.hostile.${++inboxes}`;
  const answers = [];
  const heard = new Promise((resolve) =>
    nats.subscribe(inbox, {
      callback: (_error, { data }) => {
        answers.push(decodePacket(data));
        resolve(undefined);
      },
    }),
  );
  const subject = subjects.session(host.id, "0123456789abcdef");
  nats.publish(subject, encodePacket(PacketKind.end, 0, 0), { reply: inbox });
  nats.publish(subject, encodePacket(PacketKind.beat, 0, 0), { reply: inbox });
  nats.publish(subject, Buffer.alloc(0), { reply: inbox });
  await heard;
  await nats.flush();
  assert.ok(answers.every(({ kind }) => kind === PacketKind.end));
  assert.ok(answers.length <= 2);
});

test("requests to open that are none are refused with a reason", { skip }, async () => {
  for (const [request, message] of [
    [Buffer.from("{"), /malformed/],
    [jsonBytes({ version: 0, inbox: "a", leaseMs: 5000 }), /version/],
    [jsonBytes({ version: fleetVersion, inbox: "a", leaseMs: 5 }), /lease/],
    [jsonBytes({ version: fleetVersion, inbox: "a.>", leaseMs: 5000 }), /inbox/],
    [Buffer.alloc(100_000, " "), /malformed/],
  ]) {
    const { data } = await nats.request(subjects.open(host.id), request, { timeout: 20_000 });
    assert.match(JSON.parse(Buffer.from(data).toString()).refused.message, message);
  }
});

test("a caller that takes nothing of what it asks for costs a few answers", { skip }, async () => {
  const inbox = `_INBOX.hostile.${++inboxes}`;
  const request = jsonBytes({ version: fleetVersion, inbox, leaseMs: 120_000 });
  const { data } = await nats.request(subjects.open(host.id), request, { timeout: 20_000 });
  const subject = subjects.session(host.id, JSON.parse(Buffer.from(data).toString()).fence);
  let at = 0;
  let id = 0;
  const end = new Promise((resolve) =>
    nats.subscribe(inbox, {
      callback: (_error, message) => {
        const { kind, body } = decodePacket(message.data);
        if (kind === PacketKind.end) resolve(JSON.parse(body.toString()));
      },
    }),
  );
  /** Takes nothing, whatever comes: `taken` stays 0. */
  const send = (name, args) => {
    const { nr, args: schema } = hostWire.tables.calls[name];
    const frame = encodeFrame(1, ++id, nr, schema, args);
    for (let from = 0; from < frame.length; from += 60_000) {
      const piece = frame.subarray(from, from + 60_000);
      nats.publish(subject, encodePacket(PacketKind.data, at, 0, piece), { reply: inbox });
      at += piece.length;
    }
  };
  send("createVm", { vm: 1, options: json(vmOptions) });
  const megabytes = Buffer.alloc(6 * 1024 * 1024);
  send("writeFile", { vm: 1, path: "/tmp/f", data: megabytes, more: false, followLinks: false });
  for (let call = 0; call < 100; call++)
    send("readFile", { vm: 1, path: "/tmp/f", followLinks: false });
  // Four of them are answered, and then it is not listened to until it takes something.
  await nats.flush();
  nats.publish(subject, encodePacket(PacketKind.again, at, 0), { reply: inbox });
  nats.publish(subject, encodePacket(PacketKind.data, at + 10 ** 9, 0, Buffer.alloc(10)), {
    reply: inbox,
  });
  nats.publish(subject, encodePacket(99, at, 0), { reply: inbox });
  assert.equal((await end).code, "ERR_SECURE_EXEC_PROTOCOL_VIOLATION");
  const peak = Number(
    /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${host.pid}/status`, "utf8"))[1],
  );
  // 600 MiB were asked for; the process itself is about a hundred.
  assert.ok(peak < 400 * 1024, `the worker had ${peak} kB`);
});
