// What loaders are told of whole directories: it is what they would have read, and never older than what the program knows.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, it } from "node:test";
import { machine } from "../support/machines.mjs";

const options = { timeout: 120_000 };
const top = mkdtempSync(join(tmpdir(), "load-ahead-"));
after(() => rmSync(top, { recursive: true }));

/** `m0.js` and so on, in memory. */
const modules = (directory, count) =>
  Object.fromEntries(
    Array.from({ length: count }, (_, at) => [`${directory}/m${at}.js`, `module.exports = ${at};`]),
  );
const prelude = `const fs = require("node:fs");
  const load = (name) => { try { return require(name); } catch (error) { return error.code; } };
  const put = (path, text) => fs.writeFileSync(path, text);
  const warm = () => { for (const at of [0, 1, 2, 3]) load("/app/lib/m" + at); };`;
const answer = async (rt, code) => {
  const result = await rt.run(`${prelude} ${code}`, { name: "/app/main.cjs" });
  assert.equal(result.exitCode, 0, result.stderr);
  return result.value;
};

function hostTree(name, count) {
  const directory = join(top, name);
  mkdirSync(directory);
  for (let at = 0; at < count; at++)
    writeFileSync(join(directory, `m${at}.js`), `module.exports = ${at};`);
  return directory;
}

it(
  "a directory's modules cost a few calls, mounted or in memory, required or imported",
  options,
  async () => {
    const count = 300;
    const hostPath = hostTree("many", count);
    writeFileSync(
      join(hostPath, "long.js"),
      `module.exports = ${"1".repeat(3)};//${"x".repeat(70_000)}`,
    );
    const rt = await machine({
      mounts: [{ guestPath: "/mnt/many", hostPath, readOnly: true }],
      files: modules("/app/lib", count),
    });
    for (const directory of ["/mnt/many", "/app/lib"]) {
      const names = Array.from({ length: count }, (_, at) => `${directory}/m${at}`);
      const required = `let sum = 0; for (const name of ${JSON.stringify(names)}) sum += require(name); __return(sum);`;
      const imported = `${names.map((name, at) => `import m${at} from "${name}.js";`).join("")}
      __return([${names.map((_, at) => `m${at}`).join()}].reduce((sum, one) => sum + one));`;
      for (const [name, text] of [
        ["/app/main.cjs", required],
        ["/app/main.mjs", imported],
      ]) {
        const result = await rt.run(text, { name });
        assert.equal(result.value, (count * (count - 1)) / 2, result.stderr);
        assert.ok(
          result.usage.systemCalls < count / 4,
          `${result.usage.systemCalls} calls for ${name}`,
        );
        // What came is on the bill.
        assert.ok(result.usage.bytesRead > count * 18, `${result.usage.bytesRead} bytes`);
      }
    }
    assert.equal(
      await answer(
        rt,
        `load("/mnt/many/m1"); load("/mnt/many/m2"); load("/mnt/many/m3"); __return(load("/mnt/many/long"));`,
      ),
      111,
    );
  },
);

it("the program's own changes are seen at once", options, async () => {
  const rt = await machine({
    files: { ...modules("/app/lib", 40), "/app/other/m9.js": "module.exports = 'other';" },
  });
  assert.deepEqual(
    await answer(
      rt,
      `const seen = [];
      warm(); put("/app/lib/m5.js", "module.exports = 'new';"); seen.push(load("/app/lib/m5"));
      warm(); fs.unlinkSync("/app/lib/m6.js"); seen.push(load("/app/lib/m6"));
      seen.push(load("/app/lib/late")); put("/app/lib/late.js", "module.exports = 'late';"); seen.push(load("/app/lib/late"));
      load("/app/lib/m7"); load("/app/lib/m8");
      fs.renameSync("/app/lib", "/app/gone"); seen.push(load("/app/lib/m9"));
      fs.symlinkSync("/app/other", "/app/lib"); seen.push(load("/app/lib/m9"));
      const held = fs.openSync("/app/gone/m10.js", "w");
      for (const at of [11, 12, 13, 14]) load("/app/gone/m" + at);
      fs.writeSync(held, "module.exports = 'held';"); seen.push(load("/app/gone/m10"));
      __return(seen);`,
    ),
    ["new", "MODULE_NOT_FOUND", "MODULE_NOT_FOUND", "late", "MODULE_NOT_FOUND", "other", "held"],
  );
});

it("what another process changed is seen by who knows of it from a module", options, async () => {
  const rt = await machine({ files: modules("/app/lib", 40) });
  // The other one changes a module, and then the one by which this one learns of that; no other call is made.
  const other = `const fs = require("node:fs"); fs.writeFileSync("/app/up.js", "module.exports = true;");
    while (!fs.existsSync("/app/go")) {}
    fs.writeFileSync("/app/lib/m30.js", "module.exports = 'new';"); fs.unlinkSync("/app/lib/m31.js");
    fs.writeFileSync("/app/flag.js", "module.exports = true;");`;
  assert.deepEqual(
    await answer(
      rt,
      `const child = require("node:child_process").spawn("node", ["-e", ${JSON.stringify(other)}], { stdio: "inherit" });
      while (load("/app/up") !== true) {}
      put("/app/go", "");
      warm();
      while (load("/app/flag") !== true) load("/app/lib/m" + 4);
      const seen = [load("/app/lib/m30"), load("/app/lib/m31"), load("/app/lib/m32")];
      child.on("exit", () => __return(seen));`,
    ),
    ["new", "MODULE_NOT_FOUND", 32],
  );
});

it(
  "packages that come are found by who knows of them, and asked for once until then",
  options,
  async () => {
    const inner = Object.fromEntries(
      Array.from({ length: 40 }, (_, at) => [
        `/app/d${at}/m.js`,
        `exports.found = (name = "thing") => { try { return require(name); } catch (error) { return error.code; } };`,
      ]),
    );
    const rt = await machine({ files: inner });
    const absent = await rt.run(
      `${prelude} const all = Array.from({ length: 40 }, (_, at) => load("/app/d" + at + "/m"));
    let missing = 0; for (let times = 0; times < 4; times++) for (const { found } of all) if (found() === "MODULE_NOT_FOUND") missing++;
    __return(missing);`,
      { name: "/app/main.cjs" },
    );
    assert.equal(absent.value, 160, absent.stderr);
    // At the end of a search there are the folders of all users; three for each of 160 searches.
    assert.ok(absent.usage.systemCalls < 690, `${absent.usage.systemCalls} calls`);
    const other = `const fs = require("node:fs");
    while (!fs.existsSync("/app/go")) {}
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
    fs.mkdirSync("/app/d3/node_modules/thing", { recursive: true });
    fs.writeFileSync("/app/d3/node_modules/thing/index.js", "module.exports = 'came';"); fs.writeFileSync("/app/flag", "");`;
    assert.deepEqual(
      await answer(
        rt,
        `const child = require("node:child_process").spawn("node", ["-e", ${JSON.stringify(other)}], { stdio: "inherit" });
      const { found } = require("/app/d3/m"); const seen = [found("mine")];
      fs.mkdirSync("/app/node_modules/mine", { recursive: true }); put("/app/node_modules/mine/index.js", "module.exports = 'own';");
      seen.push(found("mine"));
      put("/app/go", ""); seen.push(require("/app/d4/m").found(), found());
      while (!fs.existsSync("/app/flag")) {}
      seen.push(found(), require("/app/d4/m").found());
      child.on("exit", () => __return(seen));`,
      ),
      [
        "MODULE_NOT_FOUND",
        "own",
        "MODULE_NOT_FOUND",
        "MODULE_NOT_FOUND",
        "came",
        "MODULE_NOT_FOUND",
      ],
    );
  },
);

it(
  "what another thread changed is seen by who knows of it from shared memory",
  options,
  async () => {
    const rt = await machine({ files: modules("/app/lib", 40) });
    const other = `const { workerData } = require("node:worker_threads");
    Atomics.store(workerData, 0, 1); Atomics.notify(workerData, 0);
    Atomics.wait(workerData, 0, 1);
    require("node:fs").writeFileSync("/app/lib/m30.js", "module.exports = 'new';");
    Atomics.store(workerData, 0, 3); Atomics.notify(workerData, 0);`;
    assert.deepEqual(
      await answer(
        rt,
        `const shared = new Int32Array(new SharedArrayBuffer(4));
      const worker = new (require("node:worker_threads").Worker)(${JSON.stringify(other)}, { eval: true, workerData: shared });
      Atomics.wait(shared, 0, 0);
      warm();
      Atomics.store(shared, 0, 2); Atomics.notify(shared, 0);
      Atomics.wait(shared, 0, 2);
      const seen = load("/app/lib/m30");
      worker.on("exit", () => __return(seen));`,
      ),
      "new",
    );
  },
);

it("what the host changed is seen by who has heard from it", options, async () => {
  const hostPath = hostTree("live", 30);
  const rt = await machine({ mounts: [{ guestPath: "/mnt/live", hostPath, readOnly: true }] });
  const process = await rt.spawnCommand("node", [
    "-e",
    `process.stdin.once("data", () => { console.log(require("/mnt/live/m20"), require("/mnt/live/m21")); process.exit(); });
    console.log("first");
    for (const at of [0, 1, 2, 3, 4]) require("/mnt/live/m" + at);
    console.log("up");`,
  ]);
  const lines = process.lines();
  assert.equal((await lines.next()).value, "first");
  assert.equal((await lines.next()).value, "up");
  writeFileSync(join(hostPath, "m20.js"), "module.exports = 'new';");
  process.writeStdin("go\n");
  assert.equal((await lines.next()).value, "new 21");
});

it("links lead where they lead, and what may not be read is not", options, async () => {
  const hostPath = hostTree("links", 10);
  symlinkSync("m9.js", join(hostPath, "link.js"));
  writeFileSync(join(hostPath, "package.json"), '{"type":"commonjs","name":"linked"}');
  const rt = await machine({
    mounts: [{ guestPath: "/mnt/links", hostPath, readOnly: true }],
    files: { ...modules("/app/lib", 20), "/app/lib/name.js": "module.exports = __filename;" },
  });
  assert.deepEqual(
    await answer(
      rt,
      `fs.symlinkSync("/app/lib", "/app/way"); fs.symlinkSync("/app/lib/name.js", "/app/lib/alias.js");
      fs.chmodSync("/app/lib/m15.js", 0); fs.mkdirSync("/app/lib/inner"); put("/app/lib/inner/index.js", "module.exports = 'inner';");
      for (const at of [0, 1, 2, 3, 4]) { load("/app/way/m" + at); load("/mnt/links/m" + at); }
      const copy = fs.readFileSync("/app/lib/m16.js"); copy.fill(0);
      __return([load("/app/way/name"), load("/app/way/alias"), load("/app/lib/m15"), load("/app/lib/inner"), load("/app/lib/m16"),
        load("/mnt/links/link"), require.resolve("/mnt/links/link"), fs.readFileSync("/mnt/links/m8.js", "utf8")]);`,
    ),
    [
      "/app/lib/name.js",
      "/app/lib/name.js",
      "EACCES",
      "inner",
      16,
      9,
      "/mnt/links/m9.js",
      "module.exports = 8;",
    ],
  );
});

it("where reading is judged or told, each file is, and no more", options, async () => {
  const hostPath = hostTree("judged", 12);
  const code = `for (let at = 0; at < 10; at++) load("/mnt/judged/m" + at); __return([load("/mnt/judged/m10"), load("/mnt/judged/m3")]);`;
  const mounts = [{ guestPath: "/mnt/judged", hostPath, readOnly: true }];
  const reads = (list) =>
    list
      .filter(({ operation, resource }) => operation === "read" && resource.startsWith("/mnt/"))
      .map(({ resource, decision }) => [resource, decision]);
  const expected = Array.from({ length: 10 }, (_, at) => [`/mnt/judged/m${at}.js`, "allow"]);

  const ruled = await machine({
    mounts,
    permissions: {
      fs: {
        default: "allow",
        rules: [{ mode: "deny", operations: ["read"], paths: ["/mnt/judged/m10.js"] }],
      },
    },
  });
  assert.deepEqual(await answer(ruled, code), ["EACCES", 3]);
  assert.deepEqual(reads(await ruled.audit()), [...expected, ["/mnt/judged/m10.js", "deny"]]);

  const asked = [];
  const function_ = await machine({
    mounts,
    permissions: {
      fs: (request) => {
        if (request.operation === "read") asked.push(request.path);
        return { allow: request.operation !== "read" || request.path !== "/mnt/judged/m10.js" };
      },
    },
  });
  assert.deepEqual(await answer(function_, code), ["EACCES", 3]);
  assert.deepEqual(
    asked.filter((path) => path.startsWith("/mnt/")),
    [...expected.map(([path]) => path), "/mnt/judged/m10.js"],
  );
});

it("an audit of everything has each file that a loader was told of", options, async () => {
  const heard = [];
  const hostPath = hostTree("heard", 12);
  writeFileSync(join(hostPath, "package.json"), "{}");
  const rt = await machine({
    mounts: [{ guestPath: "/mnt/heard", hostPath, readOnly: true }],
    files: modules("/app/lib", 12),
    onDecision: (decision) => heard.push(decision),
  });
  const code = ["/mnt/heard", "/app/lib"]
    .map((directory) => `for (let at = 0; at < 10; at++) load("${directory}/m" + at);`)
    .join("");
  const { usage } = await rt.run(`${prelude} ${code}`, { name: "/app/main.cjs" });
  const unheard = await machine({
    mounts: [{ guestPath: "/mnt/heard", hostPath, readOnly: true }],
    files: modules("/app/lib", 12),
  });
  const plain = await unheard.run(`${prelude} ${code}`, { name: "/app/main.cjs" });
  // Who listens makes nobody ask more.
  assert.equal(usage.systemCalls, plain.usage.systemCalls);
  const told = (wanted, pattern) =>
    new Set(
      heard
        .filter(({ operation, resource }) => operation === wanted && pattern.test(resource))
        .map(({ resource, decision, rule }) => `${resource} ${decision} ${rule}`),
    );
  // The whole directory was told, also of what was not loaded in the end.
  assert.deepEqual(
    told("read", /\/m\d+\.js$/),
    new Set(
      ["/mnt/heard", "/app/lib"].flatMap((directory) =>
        Array.from({ length: 12 }, (_, at) => `${directory}/m${at}.js allow allow`),
      ),
    ),
  );
  assert.deepEqual(
    told("readdir", /./),
    new Set(["/mnt/heard allow allow", "/app/lib allow allow"]),
  );
  assert.ok(told("read", /./).has("/mnt/heard/package.json allow allow"));
});

it("a needed policy has the modules that were loaded, and no others", options, async () => {
  const files = { ...modules("/app/lib", 12), "/app/package.json": "{}" };
  const learning = await machine({ permissions: "learn", files });
  const code = `let sum = 0; for (let at = 0; at < 10; at++) sum += load("/app/lib/m" + at); __return(sum);`;
  const given = { name: "/app/main.cjs" };
  const { value, policy } = await learning.run(`${prelude} ${code}`, given);
  assert.equal(value, 45);
  const read = policy.fs.rules
    .filter(({ operations }) => operations.includes("read"))
    .flatMap(({ paths }) => paths);
  for (let at = 0; at < 12; at++) assert.equal(read.includes(`/app/lib/m${at}.js`), at < 10);
  const strict = await machine({ permissions: policy, files });
  assert.equal((await strict.run(`${prelude} ${code}`, given)).value, 45);
});

it(
  "a recorded run that loads a directory is replayed, and usage is the same",
  options,
  async () => {
    const files = modules("/app/lib", 40);
    const deterministic = { seed: "loads", startTimeMs: 1_700_000_000_000 };
    const twice = { handler: ({ a }) => 2 * a };
    const code = `${prelude} (async () => {
    let sum = 0;
    for (let at = 0; at < 40; at++) {
      sum += load("/app/lib/m" + at);
      if (at % 10 === 0) sum = await callHostTool("twice", { a: sum });
      put("/app/lib/m" + (at + 1) + ".js", "module.exports = " + (at + 2) + ";");
    }
    console.log(sum, Date.now());
    __return(sum);
  })();`;
    const given = { name: "/app/main.cjs" };
    const rt = await machine({ deterministic, record: true, files, tools: { twice } });
    const first = await rt.run(code, given);
    assert.equal(first.exitCode, 0, first.stderr);
    const elsewhere = await machine({
      deterministic,
      files,
      tools: { twice: { handler: () => assert.fail("asked") } },
    });
    const second = await elsewhere.replay(JSON.parse(JSON.stringify(first.recording)));
    assert.equal(second.stdout, first.stdout);
    assert.equal(second.value, first.value);
    assert.ok(first.usage.systemCalls > 0);
    assert.equal(second.usage.systemCalls, first.usage.systemCalls);
  },
);
