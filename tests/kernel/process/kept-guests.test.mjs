// Which commands may have the guest of one that has ended, and for how long.
import assert from "node:assert/strict";
import { availableParallelism } from "node:os";
import { afterEach, mock, test } from "node:test";
import { KeptGuests } from "../../../dist/kernel/process/kept-guests.js";

/** What a guest had when it was ready. All are this process: it has used nothing since the one, and far too much since the other. */
const muchMemory = { anonymousBytes: 2 ** 40 };
const noMemory = { anonymousBytes: -(2 ** 40) };

const made = [];
afterEach(() => {
  for (const guest of made.splice(0)) guest.end();
});

function setUp() {
  const held = { guest: 0 };
  const account = { force: (kind) => held[kind]++, give: (kind) => held[kind]-- };
  const processes = new Map();
  const vm = { processes, disposed: false, deterministic: undefined };
  const process = (pid, ppid, mode, image = "") => {
    const made = {
      vm,
      pid,
      ppid,
      ended: false,
      credentials: { uid: 1000, gid: 1000 },
      limits: { memoryBytes: 64 },
      usage: () => ({ userUs: 900, systemUs: 200 }),
      startOptions: { mode, image },
    };
    processes.set(pid, made);
    return made;
  };
  const guests = new KeptGuests(account);
  const guest = (changes = {}) => {
    const gone = [];
    const one = {
      pid: globalThis.process.pid,
      lives: 1,
      memoryBytes: 64,
      resting: muchMemory,
      isWaiting: true,
      onGone: (run) => void gone.push(run),
      end() {
        one.isWaiting = false;
        for (const run of gone.splice(0)) run();
      },
      ...changes,
    };
    made.push(one);
    return one;
  };
  const program = process(2, 1, "program");
  return { guests, guest, process, program, vm, held };
}

const command = ({ process }, pid, ppid = 2, image = "ls") => process(pid, ppid, "command", image);

test("the next command of the same program has it, once", () => {
  const all = setUp();
  const { guests, guest, held } = all;
  const kept = guest();
  assert.equal(guests.keep(kept, command(all, 3)), true);
  assert.deepEqual([guests.size, held.guest], [1, 1]);
  assert.equal(guests.take(command(all, 4), "cat"), kept);
  assert.equal(guests.take(command(all, 5), "cat"), undefined);
  assert.deepEqual([guests.size, held.guest], [0, 0]);
});

test("commands below commands are the program's as well", () => {
  const all = setUp();
  const { guests, guest } = all;
  command(all, 3, 2, "sh");
  const kept = guest();
  assert.equal(guests.keep(kept, command(all, 4, 3)), true);
  command(all, 5, 2, "sh");
  assert.equal(guests.take(command(all, 6, 5), "ls"), kept);
});

test("a shell of the host's has those of its own commands", () => {
  const all = setUp();
  const { guests, guest } = all;
  const shell = command(all, 3, 1, "sh");
  const other = command(all, 4, 1, "sh");
  const kept = guest();
  assert.equal(KeptGuests.mayBeOf(shell), false);
  assert.equal(guests.keep(guest(), shell), false);
  assert.equal(guests.keep(kept, command(all, 5, 3)), true);
  assert.equal(guests.take(command(all, 6, 4), "ls"), undefined);
  assert.equal(guests.take(other, "ls"), undefined);
  assert.equal(guests.take(command(all, 7, 3), "ls"), kept);
});

test("another program, user or limit has none of it", () => {
  const all = setUp();
  const { guests, guest, process } = all;
  process(10, 1, "program");
  const kept = guest();
  guests.keep(kept, command(all, 3));
  assert.equal(guests.take(command(all, 11, 10), "ls"), undefined);
  const nobody = command(all, 12);
  nobody.credentials = { uid: 65534, gid: 1000 };
  assert.equal(guests.take(nobody, "ls"), undefined);
  nobody.credentials = { uid: 1000, gid: 65534 };
  assert.equal(guests.take(nobody, "ls"), undefined);
  const larger = command(all, 13);
  larger.limits = { memoryBytes: 128 };
  assert.equal(guests.take(larger, "ls"), undefined);
  assert.equal(guests.take(command(all, 14), "ls"), kept);
});

test("one that speaks meanwhile is nobody's", () => {
  const all = setUp();
  const { guests, guest } = all;
  const kept = guest();
  guests.keep(kept, command(all, 3));
  kept.isWaiting = false;
  assert.equal(guests.take(command(all, 4), "ls"), undefined);
});

test("one that was the same command comes first", () => {
  const all = setUp();
  const { guests, guest } = all;
  const kept = ["ls", "git", "awk"].map((image, at) => {
    const made = guest();
    guests.keep(made, command(all, 3 + at, 2, image));
    return made;
  });
  assert.equal(guests.take(command(all, 9), "git"), kept[1]);
});

test("few are kept, for few lives, of little memory, and none in a deterministic machine", () => {
  const all = setUp();
  const { guests, guest, vm, program } = all;
  assert.equal(guests.keep(guest({ resting: noMemory }), command(all, 3)), false);
  assert.equal(guests.keep(guest({ lives: 500 }), command(all, 3)), false);
  // One that was short is believed to be small, but for every eighth.
  const short = command(all, 3);
  short.usage = () => ({ userUs: 900, systemUs: 0 });
  assert.equal(guests.keep(guest({ resting: noMemory, lives: 16 }), short), false);
  const believed = guest({ resting: noMemory });
  assert.equal(guests.keep(believed, short), true);
  believed.end();
  assert.equal(guests.keep(guest({ isWaiting: false }), command(all, 3)), false);
  const kept = Array.from({ length: 5 }, () => guests.keep(guest(), command(all, 3)));
  assert.deepEqual(kept, [true, true, true, true, false]);
  guests.endAll();
  assert.equal(guests.size, 0);
  // Of all machines together as well, kept or in use again.
  const most = Math.max(4, 2 * availableParallelism());
  const machines = Array.from({ length: most + 1 }, () => setUp());
  const numbers = machines.map((each) => Number(each.guests.keep(each.guest(), command(each, 3))));
  assert.deepEqual(numbers, [...Array.from({ length: most }, () => 1), 0]);
  const inUse = machines[0].guests.take(command(machines[0], 4), "ls");
  assert.equal(guests.keep(guest(), command(all, 4)), false);
  inUse.end();
  for (const each of machines) each.guests.endAll();
  vm.othersWait = true;
  assert.equal(guests.keep(guest(), command(all, 4)), false);
  vm.othersWait = false;
  assert.equal(guests.keep(guest(), command(all, 4)), true);
  guests.endAll();

  program.ended = true;
  assert.equal(guests.keep(guest(), command(all, 5)), false);
  program.ended = false;
  vm.disposed = true;
  assert.equal(guests.keep(guest(), command(all, 6)), false);
  vm.deterministic = { seed: "a", startTimeMs: 0 };
  assert.equal(KeptGuests.mayBeOf(command(all, 7)), false);
});

test("it goes with its program, by itself, or when nothing came for a second", (t) => {
  mock.timers.enable({ apis: ["setTimeout"] });
  t.after(() => mock.timers.reset());
  let nowMs = 0;
  t.mock.method(performance, "now", () => nowMs);
  const all = setUp();
  const { guests, guest, program, held } = all;
  const first = guest();
  guests.keep(first, command(all, 3));
  first.end();
  assert.deepEqual([guests.size, held.guest], [0, 0]);

  const second = guest();
  guests.keep(second, command(all, 4));
  guests.processEnded(command(all, 5));
  assert.equal(second.isWaiting, true);
  guests.processEnded(program);
  assert.equal(second.isWaiting, false);

  const [third, fourth] = [guest(), guest()];
  guests.keep(third, command(all, 6));
  nowMs = 600;
  guests.keep(fourth, command(all, 7));
  nowMs = 1000;
  mock.timers.tick(1000);
  assert.deepEqual([third.isWaiting, fourth.isWaiting], [false, true]);
  nowMs = 1600;
  mock.timers.tick(600);
  assert.equal(fourth.isWaiting, false);
  assert.deepEqual([guests.size, held.guest], [0, 0]);
});
