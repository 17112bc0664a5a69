// Terminals as the kernel has them: the line discipline against what Linux does, both sides of a pty, the account.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LocalFlag, OutputFlag, rawAttributes, saneAttributes } from "../../dist/abi/termios.js";
import { Errno } from "../../dist/abi/errno.js";
import { TerminalTable } from "../../dist/kernel/io/terminal.js";
import { Account } from "../../dist/kernel/machine/account.js";

const nothing = { kernelBytes: 0, kernelObjects: 0, hostDescriptors: 0 };
const bytes = (text) => Buffer.from(text, "latin1");
const textOf = (data) => (typeof data === "number" ? data : Buffer.from(data).toString("latin1"));

function machine(limit = 4) {
  const account = new Account({ kernelBytes: 2 ** 24, kernelObjects: 1000, hostDescriptors: 1 });
  const signals = [];
  const table = new TerminalTable({
    account,
    limit,
    signalGroup: (group, signal) => signals.push([group, signal]),
    signalLeader: (session, signal) => signals.push(["leader", session, signal]),
  });
  return { account, signals, table };
}

function terminal(change = {}) {
  const { account, signals, table } = machine();
  const made = table.create({ rows: 24, columns: 80 });
  const slave = made.openSlave();
  made.session = 10;
  made.foreground = 12;
  made.discipline.attributes = { ...saneAttributes(), ...change };
  return {
    account,
    signals,
    table,
    made,
    slave,
    type: (text) => made.master.write(bytes(text)),
    screen: () => textOf(made.master.read(65_536)),
    read: (size = 4096) => textOf(slave.read(size)),
  };
}

describe("what is typed", () => {
  // Recorded from a pty of Linux 6.18 with the same settings: typed, read, screen.
  const rows = [
    ["hello\r", "hello\n", "hello\r\n"],
    ["abc\x7fd\n", "abd\n", "abc\b \bd\r\n"],
    ["\x7f\x7fa\n", "a\n", "a\r\n"],
    ["one two\x17x\n", "one x\n", "one two\b \b\b \b\b \bx\r\n"],
    ["one two  \x17x\n", "one x\n", "one two  \b \b\b \b\b \b\b \b\b \bx\r\n"],
    ["gone\x15x\n", "x\n", "gone\b \b\b \b\b \b\b \bx\r\n"],
    ["a\x16\x03b\n", "a\x03b\n", "a^\b^Cb\r\n"],
    ["a\x01\x7fb\n", "ab\n", "a^A\b \b\b \bb\r\n"],
    ["ab\x12c\n", "abc\n", "ab^R\r\nabc\r\n"],
    ["a\t\x7fb\n", "ab\n", `a\t${"\b".repeat(7)}b\r\n`],
    ["\xc3\xa9\x7fx\n", "x\n", "\xc3\xa9\b \bx\r\n"],
    ["part\x04", "part", "part"],
  ];
  for (const [typed, read, screen] of rows) {
    it(JSON.stringify(typed), () => {
      const { type, screen: shown, read: taken } = terminal();
      assert.equal(type(typed), typed.length);
      assert.equal(taken(), read);
      assert.equal(shown(), screen);
    });
  }

  it("a line is readable when it is complete, one at a time and in parts", () => {
    const { type, read } = terminal();
    type("no end");
    assert.equal(read(), -Errno.EAGAIN);
    type("\nsecond\n");
    assert.equal(read(3), "no ");
    assert.equal(read(), "end\n");
    assert.equal(read(), "second\n");
    assert.equal(read(), -Errno.EAGAIN);
  });

  it("^D on an empty line is the end of file, once", () => {
    const { type, read } = terminal();
    type("\x04");
    assert.equal(read(), "");
    assert.equal(read(), -Errno.EAGAIN);
  });

  it("^C, ^\\ and ^Z signal the foreground and drop what was typed", () => {
    const { type, read, screen, signals } = terminal();
    type("lost\x03kept\n\x1c\x1a");
    assert.deepEqual(signals, [
      [12, 2],
      [12, 3],
      [12, 20],
    ]);
    assert.equal(read(), -Errno.EAGAIN);
    assert.equal(screen(), "^Z");
  });

  it("without ISIG and ICANON every byte is itself, without ECHO nothing shows", () => {
    const { type, read, screen, signals } = terminal(rawAttributes(saneAttributes()));
    type("a\x03\x04\r\x7f");
    assert.equal(read(), "a\x03\x04\r\x7f");
    assert.equal(screen(), -Errno.EAGAIN);
    assert.deepEqual(signals, []);
  });

  it("what was typed before a change to raw is readable then", () => {
    const { made, type, read } = terminal();
    type("half");
    made.discipline.attributes = rawAttributes(saneAttributes());
    assert.equal(read(), "half");
  });

  it("VMIN holds a read back until there is enough; VMIN 0 never does", () => {
    const raw = rawAttributes(saneAttributes());
    const { made, type, read } = terminal(raw);
    const cc = Uint8Array.from(raw.cc);
    cc[6] = 3;
    made.discipline.attributes = { ...raw, cc };
    type("ab");
    assert.equal(read(), -Errno.EAGAIN);
    type("c");
    assert.equal(read(), "abc");
    cc[6] = 0;
    assert.equal(read(), "");
  });

  it("a line that nobody ends is bounded, and so is what nobody reads", () => {
    const { type, read } = terminal();
    assert.equal(type("x".repeat(10_000)), 10_000);
    type("\n");
    assert.equal(read(65_536).length, 4096);
    const { type: raw } = terminal(rawAttributes(saneAttributes()));
    assert.equal(raw("x".repeat(10_000)), 4095);
    assert.equal(raw("x"), -Errno.EAGAIN);
  });
});

describe("what is written", () => {
  it("ONLCR, OCRNL, XTABS and no processing", () => {
    const written = (oflag, text) => {
      const { screen, slave } = terminal({ oflag });
      assert.equal(slave.write(bytes(text)), text.length);
      return screen();
    };
    const { OCRNL, ONLCR, OPOST, XTABS } = OutputFlag;
    assert.equal(written(OPOST | ONLCR, "a\nb\r\tc"), "a\r\nb\r\tc");
    assert.equal(written(OPOST | OCRNL, "a\rb\n"), "a\nb\n");
    assert.equal(written(OPOST | XTABS, "ab\tc"), "ab      c");
    assert.equal(written(0, "a\nb\r"), "a\nb\r");
  });

  it("^S stops it, ^Q lets it go on", () => {
    const { type, slave, screen } = terminal();
    let woken = 0;
    type("\x13");
    assert.equal(slave.write(bytes("text")), -Errno.EAGAIN);
    slave.writable.add(() => woken++);
    type("\x11");
    assert.equal(woken, 1);
    assert.equal(slave.write(bytes("text")), 4);
    assert.equal(screen(), "text");
  });

  it("is bounded while the master reads nothing, and goes on in order", () => {
    const { made, slave } = terminal();
    const sent = bytes(Array.from({ length: 20_000 }, (_, i) => `${i}\n`).join(""));
    let shown = "";
    let at = 0;
    for (let rounds = 0; at < sent.length; rounds++) {
      const written = slave.write(sent.subarray(at));
      if (written > 0) at += written;
      else {
        assert.equal(written, -Errno.EAGAIN);
        const part = made.master.read(65_536);
        assert.ok(part.length <= 16_384);
        shown += textOf(part);
      }
      assert.ok(rounds < 1000);
    }
    shown += textOf(made.master.read(65_536));
    assert.equal(shown, textOf(sent).replaceAll("\n", "\r\n"));
  });
});

describe("both sides", () => {
  it("a new size is a SIGWINCH for the foreground, the same size is none", () => {
    const { made, signals } = terminal();
    made.resize({ rows: 24, columns: 80 });
    made.resize({ rows: 30, columns: 80 });
    assert.deepEqual(signals, [[12, 28]]);
    assert.deepEqual(made.size, { rows: 30, columns: 80 });
  });

  it("the master's end hangs up: SIGHUP, end of file, EIO, and the number is free", () => {
    const { account, made, signals, slave, table, read } = terminal();
    made.master.unref();
    assert.deepEqual(signals, [
      ["leader", 10, 1],
      ["leader", 10, 18],
      [12, 1],
      [12, 18],
    ]);
    assert.equal(read(), "");
    assert.equal(slave.write(bytes("x")), -Errno.EIO);
    assert.equal(made.openSlave(), -Errno.EIO);
    assert.deepEqual(table.numbers(), [0]);
    slave.unref();
    assert.deepEqual(table.numbers(), []);
    assert.deepEqual(account.usage, nothing);
  });

  it("the last slave's end is EIO for the master, after what was written", () => {
    const { account, made, slave } = terminal();
    slave.write(bytes("last words"));
    slave.unref();
    assert.equal(textOf(made.master.read(4)), "last");
    assert.equal(textOf(made.master.read(99)), " words");
    assert.equal(made.master.read(99), -Errno.EIO);
    made.master.unref();
    assert.deepEqual(account.usage, nothing);
  });

  it("there are as many as the limit says, and each is counted", () => {
    const { account, table } = machine(2);
    const one = table.create({ rows: 1, columns: 1 });
    const two = table.create({ rows: 1, columns: 1 });
    assert.deepEqual([one.number, two.number], [0, 1]);
    assert.equal(table.create({ rows: 1, columns: 1 }), -Errno.ENOSPC);
    one.master.unref();
    assert.equal(table.create({ rows: 1, columns: 1 }).number, 0);
    for (const number of table.numbers()) table.get(number).master.unref();
    two.master.unref();
    assert.deepEqual(account.usage, nothing);
  });
});

it("no attributes and no bytes break it", () => {
  let seed = 7;
  const random = (below) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((seed / 2_147_483_648) * below);
  };
  const { account, made, slave } = terminal();
  for (let round = 0; round < 3000; round++) {
    if (random(10) === 0) {
      const flags = () => random(2 ** 31);
      const cc = Uint8Array.from({ length: 19 }, () => random(256));
      cc[5] = 0;
      const lflag = flags() & ~LocalFlag.NOFLSH;
      made.discipline.attributes = { iflag: flags(), oflag: flags(), cflag: 0, lflag, cc };
    }
    const data = Uint8Array.from({ length: random(700) }, () => random(256));
    const result = random(2) === 0 ? made.master.write(data) : slave.write(data);
    assert.ok(result <= data.length && (result >= 0 || result === -Errno.EAGAIN));
    if (random(3) === 0) slave.read(random(5000));
    if (random(3) === 0) made.master.read(random(20_000) + 1);
    assert.ok(account.usage.kernelBytes < 64 * 1024, `${account.usage.kernelBytes}`);
  }
  made.master.unref();
  slave.unref();
  assert.deepEqual(account.usage, nothing);
});
