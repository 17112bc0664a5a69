// Deterministic runs: the same bytes twice, whatever the machine does meanwhile, and replays of what was recorded.
import assert from "node:assert/strict";
import { it } from "node:test";
import { machine } from "../support/machines.mjs";

const options = { timeout: 300_000 };
const startTimeMs = Date.UTC(2023, 10, 14, 22, 13, 20);
const deterministic = { seed: 7, startTimeMs };

/** Of three runs: two in machines of their own, one more in the second. */
async function thrice(code, given = {}) {
  const one = await machine({ deterministic, ...given });
  const other = await machine({ deterministic, ...given });
  const results = [await one.exec(code), await other.exec(code)];
  const files = await Promise.all([one, other].map((rt) => listing(rt, "/home/user")));
  results.push(await other.exec(code));
  assert.deepEqual(files[0], files[1]);
  for (const result of results.slice(1)) assert.deepEqual(result, results[0]);
  return results[0];
}

async function listing(rt, directory) {
  const found = {};
  for (const { name, type } of await rt.readDirWithTypes(directory)) {
    const path = `${directory}/${name}`;
    const { mtimeMs, size, ino } = await rt.stat(path);
    const content = type === "file" ? Buffer.from(await rt.readFile(path)).toString("hex") : null;
    found[path] = { mtimeMs, size, ino, content };
  }
  return found;
}

it("time begins where it is told to, and passes with what is done", options, async () => {
  const { stdout, exitCode, stderr } = await thrice(`
    import fs from "node:fs";
    import vm from "node:vm";
    import http from "node:http";
    console.log(Date.now(), new Date().toISOString(), vm.runInNewContext("Date.now()"));
    console.log(performance.now(), performance.timeOrigin, process.hrtime(), process.uptime());
    fs.writeFileSync("a.txt", "x");
    console.log(fs.statSync("a.txt").mtimeMs);
    const began = Date.now();
    while (Date.now() < began + 20);
    console.log(Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500), Date.now() - began);
    let fired = 0;
    const hour = setInterval(() => fired++, 60_000);
    await new Promise((resolve) => setTimeout(resolve, 3_600_000));
    clearInterval(hour);
    console.log(fired, new Date().toISOString(), performance.mark("m").startTime > 3_600_000);
    console.log(new http.OutgoingMessage().constructor.name, setTimeout(() => {}, 1));
    fs.writeFileSync("b.txt", String(Date.now()));
  `);
  assert.equal(exitCode, 0, stderr);
  const lines = stdout.split("\n");
  assert.equal(lines[0], `${startTimeMs} 2023-11-14T22:13:20.000Z ${startTimeMs}`);
  assert.equal(lines[2], String(startTimeMs));
  assert.match(lines[3], /^timed-out 52\d$/);
  assert.match(lines[4], /^(59|60) 2023-11-14T23:13:20/);
});

it("randomness comes from the seed alone", options, async () => {
  const code = `
    import crypto, { randomBytes, randomInt } from "node:crypto";
    import { promisify } from "node:util";
    import vm from "node:vm";
    const drawn = [Math.random(), vm.runInNewContext("Math.random()"), randomBytes(8).toString("hex"), randomInt(1e6),
      randomInt(5, 7), crypto.randomUUID(), globalThis.crypto.randomUUID(),
      [...globalThis.crypto.getRandomValues(new Uint16Array(3))], [...crypto.randomFillSync(new Uint32Array(4), 1, 2)],
      (await promisify(randomBytes)(5)).toString("hex"), (await promisify(crypto.randomFill)(Buffer.alloc(4))).toString("hex"),
      await promisify(randomInt)(1000)];
    for (const make of [() => crypto.generateKeyPairSync("ed25519"), () => crypto.generatePrimeSync(64)]) {
      try { make(); } catch (error) { drawn.push(error.code); }
    }
    drawn.push(await crypto.subtle.generateKey({ name: "AES-GCM", length: 128 }, true, ["encrypt"]).catch((error) => error.code));
    console.log(JSON.stringify(drawn));
    for (const wrong of [() => randomBytes(-1), () => randomInt(5, 5), () => crypto.randomFillSync("text")])
      try { wrong(); } catch (error) { console.log(error.code); }
  `;
  const { stdout } = await thrice(code);
  const [drawn, ...codes] = stdout.trim().split("\n");
  assert.deepEqual(
    JSON.parse(drawn).slice(-3),
    Array(3).fill("ERR_FEATURE_UNAVAILABLE_ON_PLATFORM"),
  );
  assert.deepEqual(codes, ["ERR_OUT_OF_RANGE", "ERR_OUT_OF_RANGE", "ERR_INVALID_ARG_TYPE"]);
  assert.deepEqual(JSON.parse(drawn)[8].filter((value) => value === 0).length, 2);
  const other = await machine({ deterministic: { ...deterministic, seed: "eight" } });
  const values = JSON.parse((await other.exec(code)).stdout.split("\n")[0]);
  JSON.parse(drawn)
    .slice(0, 4)
    .forEach((value, at) => assert.notEqual(values[at], value));
});

const busy = `
  import fs from "node:fs/promises";
  import http from "node:http";
  import crypto from "node:crypto";
  import zlib from "node:zlib";
  import { promisify } from "node:util";
  import { pipeline } from "node:stream/promises";
  import { Readable, Writable } from "node:stream";
  const said = [];
  const say = (...words) => said.push(words.join(" ") + " " + Date.now());
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const { port1, port2 } = new MessageChannel();
  let rallies = 0;
  port2.on("message", (m) => { say("port", m); if (++rallies === 20) port1.close(); else port2.postMessage(rallies); });
  port1.on("message", (m) => setTimeout(() => port1.postMessage("a" + m), 1));
  port1.postMessage("first");
  const server = http.createServer((request, response) => {
    let bytes = 0;
    request.on("data", (part) => (bytes += part.length));
    request.on("end", () => setTimeout(() => response.end(bytes + " " + request.url), Math.random() * 20));
  });
  await new Promise((resolve) => server.listen(0, resolve));
  say("listens", server.address().port);
  let turns = 0;
  (function spin() { if (++turns < 400) setImmediate(spin); })();
  const work = [];
  for (let i = 0; i < 6; i++) {
    work.push(fetch("http://127.0.0.1:" + server.address().port + "/" + i, { method: "POST", body: "x".repeat(i * 30_000) })
      .then(async (answer) => say("fetched", await answer.text(), answer.headers.get("date"), turns)));
    work.push(promisify(zlib.brotliCompress)(crypto.randomBytes(500 * i)).then((b) => say("brotli", i, b.length, turns)));
    work.push(promisify(crypto.scrypt)("p" + i, "s", 16).then((b) => say("scrypt", i, b.toString("hex"), turns)));
    work.push(crypto.subtle.digest("SHA-256", Buffer.from("x" + i)).then(() => say("digest", i, turns)));
    work.push((async () => {
      await fs.writeFile("f" + i, String(i));
      await pause(i % 5);
      say("read", await fs.readFile("f" + i, "utf8"), (await fs.stat("f" + i)).mtimeMs);
    })());
  }
  let through = 0;
  await pipeline(Readable.from((function* () { for (let i = 0; i < 40; i++) yield crypto.randomBytes(2000); })()),
    zlib.createGzip(), zlib.createGunzip(),
    new Writable({ write(part, _, done) { through += part.length; setTimeout(done, Math.random() * 3); } }));
  say("through", through);
  await Promise.all(work);
  server.close();
  console.log(said.join("\\n"));
`;

it("what is done in several places at once is done in one order", options, async () => {
  const { stdout, exitCode, stderr } = await thrice(busy, { permissions: { network: "allow" } });
  assert.equal(exitCode, 0, stderr);
  const said = stdout.split("\n");
  assert.ok(said.filter((line) => line.startsWith("fetched")).length === 6, stdout);
  assert.match(
    said.find((line) => line.startsWith("fetched")),
    /Tue, 14 Nov 2023 22:13:20 GMT/,
  );
});

it("stdin takes no time, and timers keep the program alive as ever", options, async () => {
  const rt = await machine({ deterministic });
  const code = `
    let text = "";
    setTimeout(() => console.log("timer", text.length), 5).unref();
    process.stdin.on("data", (part) => (text += part)).on("end", () => {
      console.log("end", text.length, Date.now());
      setTimeout(() => console.log("last", Date.now()), 10);
    });
    process.on("exit", () => console.log("exit"));`;
  const stdin = "y".repeat(200_000);
  const results = [await rt.exec(code, { stdin }), await rt.exec(code, { stdin })];
  assert.deepEqual(results[0], results[1]);
  assert.equal(
    results[0].stdout,
    `end 200000 ${startTimeMs}\ntimer 200000\nlast ${startTimeMs + 10}\nexit\n`,
  );
});

it("ends are those of Node", options, async () => {
  const rt = await machine({ deterministic });
  const late = await rt.exec("setTimeout(() => { throw new Error('late') }, 1000)");
  assert.equal(late.exitCode, 1);
  assert.match(late.stderr, /Error: late\n {4}at Timeout\._onTimeout/);
  const caught = await rt.exec(`
    process.on("uncaughtException", (error) => console.log(error.message));
    setTimeout(() => { throw new Error("one") }, 10);
    setTimeout(() => { console.log("two"); process.exit(3) }, 20);`);
  assert.deepEqual([caught.stdout, caught.exitCode], ["one\ntwo\n", 3]);
  const again = await rt.exec(`
    let times = 0;
    process.on("beforeExit", () => { if (++times < 3) setTimeout(() => console.log(times), 100) });`);
  assert.equal(again.stdout, "1\n2\n");
  assert.equal((await rt.exec("await new Promise(() => {})")).exitCode, 13);
});

it("what would make runs differ is refused", options, async () => {
  const rt = await machine({ deterministic, permissions: { network: "allow" } });
  const { stdout } = await rt.exec(`
    import { spawn } from "node:child_process";
    import { Worker } from "node:worker_threads";
    import net from "node:net";
    spawn("ls").on("error", (error) => console.log(error.code, error.message));
    new Worker("1", { eval: true }).on("error", (error) => console.log(error.code));
    net.connect(80, "93.184.216.34").on("error", (error) => console.log(error.code, error.message));`);
  assert.match(stdout, /^EACCES .*one process \(ERR_SECURE_EXEC_DETERMINISTIC\)$/m);
  assert.match(stdout, /^ERR_WORKER_INIT_FAILED$/m);
  assert.match(stdout, /^EACCES .*no outside \(ERR_SECURE_EXEC_DETERMINISTIC\)$/m);
  const code = { code: "ERR_SECURE_EXEC_DETERMINISTIC" };
  await assert.rejects(rt.createResidentRunner(), code);
  await assert.rejects(rt.fetch(3000, { path: "/" }), code);
  const first = await rt.spawn("process.stdin.resume()");
  await assert.rejects(rt.exec("1"), code);
  first.closeStdin();
  await first.wait();
  assert.equal((await rt.exec("1")).exitCode, 0);
});

const agent = `
  const { observe, act, note } = new Proxy({}, { get: (_, name) => (input) => callHostTool(name, input) });
  let state = await observe({});
  for (let step = 0; step < 49; step++) {
    const [a, b] = await Promise.all([act({ step, state, draw: Math.random() }), note({ at: Date.now() })]);
    state = a.next;
    console.log(step, state, b.ok);
    if (step % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 1000));
  }
  try { await callHostTool("fails", {}); } catch (error) { console.log(error.name, error.message); }
  __return({ state });
`;

it("a recorded run of a hundred tool calls is replayed without the tools", options, async () => {
  let calls = 0;
  const count = (handler) => ({
    handler: async (input) => {
      calls++;
      if (calls % 3 === 0) await new Promise((resolve) => setTimeout(resolve, Math.random() * 5));
      return handler(input);
    },
  });
  const tools = {
    observe: count(() => `state ${Math.random()}`),
    act: count(({ step }) => ({ next: `after ${step}: ${Math.random()}` })),
    note: count(() => ({ ok: true })),
    fails: count(() => {
      throw new RangeError("not today");
    }),
  };
  const policy = { tool: ({ name }) => name !== "nothing" };
  const rt = await machine({ deterministic, record: true, tools, permissions: policy });
  const first = await rt.run(agent);
  assert.equal(first.exitCode, 0, first.stderr);
  const recording = JSON.parse(JSON.stringify(first.recording));
  assert.equal(recording.answers.filter(({ kind }) => kind === "tool").length, 100);
  assert.equal(calls, 100);

  const elsewhere = await machine({
    deterministic,
    tools: Object.fromEntries(Object.keys(tools).map((name) => [name, count(() => null)])),
    permissions: { tool: () => false },
  });
  const second = await elsewhere.replay(recording);
  assert.deepEqual(second, first);
  assert.equal(calls, 100);

  const differs = (change, where) =>
    assert.rejects(
      async () => {
        const changed = structuredClone(recording);
        change(changed);
        await elsewhere.replay(changed);
      },
      (error) => {
        assert.equal(error.code, "ERR_SECURE_EXEC_REPLAY");
        assert.match(error.details.where, where);
        assert.notEqual(error.details.recorded, error.details.replayed);
        return true;
      },
    );
  await differs(
    (to) => (to.program.source = to.program.source.replace("step,", "step: 9,")),
    /question/,
  );
  await differs((to) => (to.program.source += "console.log('more')"), /stdout/);
  await differs((to) => (to.program.source = "__return(1)"), /end of stdout/);
  await differs(
    (to) => (to.answers.at(-1).answer.text = '{"name":"Error","message":"x"}'),
    /stdout/,
  );
  await differs((to) => (to.exitCode = 4), /exit code/);
  assert.deepEqual(await elsewhere.replay(recording), first);
});

it("replay checks what it is given", options, async () => {
  const rt = await machine({ deterministic, record: true });
  const { recording } = await rt.exec("console.log(1)", {
    stdin: "text",
    args: ["a"],
    env: { A: "1" },
  });
  const code = { code: "ERR_SECURE_EXEC_INVALID_OPTION" };
  for (const wrong of [null, {}, { ...recording, version: 2 }, { ...recording, answers: [{}] }])
    await assert.rejects(rt.replay(wrong), code);
  const other = await machine({ deterministic: { seed: 8 } });
  await assert.rejects(other.replay(recording), code);
  await assert.rejects(machine({ record: true }), code);
  await assert.rejects(machine({ deterministic: { seed: 1.5 } }), code);
  await assert.rejects(machine({ deterministic: { seed: 1, speed: 2 } }), code);
  assert.equal((await rt.replay(recording)).stdout, "1\n");
});
