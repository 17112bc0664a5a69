// Attacks that mix what the host may do at any time (abort, kill, snapshot, a resident run) with a program in the middle of
// something: the machine or its files go on, and nothing of it stays with the host or the kernel.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { importWithNatives } from "../support/natives.mjs";
import { until } from "../support/processes.mjs";

const timeout = 60_000;
let NodeRuntime;
let bystander;
before(async () => {
  ({ NodeRuntime } = await importWithNatives());
  bystander = await NodeRuntime.create();
});
after(() => bystander.dispose());

async function isUnharmed() {
  assert.equal((await bystander.run("__return(6 * 7)")).value, 42);
}

/** Once the program has printed `word`. */
async function says(program, word) {
  for await (const line of program.stdout.lines()) if (line === word) return;
  assert.fail(`the program ended without saying ${word}`);
}

test(
  "the lock and the half transaction of a killed program are gone at once",
  { timeout },
  async (t) => {
    const rt = await NodeRuntime.create();
    t.after(() => rt.dispose());
    const open = `import { DatabaseSync } from "node:sqlite"; const db = new DatabaseSync("/tmp/k.db");`;
    await rt.exec(`${open} db.exec("create table t(a, b)");`);
    for (let round = 1; round <= 4; round++) {
      const holder = await rt.spawn(`${open}
      db.exec("begin immediate");
      const insert = db.prepare("insert into t values(?, ?)");
      // More than its cache holds: pages of the file are written before the commit that never comes.
      for (let i = 0; i < 6000; i++) insert.run(i, "x".repeat(500));
      console.log("locked");
      for (;;);`);
      await says(holder, "locked");
      holder.kill("SIGKILL");
      await holder.wait();
      const { stdout, stderr } = await rt.exec(`${open}
      db.exec("begin immediate; insert into t values(1, 1); commit");
      console.log(db.prepare("select count(*) c from t").get().c, db.prepare("pragma integrity_check").get().integrity_check);`);
      assert.equal(stdout, `${round} ok\n`, stderr);
    }
  },
);

test("of aborted runs no tool call stays with the host", { timeout }, async (t) => {
  let parked = 0;
  const never = {
    handler: (_, { signal }) =>
      new Promise((_resolve, reject) => {
        parked++;
        const end = () => {
          parked--;
          reject(new Error("aborted"));
        };
        if (signal.aborted) end();
        else signal.addEventListener("abort", end);
      }),
  };
  const rt = await NodeRuntime.create({ tools: { never } });
  t.after(() => rt.dispose());
  for (let round = 0; round < 5; round++) {
    const abort = new AbortController();
    const run = rt.exec(
      `for (let i = 0; i < 300; i++) callHostTool("never", {}).catch(() => {}); setInterval(() => {}, 1e6);`,
      { signal: abort.signal },
    );
    // The others wait for these.
    await until(() => parked >= 50);
    abort.abort();
    await assert.rejects(run);
    await until(() => parked === 0);
  }
  await isUnharmed();
});

test(
  "a snapshot taken in the middle of writes, renames and cuts is a whole one",
  { timeout },
  async (t) => {
    const rt = await NodeRuntime.create();
    t.after(() => rt.dispose());
    const writer = await rt.spawn(`import fs from "node:fs";
    fs.mkdirSync("/tmp/s");
    const bytes = Buffer.alloc(1 << 19, 7);
    for (let n = 0; ; n++) {
      fs.writeFileSync("/tmp/s/new", bytes);
      if (n % 3 === 0) fs.truncateSync("/tmp/s/new", 77_777_777);
      fs.renameSync("/tmp/s/new", "/tmp/s/" + (n % 20));
      if (n === 40) console.log("going");
    }`);
    await says(writer, "going");
    for (let round = 0; round < 3; round++) {
      const parts = [];
      for await (const part of await rt.snapshot()) parts.push(part);
      const again = await NodeRuntime.create({ snapshot: Buffer.concat(parts) });
      const { stdout, stderr } = await again.exec(`import fs from "node:fs";
      for (const name of fs.readdirSync("/tmp/s")) {
        if (name === "new") continue;
        const { size } = fs.statSync("/tmp/s/" + name);
        const fd = fs.openSync("/tmp/s/" + name);
        const start = Buffer.alloc(1 << 19);
        fs.readSync(fd, start, 0, start.length, 0);
        if (![1 << 19, 77_777_777].includes(size) || start.some((byte) => byte !== 7)) console.log(name, size);
      }
      console.log("looked");`);
      assert.equal(stdout, "looked\n", stderr);
      await again.dispose();
    }
    writer.kill("SIGKILL");
    await writer.wait();
  },
);

test(
  "frames that nobody awaits in a resident run end that runner alone",
  { timeout },
  async (t) => {
    const rt = await NodeRuntime.create();
    t.after(() => rt.dispose());
    for (const frame of [
      `"residentDone", { exitCode: 0 }`,
      `"ready", {}`,
      `"templateReady", { pending: [] }`,
    ]) {
      const runner = await rt.createResidentRunner();
      assert.equal((await runner.exec("console.log(1)")).stdout, "1\n");
      await assert.rejects(
        runner.exec(
          `__natives.channel.event(${frame}); __natives.channel.event(${frame}); await new Promise(() => setInterval(() => {}, 1e6));`,
        ),
        { code: "ERR_SECURE_EXEC_PROTOCOL_VIOLATION" },
        frame,
      );
      assert.equal((await rt.run("__return(7)")).value, 7);
    }
    await isUnharmed();
  },
);

test(
  "a template gets no process that was not ordered, however often it asks",
  { timeout },
  async (t) => {
    const rt = await NodeRuntime.create();
    t.after(() => rt.dispose());
    const template = await rt.template(`
    const x64 = process.arch === "x64";
    globalThis.answers = new Set();
    for (let i = 0; i < 1000; i++) {
      answers.add(__natives.libc.syscall(x64 ? 56 : 220, 0x1208011n, 0n, 0, 0, 0));
      answers.add(__natives.libc.syscall(x64 ? 157 : 167, 1, 9));
    }`);
    const { stdout } = await template.exec(
      `console.log([...answers].every((answer) => answer < 0))`,
    );
    assert.equal(stdout, "true\n");
    await template.dispose();
    await isUnharmed();
  },
);
