// Programs that misbehave harm nobody else: neighbours in the same VM and in others keep answering.
import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import { NodeRuntime } from "../../dist/index.js";

const GiB = 1024 ** 3;

let rt;
let other;
before(async () => {
  // More than the fastest machine fills until the time-outs below, which are to end these programs.
  rt = await NodeRuntime.create({ limits: { memoryBytes: 2 * GiB } });
  other = await NodeRuntime.create();
});
after(async () => {
  await rt.dispose();
  await other.dispose();
});

async function neighboursAnswer() {
  for (let i = 0; i < 5; i++) {
    const [same, elsewhere] = await Promise.all([
      rt.run(`__return(${i})`),
      other.run(`__return(${i})`),
    ]);
    assert.deepEqual([same.value, elsewhere.value], [i, i]);
  }
}

const programs = {
  "an endless loop": "while (true);",
  "an endless microtask loop":
    "const f = () => { Promise.resolve().then(f); }; f(); await new Promise(() => {});",
  "printing without end": `const x = "x".repeat(65536); while (true) console.log(x);`,
  "a flood of system calls": `import fs from "node:fs"; while (true) try { fs.statSync("/nope"); } catch {}`,
  "a flood of asynchronous system calls": `import fs from "node:fs"; while (true) fs.stat("/nope", () => {});`,
};
for (const [name, code] of Object.entries(programs)) {
  it(name, { timeout: 60_000 }, async () => {
    const abuser = rt.exec(code, { timeout: 1500 });
    await neighboursAnswer();
    const result = await abuser.catch((error) => error);
    assert.ok(
      result.exitCode === 137 || String(result.code).startsWith("ERR_SECURE_EXEC_"),
      JSON.stringify(result).slice(0, 300),
    );
  });
}

it("allocating without end reaches the memory limit", { timeout: 60_000 }, async () => {
  const abuser = rt.exec("const a = []; for (;;) a.push(new Array(1e5).fill(1.5));", {
    timeout: 30_000,
    limits: { memoryBytes: GiB / 4 },
  });
  await neighboursAnswer();
  const { exitCode, stderr } = await abuser;
  assert.equal(exitCode, 134);
  assert.match(stderr, /heap out of memory/);
});

it("a forged native report is not taken for one", { timeout: 30_000 }, async () => {
  const { exitCode, stderr } = await rt.exec(
    `console.error("heap out of memory"); process.exit(3);`,
  );
  assert.deepEqual([exitCode, stderr], [3, "heap out of memory\n"]);
});

it(
  "the value channel is not forged by printing, and a value pollutes nothing",
  { timeout: 30_000 },
  async () => {
    const printed = await rt.run(`console.log('{"value":1}\\n__return(1)');`);
    assert.equal(printed.value, undefined);
    const { value } = await rt.run(
      `__return(JSON.parse('{"__proto__":{"polluted":1},"a":{"__proto__":{"x":1},"b":2}}'))`,
    );
    assert.deepEqual(value, { a: { b: 2 } });
    assert.equal({}.polluted, undefined);
    assert.equal(Object.assign({}, value).polluted, undefined);
  },
);

it("answers that a busy program has not read yet are no offence", { timeout: 60_000 }, async () => {
  const { value } = await rt.run(`
    import fs from "node:fs";
    fs.writeFileSync("/tmp/large", Buffer.alloc(1 << 20, 7));
    const fd = fs.openSync("/tmp/large");
    let read = 0;
    const all = Array.from({ length: 40 }, () => new Promise((done) => {
      fs.read(fd, Buffer.alloc(1 << 20), 0, 1 << 20, 0, (_, bytes) => { read += bytes; done(); });
    }));
    for (const end = performance.now() + 300; performance.now() < end;);
    await Promise.all(all);
    __return(read >> 20);`);
  assert.equal(value, 40);
});
