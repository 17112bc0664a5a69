// Attacks with native code in the guest, which the threat model grants: what no limit of Linux
// counts for one process is bounded, and nothing that a guest holds leads into the zygote.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { alive, tree } from "../support/processes.mjs";
import { importWithNatives } from "../support/natives.mjs";

const timeout = 60_000;
let attacker;
let bystander;
before(async () => {
  const { NodeRuntime } = await importWithNatives();
  const nothing = { fs: "deny", network: "deny", childProcess: "deny" };
  attacker = await NodeRuntime.create({ permissions: nothing });
  bystander = await NodeRuntime.create();
});
after(() => Promise.all([attacker.dispose(), bystander.dispose()]));

const library = `
const { libc, ffi } = __natives;
const c = new ffi.DynamicLibrary("libc.so.6");
const mmap = c.getFunction("mmap", { arguments: ["u64", "u64", "i32", "i32", "i32", "i64"], return: "i64" });
const PRIVATE_ANONYMOUS_NORESERVE = 0x4022;
`;

/** The program's end, and what another machine says meanwhile. */
async function attack(source) {
  const ended = attacker.exec(library + source, { timeout: 20_000 }).then(
    ({ exitCode, stdout, stderr }) => ({ exitCode, stdout, stderr }),
    ({ code, message }) => ({ code, message }),
  );
  assert.equal((await bystander.run("__return(6 * 7)")).value, 42);
  return ended;
}

test("threads without end are ended", { timeout }, async () => {
  const end = await attack(`
    const u64 = (name, count, result = "i32") => c.getFunction(name, { arguments: Array(count).fill("u64"), return: result });
    const room = BigInt(mmap(0n, 4096n, 3, PRIVATE_ANONYMOUS_NORESERVE, -1, 0n));
    u64("pthread_attr_init", 1)(room);
    // The smallest, or the memory limit would be met first.
    u64("pthread_attr_setstacksize", 2)(room, 16384n);
    const create = u64("pthread_create", 4);
    // sleep(3), for as long as it can be said.
    const sleep = BigInt(c.getSymbol("sleep"));
    while (create(room + 1024n, room, sleep, 0xffff_ffffn) === 0);
    setInterval(() => {}, 1000);`);
  assert.equal(end.exitCode, 137, JSON.stringify(end));
  assert.match(end.stderr, /^ERR_SECURE_EXEC_THREAD_LIMIT: the process had \d+ threads/);
});

test("page tables without end are ended", { timeout }, async () => {
  const end = await attack(`
    const copy = c.getFunction("memcpy", { arguments: ["buffer", "u64", "u64"], return: "u64" });
    const byte = Buffer.alloc(1);
    const PROT_READ = 1;
    const span = 1n << 40n;
    for (;;) {
      const from = mmap(0n, span, PROT_READ, PRIVATE_ANONYMOUS_NORESERVE, -1, 0n);
      // Reads the one zero page of Linux, through a table of its own each.
      for (let at = 0n; at < span; at += 1n << 21n) copy(byte, from + at, 1n);
    }`);
  assert.equal(end.exitCode, 137, JSON.stringify(end));
  assert.match(end.stderr, /^ERR_SECURE_EXEC_MEMORY_LIMIT: .* bytes of page tables/);
});

test("nothing that a guest can write to is read by the zygote", { timeout }, async () => {
  const { zygote } = tree();
  const end = await attack(`
    const noise = Buffer.alloc(176, 0x41);
    const taken = [];
    for (let fd = 4; fd < 4096; fd++) if (libc.write(fd, noise, 0, noise.length) > 0) taken.push(fd);
    __natives.channel.writeOutput(1, Buffer.from(taken.join()));
    libc._exit(0);`);
  // Its own eventfd and the write end of its own pipe, and nothing else; nobody believes its end.
  assert.equal(end.code, "ERR_SECURE_EXEC_OUTCOME_UNKNOWN", JSON.stringify(end));
  assert.equal(tree().zygote, zygote);
  assert.ok(alive(zygote));
});
