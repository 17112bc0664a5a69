// Whatever system call a guest makes, as often and with as much as it likes: the kernel process grows by a
// bounded amount of memory and descriptors, no call takes it long, and a machine that is gone leaves nothing
// on the account. Generated from the tables: a new call has to say in bounds.mjs what drives it to its bound.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, it } from "node:test";
import { guestCalls, guestEvents } from "../../dist/protocol/guest-calls.js";
import { completeVmLimits } from "../../dist/protocol/limits.js";
import { buildWithNatives } from "../support/natives.mjs";
import { openDescriptors, tree } from "../support/processes.mjs";
import { callBounds, eventBounds } from "./bounds.mjs";

const MiB = 1024 * 1024;
/** What one machine may make the kernel grow by, content of its files aside. */
const growthMiB = 32;
/** Garbage that is not collected yet: the same after ten large frames as after a thousand. */
const slackMiB = 16;
/** Rows whose frames may be 8 MiB: several of them are garbage for a moment. Seen: 51 MiB in all. */
const largeFrames = new Set(["callTool", "spawn", "exec"]);
const largeFrameSlackMiB = 32;
/**
 * How often a row is driven that grew the kernel by more. What rows before it left behind is collected when the engine sees fit, and the
 * heap's holes are where they are: that is not there every time. What a row itself makes the kernel hold is.
 */
const tries = 3;
/** The host's calls are answered meanwhile; a busy machine's own pauses are in it. */
const longestPauseMs = 2000;
const nothing = { kernelBytes: 0, kernelObjects: 0, hostDescriptors: 0 };

const entry = buildWithNatives();
const { NodeRuntime } = await import(entry);
const { sharedConnection } = await import(new URL("sdk/kernel-group.js", entry).href);
const host = mkdtempSync(join(tmpdir(), "bounds-"));
writeFileSync(join(host, "file"), "x");
after(() => rmSync(host, { recursive: true }));

const residentMiB = (pid) =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "latin1"))[1]) / 1024;
const stats = async () => JSON.parse((await (await sharedConnection()).call("stats", {})).json);

const prelude = `
  const { libc, channel } = globalThis.__natives;
  const O_RDWR = 2, O_CREAT = 0o100;
  const tables = { calls: ${JSON.stringify(guestCalls)}, events: ${JSON.stringify(guestEvents)} };
  const text = (value) => new TextEncoder().encode(value);
  const number = (bytes, write) => { const field = Buffer.alloc(bytes); write(field); return field; };
  const u32 = (value) => number(4, (field) => field.writeUInt32LE(value >>> 0));
  const sized = (bytes) => Buffer.concat([u32(bytes.length), bytes]);
  const list = (items, one) => Buffer.concat([u32(items.length), ...items.map(one)]);
  const f64 = (value) => number(8, (field) => field.writeDoubleLE(value));
  const write = {
    u8: (value) => Buffer.of(value), bool: (value) => Buffer.of(value ? 1 : 0), u32, f64,
    i32: (value) => number(4, (field) => field.writeInt32LE(value)),
    string: (value) => sized(Buffer.from(value)),
    text: (value) => sized(Buffer.from(value)), texts: (value) => list(value, (one) => sized(Buffer.from(one))),
    // Large content is copied once, into its frame: the guest's own garbage is not what is measured.
    bytes: (value) => [u32(value.length), value],
    strings: (value) => list(value, (one) => sized(Buffer.from(one))), numbers: (value) => list(value, f64),
  };
  const frame = (kind, id, { nr, args: schema }, args) => {
    const head = Buffer.alloc(11);
    head[4] = kind; head.writeUInt32LE(id, 5); head.writeUInt16LE(nr, 9);
    const whole = Buffer.concat([head, ...Object.entries(schema).flatMap(([name, type]) => write[type](args[name]))]);
    whole.writeUInt32LE(whole.length - 4);
    return whole;
  };
  const POLLIN = 1, POLLOUT = 4, EAGAIN = 11;
  const ready = (events) => {
    const found = libc.poll([{ fd: 3, events }], 20_000);
    if (typeof found === "number") throw new Error("the kernel neither reads nor writes: " + found);
    return found[0];
  };
  // What it has not read is bounded, and then nothing more is taken: whole frames, up to the end of one.
  const drain = () => {
    for (let rest = Buffer.alloc(0), first = true; first || rest.length > 0; first = false) {
      const chunk = Buffer.alloc(65536);
      ready(POLLIN);
      rest = Buffer.concat([rest, chunk.subarray(0, Math.max(0, libc.read(3, chunk, 0, chunk.length)))]);
      while (rest.length >= 4 && rest.length >= 4 + rest.readUInt32LE()) rest = rest.subarray(4 + rest.readUInt32LE());
    }
  };
  const put = (bytes) => {
    for (let at = 0; at < bytes.length;) {
      const sent = libc.write(3, bytes, at, bytes.length - at);
      if (sent > 0) at += sent;
      else if (sent !== -EAGAIN) throw new Error("the kernel does not read: " + sent);
      else if ((ready(POLLIN | POLLOUT) & POLLOUT) === 0) drain();
    }
  };
  let waitingBytes = [], waitingSize = 0;
  const flush = () => { put(waitingBytes.length === 1 ? waitingBytes[0] : Buffer.concat(waitingBytes)); waitingBytes = []; waitingSize = 0; };
  const queue = (bytes) => { waitingBytes.push(bytes); waitingSize += bytes.length; if (waitingSize > 65536) flush(); };
  let lastId = 0x70000000;
  const post = (name, args) => queue(frame(1, ++lastId, tables.calls[name], args));
  const tell = (name, args) => queue(frame(4, 0, tables.events[name], args));
  const sys = (name, args) => { flush(); return channel.call(name, args); };
  const wait = () => sys("getcwd", {});
  const pair = () => { const made = sys("socketpair", {}); return typeof made === "number" ? [] : [made.first, made.second]; };
  const fill = (make) => { let count = 0; for (; count < 20_000; count++) { const result = make(count); if (typeof result === "number" && result < 0) break; } return count; };
  const fillUntilPaced = (make) => {
    let paced = 0;
    return fill((i) => {
      const began = Date.now();
      const result = make(i);
      // Frames that are not whole, or wait, go on by themselves 200 ms later: partialRetries, of limits.ts.
      if (Date.now() - began >= 150) paced++;
      return paced === 10 ? -1 : result;
    });
  };
`;

/** Drives one row in a machine of its own, and watches the kernel meanwhile. */
async function drive(program) {
  const rt = await NodeRuntime.create({
    mounts: [{ guestPath: "/mnt/host", hostPath: host }],
    // What a row makes for its frames is garbage of the guest's own, and is not what is measured.
    limits: { memoryBytes: 512 * MiB },
    tools: { never: { description: "Never answers", handler: () => new Promise(() => {}) } },
  });
  const { kernel } = tree();
  const base = [residentMiB(kernel), openDescriptors(kernel)];
  const seen = { grownMiB: 0, descriptors: 0, pauseMs: 0 };
  let over = false;
  const watched = (async () => {
    while (!over) {
      const asked = performance.now();
      const { accounts } = await stats();
      seen.pauseMs = Math.max(seen.pauseMs, performance.now() - asked);
      const fileMiB = Object.values(accounts).reduce((sum, one) => sum + one.fileBytes, 0) / MiB;
      seen.grownMiB = Math.max(seen.grownMiB, residentMiB(kernel) - base[0] - fileMiB);
      seen.descriptors = Math.max(seen.descriptors, openDescriptors(kernel) - base[1]);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  const hold = "\nsetTimeout(() => process.exit(0), 100);";
  const result = await rt
    .exec(prelude + program + hold, { timeout: 40_000 })
    .catch((error) => error);
  over = true;
  await watched;
  await rt.dispose();
  return { result, seen };
}

/** A guest that breaks the protocol is ended, which is a bound, too. */
const brokeProtocol = "ERR_SECURE_EXEC_PROTOCOL_VIOLATION";

/** What is on all accounts once the last sockets of the machine are closed. */
async function settled() {
  for (let tries = 0; ; tries++) {
    const { kernelBytes, kernelObjects, hostDescriptors } = await stats();
    const held = { kernelBytes, kernelObjects, hostDescriptors };
    if (tries === 200 || kernelObjects === 0) return held;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const rows = [
  ...Object.keys(guestCalls).map((name) => ["call", name, callBounds[name]]),
  ...Object.keys(guestEvents).map((name) => ["event", name, eventBounds[name]]),
];

it("every row of the tables says what drives it to its bound, and no other does", () => {
  assert.deepEqual(Object.keys(callBounds).sort(), Object.keys(guestCalls).sort());
  assert.deepEqual(Object.keys(eventBounds).sort(), Object.keys(guestEvents).sort());
});

for (const [what, name, program] of rows) {
  it(`${what} ${name}`, { timeout: 90_000 * tries }, async () => {
    const mostMiB = growthMiB + (largeFrames.has(name) ? largeFrameSlackMiB : slackMiB);
    const grown = [];
    while (grown.length < tries && grown.every((mib) => mib >= mostMiB)) {
      const { result, seen } = await drive(program);
      if (result instanceof Error) assert.equal(result.code, brokeProtocol, result.message);
      else assert.deepEqual([result.exitCode, result.stderr], [0, ""]);
      grown.push(seen.grownMiB);
      const { hostDescriptors } = completeVmLimits();
      assert.ok(seen.descriptors < hostDescriptors + 16, `${seen.descriptors} descriptors more`);
      assert.ok(seen.pauseMs < longestPauseMs, `the kernel did not answer for ${seen.pauseMs} ms`);
      assert.deepEqual(await settled(), nothing);
    }
    assert.ok(Math.min(...grown) < mostMiB, `the kernel grew by ${grown} MiB`);
  });
}
