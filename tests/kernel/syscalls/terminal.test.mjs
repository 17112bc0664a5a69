// Calls about terminals: which descriptors are one, what may be set, and who may change it.
import assert from "node:assert/strict";
import { constants } from "node:os";
import { test } from "node:test";
import { Errno } from "../../../dist/abi/errno.js";
import { saneAttributes } from "../../../dist/abi/termios.js";
import { TerminalTable } from "../../../dist/kernel/io/terminal.js";
import { callerOf } from "./callers.mjs";

const { SIGTTOU } = constants.signals;

/** A caller with a terminal at descriptor 0, of its own session, and its group in the foreground. */
function atTerminal(own = {}) {
  const remembered = [];
  const groups = [{ processGroup: 7, session: 7, ended: false, pid: 7, ppid: 1 }];
  const { caller, call } = callerOf({
    own: {
      session: 7,
      processGroup: 7,
      stopped: false,
      ignores: () => false,
      handlesOrIgnores: () => false,
      rememberTerminal: (_terminal, untilEnd) => remembered.push(untilEnd),
      ...own,
    },
    machine: ({ account }) => ({
      terminals: new TerminalTable({
        account,
        limit: 2,
        signalGroup: () => {},
        signalLeader: () => {},
      }),
      processes: {
        values: () => groups,
        get: (pid) => groups.find((one) => one.pid === pid),
        signalGroup: (group, signal) => signals.push([group, signal]),
      },
    }),
  });
  const signals = [];
  const terminal = caller.vm.terminals.create({ rows: 24, columns: 80 });
  terminal.session = 7;
  terminal.foreground = 7;
  const fd = caller.descriptors.add(terminal.openSlave());
  return { caller, call, fd, groups, remembered, signals, terminal };
}

/** What `terminalSet` takes, with these changes. */
const settings = (change = {}) => {
  const { cc, ...flags } = saneAttributes();
  return { ...flags, cc: Uint8Array.from(cc), flush: false, untilEnd: true, ...change };
};

test("what is no terminal says so, for every call", () => {
  const { call } = callerOf();
  const { reader: fd } = call("pipe");
  for (const [name, args] of [
    ["terminalGet", {}],
    ["terminalSet", settings()],
    ["terminalResize", { rows: 1, columns: 1 }],
    ["terminalForeground", { group: 7 }],
  ]) {
    assert.equal(call(name, { ...args, fd }), -Errno.ENOTTY, name);
    assert.equal(call(name, { ...args, fd: 50 }), -Errno.EBADF, name);
  }
});

test("settings come back as they were set, and are remembered for who set them", () => {
  const { call, fd, remembered } = atTerminal();
  const raw = settings({ lflag: 0, untilEnd: false });
  assert.deepEqual(call("terminalSet", { ...raw, fd }), {});
  const { lflag, cc, rows, columns, foreground, session } = call("terminalGet", { fd });
  assert.deepEqual(
    [lflag, Buffer.from(cc), rows, columns, foreground, session],
    [0, Buffer.from(raw.cc), 24, 80, 7, 7],
  );
  assert.deepEqual(remembered, [false]);
  assert.equal(call("terminalSet", { ...raw, fd, cc: Uint8Array.of(1, 2) }), -Errno.EINVAL);
});

test("with flush what was typed and not read is gone", () => {
  const { call, fd, terminal } = atTerminal();
  terminal.master.write(Buffer.from("one\n"));
  call("terminalSet", { ...settings({ flush: true }), fd });
  terminal.master.write(Buffer.from("two\n"));
  const { data } = call("read", { fd, length: 100, position: -1 });
  assert.equal(Buffer.from(data).toString(), "two\n");
});

test("a size has sixteen bits each way", () => {
  const { call, fd } = atTerminal();
  assert.deepEqual(call("terminalResize", { fd, rows: 0xffff, columns: 1 }), {});
  assert.equal(call("terminalGet", { fd }).rows, 0xffff);
  assert.equal(call("terminalResize", { fd, rows: 0x10000, columns: 1 }), -Errno.EINVAL);
  assert.equal(call("terminalResize", { fd, rows: 1, columns: 0x10000 }), -Errno.EINVAL);
});

test("the background is stopped by changing settings, unless it handles or ignores that", () => {
  const background = { processGroup: 8, handlesOrIgnores: () => false };
  const { call, fd, groups, signals } = atTerminal(background);
  groups.push({ processGroup: 8, session: 7, ended: false, pid: 8, ppid: 7 });
  assert.equal(call("terminalSet", { ...settings(), fd }), -Errno.EINTR);
  assert.deepEqual(signals, [[8, SIGTTOU]]);

  const ignoring = atTerminal({ processGroup: 8, handlesOrIgnores: (one) => one === SIGTTOU });
  assert.deepEqual(ignoring.call("terminalSet", { ...settings(), fd: ignoring.fd }), {});
});

test("the foreground goes to a group of the terminal's session, given by one of its processes", () => {
  const { call, fd, groups, terminal } = atTerminal();
  groups.push({ processGroup: 9, session: 7, ended: false, pid: 9, ppid: 7 });
  groups.push({ processGroup: 20, session: 20, ended: false, pid: 20, ppid: 1 });
  assert.deepEqual(call("terminalForeground", { fd, group: 9 }), {});
  assert.equal(terminal.foreground, 9);
  assert.equal(call("terminalForeground", { fd, group: 20 }), -Errno.EPERM);
  assert.equal(call("terminalForeground", { fd, group: 50 }), -Errno.EPERM);
  const stranger = atTerminal({ session: 20, processGroup: 20 });
  assert.equal(stranger.call("terminalForeground", { fd: stranger.fd, group: 7 }), -Errno.ENOTTY);
});
