// Templates and their copies with native code: what they may ask of Linux beyond other guests gets them
// exactly the copies that were ordered, and what they break costs their own machine alone.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { alive, children, tree, until } from "../support/processes.mjs";
import { importWithNatives } from "../support/natives.mjs";

const timeout = 60_000;
let attacker;
let bystander;
let NodeRuntime;
before(async () => {
  ({ NodeRuntime } = await importWithNatives());
  attacker = await NodeRuntime.create();
  bystander = await NodeRuntime.create();
});
after(() => Promise.all([attacker.dispose(), bystander.dispose()]));

/** Numbers of include/uapi for the machine that this runs on, and the calls as a template makes them. */
const library = `
const { libc, channel } = globalThis.__natives;
const x64 = process.arch === "x64";
const SIBLING = 0x1208011n;
const clone = (flags = SIBLING, stack = 0n) => libc.syscall(x64 ? 56 : 220, flags, stack, 0, 0, 0);
const arrive = (signal = 9) => libc.syscall(x64 ? 157 : 167, 1, signal);
const tgkill = (pid, signal) => libc.syscall(x64 ? 234 : 131, pid, pid, signal);
const SIGCHLD = 17n, SIGABRT = 6;
const ready = () => channel.event("templateReady", { pending: [] });
`;

async function isUnharmed() {
  assert.equal((await bystander.run("__return(6 * 7)")).value, 42);
}

const ended = { code: "ERR_SECURE_EXEC_TEMPLATE_ENDED" };

/** How many filters a process is under; those of a template's family are under one more. */
function filtersOf(pid) {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "latin1");
    return Number(/^Seccomp_filters:\s+(\d+)$/m.exec(status)?.[1]);
  } catch {
    return 0;
  }
}

test(
  "a template that forks twice gets one copy, and one that never arrives is found and ended",
  {
    timeout,
  },
  async (t) => {
    await isUnharmed();
    const { zygote } = tree();
    // No family is there yet: this is the first test.
    const filters = Math.max(...children(zygote).map(filtersOf));
    if (!(filters > 0)) return t.skip("this Linux does not count filters in /proc");
    const family = () => children(zygote).filter((pid) => alive(pid) && filtersOf(pid) > filters);
    await until(() => family().length === 0);
    const tpl = await attacker.template(`${library}
    ready();
    channel.awaitFork(0);
    const first = clone();
    // Neither says a word.
    if (first === 0) for (;;) libc.poll([], 1000);
    const second = clone();
    if (second === 0) for (;;) libc.poll([], 1000);
    for (;;) libc.poll([], 1000);`);
    // The order comes by itself.
    await until(() => family().length > 1);
    assert.equal(family().length, 2);
    const refused = assert.rejects(tpl.run("0"), ended);
    await isUnharmed();
    await refused;
    await until(() => family().length === 0);
    assert.equal(tree().zygote, zygote);
  },
);

test(
  "nobody forks, arrives or signals unasked: a set-up, a template, a copy",
  { timeout },
  async () => {
    const tries = `${library}
    const answers = {
      clone: [clone(), clone(SIBLING, 4096n), clone(SIGCHLD), clone(0x11n | 0x8000n), clone(SIBLING | 0x20000000n)],
      fork: libc.fork() === 0 && libc.getpid() === globalThis.__pid,
      arrive: [arrive(), arrive(0)],
      signal: [1, 2, 3, libc.getpid() - 1, libc.getpid() + 1].map((pid) => tgkill(pid, SIGABRT)),
    };`;
    const refused = {
      clone: [-1, -1, -1, -1, -1],
      fork: true,
      arrive: [-1, -1],
      signal: [-1, -1, -1, -1, -1],
    };
    const own = `globalThis.__pid = globalThis.__natives.libc.getpid();`;
    const tpl = await attacker.template(`${own}${tries} globalThis.inSetUp = answers;`);
    const { zygote } = tree();
    const program = `${own}${tries} __return({ inSetUp, answers });`;
    for (let run = 0; run < 2; run++) {
      const { value } = await tpl.run(program);
      assert.deepEqual(value, { inSetUp: refused, answers: refused });
    }
    assert.equal(tree().zygote, zygote);
    await tpl.dispose();
    await isUnharmed();
  },
);

test("abort() of a copy is seen as that of any guest", { timeout }, async () => {
  const tpl = await attacker.template(library);
  const [own, copied] = [await attacker.run(`process.abort()`), await tpl.run(`process.abort()`)];
  assert.deepEqual({ ...copied, end: copied.end }, { ...own, end: own.end });
  assert.notEqual(own.exitCode, 0);
  await tpl.dispose();
});

test(
  "a template that dies, leaves or does nothing when it is told to fork",
  { timeout },
  async () => {
    for (const end of [
      `libc._exit(0)`,
      `tgkill(libc.getpid(), SIGABRT)`,
      `channel.awaitFork(0)`,
      `channel.awaitFork(11)`,
    ]) {
      const tpl = await attacker.template(`${library}
      ready(); channel.awaitFork(0); ${end}; for (;;) libc.poll([], 1000);`);
      await assert.rejects(tpl.run("0"), ended, end);
      await assert.rejects(tpl.run("0"), { code: /^ERR_SECURE_EXEC_/ }, end);
    }
    await isUnharmed();
  },
);

test(
  "a machine made from a hostile template is refused, or is that template's own matter",
  { timeout },
  async () => {
    for (const end of [`libc._exit(0)`, `channel.awaitFork(11)`]) {
      const tpl = await attacker.template(`${library}
      ready(); channel.awaitFork(0); ${end}; for (;;) libc.poll([], 1000);`);
      await assert.rejects(NodeRuntime.create({ template: tpl }), ended, end);
    }
    // What its copies say in the other machine's name is refused there.
    const tpl = await attacker.template(`${library}
      globalThis.say = () => [clone(), arrive(), tgkill(1, SIGABRT), channel.call("awaitFork", { errno: 0 })];
      globalThis.lie = ready;`);
    const [one, two] = [
      await NodeRuntime.create({ template: tpl }),
      await NodeRuntime.create({ template: tpl }),
    ];
    assert.deepEqual((await one.run("__return(say())")).value, [-1, -1, -1, -1]);
    await assert.rejects(one.run("lie(); for (;;);"), {
      code: "ERR_SECURE_EXEC_PROTOCOL_VIOLATION",
    });
    // Its own template is a process of the machine as others are; killed, nothing begins there any more.
    await one.exec(
      `import fs from "node:fs";
       for (const pid of fs.readdirSync("/proc")) if (/^\\d+$/.test(pid) && Number(pid) > 1 && Number(pid) !== process.pid) process.kill(Number(pid), "SIGKILL");`,
    );
    // It is killed at once, and gone when Linux has ended it; a copy that waited may serve a run until then.
    const begins = () =>
      one.run("0").then(
        () => true,
        ({ code }) => code !== ended.code,
      );
    while (await begins());
    await assert.rejects(one.run("0"), ended);
    assert.deepEqual((await two.run("__return(say())")).value, [-1, -1, -1, -1]);
    assert.equal((await tpl.run("__return(typeof say)")).value, "function");
    await Promise.all([one.dispose(), two.dispose(), tpl.dispose()]);
    await isUnharmed();
  },
);

test(
  "no pipe to print through is a template's, which its copies would have as well; a copy gets its own",
  { timeout },
  async () => {
    const EPERM = -1;
    const EBADF = -9;
    const EEXIST = -17;
    const ask = `channel.callForDescriptor("outputPipe", {})`;
    const lines = `for (let at = 0; at < 300; at++) console.log("line " + at)`;
    const expected = Array.from({ length: 300 }, (_, at) => `line ${at}\n`).join("");
    const tpl = await attacker.template(`${library}
    ${lines};
    globalThis.inSetUp = [${ask}, ${ask}];
    globalThis.asked = () => { const [first, second] = [${ask}, ${ask}]; return [first > 2, second]; };
    globalThis.print = () => { ${lines} };`);
    const own = await tpl.run(`__return({ inSetUp, own: asked() })`);
    assert.deepEqual(own.value, { inSetUp: [EPERM, EPERM], own: [true, EEXIST] });
    // Each copy's lines are its own, also what it has not spoken of when it is gone.
    const [one, two] = await Promise.all([
      tpl.exec(`print(); process.abort();`),
      tpl.exec(`print(); process.exit(3);`),
    ]);
    assert.equal(one.stdout, expected);
    assert.deepEqual([two.stdout, two.exitCode], [expected, 3]);
    const further = await tpl.template(`globalThis.again = globalThis.__natives.${ask};`);
    assert.equal((await further.run(`__return(again)`)).value, EPERM);
    await Promise.all([tpl.dispose(), further.dispose()]);
    // Nor is one theirs whose output goes elsewhere, or comes in turns.
    const elsewhere = await attacker.run(
      `import { spawnSync } from "node:child_process"; import fs from "node:fs";
     const out = fs.openSync("/tmp/out", "w");
     spawnSync(process.execPath, ["-e", ${JSON.stringify(`${library} console.log(${ask})`)}], { stdio: ["ignore", out, "inherit"] });
     __return(fs.readFileSync("/tmp/out", "utf8"));`,
    );
    assert.equal(elsewhere.value, `${EBADF}\n`);
    const deterministic = await NodeRuntime.create({ deterministic: { seed: 1 } });
    assert.equal((await deterministic.run(`${library} __return(${ask})`)).value, EPERM);
    await deterministic.dispose();
    await isUnharmed();
  },
);

test("words that only a template may say end who is none", { timeout }, async () => {
  await assert.rejects(attacker.run(`${library} ready(); for (;;) libc.poll([], 1000);`), {
    code: "ERR_SECURE_EXEC_PROTOCOL_VIOLATION",
  });
  const { value } = await attacker.run(
    `${library} __return(channel.call("awaitFork", { errno: 0 }))`,
  );
  assert.equal(value, -1);
  await isUnharmed();
});

test("questions without end keep nobody else waiting", { timeout }, async () => {
  const tpl = await attacker.template(library);
  const flood = await tpl.spawn(
    `${library} console.log("floods"); for (;;) { clone(); arrive(); tgkill(1, SIGABRT); }`,
  );
  for (let run = 0; run < 5; run++) await isUnharmed();
  flood.kill("SIGKILL");
  assert.equal(await flood.wait(), 137);
  assert.equal((await tpl.run("__return(2)")).value, 2);
  await tpl.dispose();
});

test(
  "a zygote that is gone before a template's process is there says so; the next template is made",
  { timeout },
  async () => {
    await isUnharmed();
    const { zygote } = tree();
    // It answers nothing that it is asked from here on.
    process.kill(zygote, "SIGSTOP");
    const made = attacker.template("globalThis.ready = 1");
    const failed = assert.rejects(made, { code: "ERR_SECURE_EXEC_ZYGOTE_LOST" });
    // The kernel has had the order before this one.
    await attacker.writeFile("/tmp/after", "");
    process.kill(zygote, "SIGKILL");
    await failed;
    const template = await attacker.template("globalThis.ready = 2");
    assert.equal((await template.run("__return(ready)")).value, 2);
    await template.dispose();
    await isUnharmed();
  },
);
