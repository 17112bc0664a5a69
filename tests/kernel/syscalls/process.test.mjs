// Calls about processes, over the real table of processes and processes without a guest: whom a signal means, what
// a stranger may, what the policy is asked.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Errno } from "../../../dist/abi/errno.js";
import { O_CREAT, O_WRONLY } from "../../../dist/abi/fcntl.js";
import { WaitQueue } from "../../../dist/kernel/io/wait-queue.js";
import { ProcessTable } from "../../../dist/kernel/process/table.js";
import { callerOf, seen } from "./callers.mjs";

/** What the table and the calls look at of a process. */
function processOf(pid, { ppid = 7, processGroup = pid, session = 7, uid = 1000, ...more } = {}) {
  const made = {
    pid,
    ppid,
    processGroup,
    session,
    nice: 0,
    ended: false,
    textBytes: 10,
    argv: ["program", String(pid)],
    credentials: { uid, gid: uid, umask: 0o022, cwd: "/" },
    exited: new WaitQueue(),
    signals: [],
    signal(signal, sender) {
      made.signals.push([signal, sender]);
      return made.ended ? -Errno.ESRCH : 0;
    },
    countFor: (parent) => (parent.counted = (parent.counted ?? 0) + 1),
    forgetText: () => 10,
    ...more,
  };
  return made;
}

/** A caller with pid 7, in a table with `others`. */
function among(others, given = {}) {
  const { caller, call } = callerOf({
    ...given,
    own: { ...processOf(7, { ppid: 1 }), ...given.own },
    machine: ({ account, fs }) => ({ processes: new ProcessTable(64, account), fs }),
  });
  for (const one of [caller, ...others]) caller.vm.processes.add(one);
  return { caller, call };
}

test("kill means one, its group, a group, or all but the caller", () => {
  const [child, grandchild, other] = [
    processOf(8, { processGroup: 7 }),
    processOf(9, { processGroup: 8 }),
    processOf(10, { processGroup: 8 }),
  ];
  const { caller, call } = among([child, grandchild, other]);
  const heard = () =>
    [caller, child, grandchild, other].map(({ signals }) => signals.splice(0).length);
  assert.deepEqual(call("kill", { pid: 9, signal: 15 }), {});
  assert.deepEqual(heard(), [0, 0, 1, 0]);
  assert.deepEqual(call("kill", { pid: 0, signal: 15 }), {});
  assert.deepEqual(heard(), [1, 1, 0, 0]);
  assert.deepEqual(call("kill", { pid: -8, signal: 15 }), {});
  assert.deepEqual(heard(), [0, 0, 1, 1]);
  assert.deepEqual(call("kill", { pid: -1, signal: 15 }), {});
  assert.deepEqual(heard(), [0, 1, 1, 1]);
  assert.equal(call("kill", { pid: 99, signal: 15 }), -Errno.ESRCH);
  assert.equal(call("kill", { pid: 1, signal: 15 }), -Errno.EPERM);
  assert.equal(call("kill", { pid: 8, signal: 65 }), -Errno.EINVAL);
});

test("signals to others are asked of the policy, each by itself, and to oneself are not", () => {
  const child = processOf(8);
  const { caller, call } = among([child], { policies: { process: "deny" } });
  assert.match(call("kill", { pid: 8, signal: 9 }), /^EACCES: permission denied/);
  assert.deepEqual(child.signals, []);
  assert.deepEqual(call("kill", { pid: 7, signal: 9 }), {});
  assert.deepEqual(caller.signals, [[9, 7]]);
});

test("nice: one becomes nicer, root may do the other too, of others only one's own", () => {
  const [own, strangers] = [processOf(8), processOf(9, { uid: 2000 })];
  const { call } = among([own, strangers]);
  // A value out of range asks.
  assert.deepEqual(call("priority", { pid: 0, nice: 100 }), { nice: 0 });
  assert.deepEqual(call("priority", { pid: 0, nice: 5 }), { nice: 5 });
  assert.equal(call("priority", { pid: 0, nice: 4 }), -Errno.EACCES);
  assert.deepEqual(call("priority", { pid: 8, nice: 5 }), { nice: 5 });
  assert.equal(own.nice, 5);
  assert.equal(call("priority", { pid: 9, nice: 5 }), -Errno.EPERM);
  assert.equal(call("priority", { pid: 99, nice: 5 }), -Errno.ESRCH);
  const root = among([processOf(8)], { uid: 0, own: { credentials: undefined } });
  root.caller.credentials = { uid: 0, gid: 0, umask: 0o022, cwd: "/" };
  assert.deepEqual(root.call("priority", { pid: 8, nice: -20 }), { nice: -20 });
});

test("waiting: a child that has ended is told once, one that runs when it ends, a stranger's never", async () => {
  const status = { code: 3, signal: 0 };
  const ended = processOf(8, { ended: true, status });
  const running = processOf(9);
  const { caller, call } = among([ended, running, processOf(10, { ppid: 1 })]);
  assert.deepEqual(call("wait", { pid: 8 }), status);
  assert.equal(call("wait", { pid: 8 }), -Errno.ECHILD);
  assert.equal(call("wait", { pid: 10 }), -Errno.ECHILD);
  const waiting = seen(call("wait", { pid: 9 }));
  assert.deepEqual(waiting, []);
  Object.assign(running, { ended: true, status: { code: 0, signal: 9 } });
  running.exited.wakeAll();
  await undefined;
  assert.deepEqual(waiting, [{ code: 0, signal: 9 }]);
  assert.equal(caller.counted, 2);
  assert.equal(caller.vm.processes.size, 2);
});

test("process groups: of oneself or a child, in the same session, and no leader's", () => {
  const [child, stranger, leader] = [
    processOf(8, { processGroup: 7 }),
    processOf(9, { ppid: 1 }),
    processOf(10, { session: 10 }),
  ];
  const { call } = among([child, stranger, leader]);
  assert.deepEqual(call("setProcessGroup", { pid: 8, group: 0 }), {});
  assert.equal(child.processGroup, 8);
  assert.deepEqual(call("setProcessGroup", { pid: 8, group: 7 }), {});
  assert.equal(call("setProcessGroup", { pid: 8, group: 50 }), -Errno.EPERM);
  assert.equal(call("setProcessGroup", { pid: 9, group: 0 }), -Errno.ESRCH);
  assert.equal(call("setProcessGroup", { pid: 10, group: 0 }), -Errno.EPERM);
  // The caller leads its session.
  assert.equal(call("setProcessGroup", { pid: 0, group: 0 }), -Errno.EPERM);
});

test("the directory is one that can be entered, by its canonical path, and may be gone later", () => {
  const { caller, call } = among([], {});
  const root = { uid: 0, gid: 0, umask: 0, cwd: "/" };
  const { fs } = caller;
  fs.mkdir(root, "/a", 0o755);
  fs.mkdir(root, "/a/b", 0o777);
  fs.mkdir(root, "/shut", 0o700);
  fs.writeFile(root, "/file", "", O_CREAT | O_WRONLY, 0o644);
  fs.symlink(root, "/a/b", "/link");
  assert.deepEqual(call("chdir", { path: "/link" }), { cwd: "/a/b" });
  assert.deepEqual(call("getcwd"), { cwd: "/a/b" });
  assert.deepEqual(call("chdir", { path: ".." }), { cwd: "/a" });
  assert.equal(call("chdir", { path: "/shut" }), -Errno.EACCES);
  assert.equal(call("chdir", { path: "/file" }), -Errno.ENOTDIR);
  assert.equal(call("chdir", { path: "/none" }), -Errno.ENOENT);
  assert.deepEqual(call("getcwd"), { cwd: "/a" });
  call("chdir", { path: "/a/b" });
  fs.rmdir(root, "/a/b");
  assert.equal(call("getcwd"), -Errno.ENOENT);
});

test("umask answers the one before, and takes permissions alone", () => {
  const { call } = among([]);
  assert.deepEqual(call("umask", { mask: -1 }), { previous: 0o022 });
  assert.deepEqual(call("umask", { mask: 0o7077 }), { previous: 0o022 });
  assert.deepEqual(call("umask", { mask: -1 }), { previous: 0o077 });
});
