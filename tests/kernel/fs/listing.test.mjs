// Lists of directories with more entries than a step: in order, whole, counted while they are made.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { FileSystem } from "../../../dist/kernel/fs/index.js";
import { Account } from "../../../dist/kernel/machine/account.js";

const host = mkdtempSync(join(tmpdir(), "listing-"));
after(() => rmSync(host, { recursive: true }));
const count = 9000;
for (let i = 0; i < count; i++) writeFileSync(join(host, String(i)), "");
const names = Array.from({ length: count }, (_, i) => String(i)).sort();

const root = { uid: 0, gid: 0, umask: 0, cwd: "/" };
const guest = { uid: 1000, gid: 1000, umask: 0, cwd: "/" };
const openLimits = { kernelBytes: 1 << 30, kernelObjects: 1 << 20, hostDescriptors: 100 };

function machine(limits = {}) {
  const account = new Account({ ...openLimits, ...limits });
  const fs = new FileSystem({}, undefined, account);
  assert.equal(fs.mount({ guestPath: "/host", hostPath: host, readOnly: true, uid: 0, gid: 0 }), 0);
  assert.equal(fs.mkdir(root, "/own", 0o777), 0);
  for (const name of names) fs.writeFile(root, `/own/${name}`, Buffer.alloc(0), 0o101, 0o644);
  return { account, fs };
}

function run(steps) {
  for (let count = 0; ; count++) {
    const { done, value } = steps.next();
    if (done) return { count, value };
  }
}

test("a host's directory and one of the machine's own come in steps, in order, and give all back", () => {
  const { account, fs } = machine();
  const before = account.usage;
  for (const path of ["/host", "/own"]) {
    const { count: steps, value } = run(fs.readdirInSteps(guest, path));
    assert.deepEqual(
      value.map(({ name }) => name),
      names,
    );
    assert.ok(steps > 20, `${path}: ${steps} steps`);
    assert.deepEqual(account.usage, before);
  }
});

test("a list that the machine has no room for is ENOMEM for it, and not for the host", () => {
  const { account, fs } = machine({ kernelBytes: 2 << 20 });
  assert.ok(account.grow((1 << 20) - account.usage.kernelBytes + (1 << 19)));
  for (const path of ["/host", "/own"]) {
    assert.equal(run(fs.readdirInSteps(guest, path)).value, -12, path);
    assert.equal(run(fs.readdirInSteps(root, path)).value.length, count, path);
  }
});

test("work that nobody waits for any more closes its descriptor and gives back", () => {
  const { account, fs } = machine();
  const before = account.usage;
  const open = () => readdirSync("/proc/self/fd").length;
  const opened = open();
  const steps = fs.readdirInSteps(guest, "/host");
  steps.next();
  assert.equal(open(), opened + 1);
  assert.equal(account.usage.hostDescriptors, before.hostDescriptors + 1);
  steps.return(0);
  assert.equal(open(), opened);
  assert.deepEqual(account.usage, before);
});

test("an overlay hides and adds, and tells each name once", () => {
  const lower = mkdtempSync(join(tmpdir(), "lower-"));
  after(() => rmSync(lower, { recursive: true }));
  mkdirSync(join(lower, "d"));
  for (let i = 0; i < 3000; i++) writeFileSync(join(lower, String(i)), "");
  const { fs } = machine();
  const mount = { guestPath: "/over", hostPath: lower, overlay: true, readOnly: false };
  assert.equal(fs.mount({ ...mount, uid: 0, gid: 0 }), 0);
  assert.equal(fs.writeFile(root, "/over/new", Buffer.alloc(0), 0o101, 0o644), 0);
  assert.equal(fs.writeFile(root, "/over/7", Buffer.from("x"), 0o1, 0o644), 0);
  assert.equal(fs.unlink(root, "/over/8"), 0);
  const listed = run(fs.readdirInSteps(root, "/over")).value.map(({ name }) => name);
  assert.equal(listed.length, 3001);
  assert.deepEqual(new Set(listed).size, 3001);
  assert.ok(listed.includes("new") && listed.includes("d") && !listed.includes("8"));
});
