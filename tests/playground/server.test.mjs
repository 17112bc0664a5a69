// The playground without a browser: who is let in, and what happens as events say it.
import assert from "node:assert/strict";
import http from "node:http";
import { test } from "node:test";
import { ask, events, playground, ran, request } from "../support/playgrounds.mjs";

const it = (name, body) => test(name, { timeout: 120_000 }, body);
const json = { "content-type": "application/json" };
const statusOf = async (...given) => (await request(...given)).status;

it("the door: nobody without the token, by another name, from another origin or site", async () => {
  const { url } = await playground();
  const { origin, host, port } = new URL(url);
  assert.match(url, /^http:\/\/127\.0\.0\.1:\d+\/[\w-]{32}\/$/);
  assert.equal(await statusOf(url), 200);
  assert.equal(await statusOf(url, { headers: { host: `localhost:${port}` } }), 200);

  // The token: missing, wrong, cut off, longer, and in other places.
  const token = new URL(url).pathname.slice(1, -1);
  const wrong = token.startsWith("A") ? `B${token.slice(1)}` : `A${token.slice(1)}`;
  for (const path of [
    "",
    wrong,
    token.slice(0, -1),
    `${token}A`,
    "events",
    `?${token}`,
    `x/${token}`,
  ])
    for (const end of ["/", "/events", "/page/main.js"])
      assert.equal(await statusOf(`${origin}/${path}${end}`), 404, path + end);
  const elsewhere = { cookie: `token=${token}`, authorization: `Bearer ${token}` };
  assert.equal(await statusOf(`${origin}/`, { headers: elsewhere }), 404);
  assert.equal(
    await statusOf(`${origin}/${wrong}/stop`, { method: "POST", headers: json, body: "{}" }),
    404,
  );

  // A name that somebody else's DNS resolves to loopback, and ways to write one.
  for (const name of [
    `evil.example:${port}`,
    "127.0.0.1",
    `127.0.0.1:${Number(port) - 1}`,
    `0.0.0.0:${port}`,
    `127.0.0.1.evil.example:${port}`,
    `evil.example@127.0.0.1:${port}`,
    `LOCALHOST.:${port}`,
  ])
    assert.equal(await statusOf(url, { headers: { host: name } }), 421, name);

  const post = (headers, body = "{}") =>
    statusOf(`${url}stop`, { method: "POST", headers: { ...json, ...headers }, body });
  assert.equal(await post({}), 200);
  assert.equal(await post({ origin: `http://${host}` }), 200);
  for (const foreign of [
    "https://evil.example",
    "null",
    `https://${host}`,
    `http://127.0.0.1:${Number(port) - 1}`,
    `http://localhost:${port}`,
    "",
  ])
    assert.equal(await post({ origin: foreign }), 403, foreign);
  for (const site of ["cross-site", "same-site", "none"])
    assert.equal(await post({ "sec-fetch-site": site }), 403, site);
  const embedded = { "sec-fetch-site": "cross-site", "sec-fetch-dest": "script" };
  assert.equal(
    await statusOf(`${url}page/main.js`, { headers: { ...embedded, "sec-fetch-mode": "no-cors" } }),
    403,
  );
  const followed = { "sec-fetch-site": "none", "sec-fetch-mode": "navigate" };
  assert.equal(
    await statusOf(url, { headers: { ...followed, "sec-fetch-dest": "document" } }),
    200,
  );
  assert.equal(await statusOf(url, { headers: { ...followed, "sec-fetch-dest": "iframe" } }), 403);

  // What a form of another page could send.
  for (const type of ["text/plain", "application/x-www-form-urlencoded", "application/json; a=b"])
    assert.equal(await post({ "content-type": type }), 415, type);
});

it("no answer lets another origin read it, and each has the strict policy", async () => {
  const { url } = await playground();
  const { port } = new URL(url);
  const answers = await Promise.all([
    request(url),
    request(`${url}page/main.js`),
    request(`${url}nothing`),
    request(`${url}stop`, { method: "POST", headers: json, body: "{}" }),
    request(url, { headers: { host: `evil.example:${port}` } }),
    request(`${url}stop`, { method: "OPTIONS", headers: { origin: "https://evil.example" } }),
  ]);
  for (const { headers } of answers) {
    const names = Object.keys(headers);
    assert.deepEqual(
      names.filter((name) => name.startsWith("access-control") || name === "set-cookie"),
      [],
    );
    assert.equal(headers["x-content-type-options"], "nosniff");
    assert.equal(headers["referrer-policy"], "no-referrer");
    const policy = headers["content-security-policy"];
    assert.match(policy, /default-src 'none'; script-src 'self';/);
    assert.match(policy, /frame-ancestors 'none'/);
    assert.match(policy, /require-trusted-types-for 'script'; trusted-types 'none'/);
    assert.doesNotMatch(policy, /script-src[^;]*unsafe|\*|https?:|data:/);
  }
  const [page] = answers;
  assert.doesNotMatch(page.text, /<script(?![^>]*\bsrc="page\/)|<style|\son\w+=|https?:\/\//);
});

it("only the package's files are served, and bodies have a bound and a shape", async () => {
  const { url } = await playground();
  for (const path of [
    "../package.json",
    "%2e%2e/server.js",
    "server.js",
    "page/../server.js",
    "page/",
  ])
    assert.equal(await statusOf(url + path), 404, path);
  assert.equal(await statusOf(`${url}stop`), 404);
  const post = (name, body) => statusOf(url + name, { method: "POST", headers: json, body });
  assert.equal(await post("nothing", "{}"), 404);
  assert.equal(await post("__proto__", "{}"), 404);
  assert.equal(await post("constructor", "{}"), 404);
  for (const body of ["", "[]", "null", '"x"', "{", '{"more":1}'])
    assert.equal(await post("stop", body), 400, body);
  const run = { source: "", language: "js", stdin: "", timeoutMs: 1000 };
  for (const change of [
    { language: "sh" },
    { timeoutMs: 0 },
    { timeoutMs: 1.5 },
    { source: 1 },
    { __proto__: 1, constructor: 1 },
  ])
    assert.equal(await post("run", JSON.stringify({ ...run, ...change })), 400);
  assert.equal(await post("list", '{"path":"relative"}'), 400);
  assert.equal(await post("run", " ".repeat(8 * 1024 * 1024 + 1)), 413);
});

it("a run: output as it comes, value, bill, why it ended; one at a time", async () => {
  const served = await playground();
  const { stdout, stderr, outcome } = await ran(
    served,
    `process.stdin.pipe(process.stdout);
     console.error("é".repeat(3));
     process.stdin.on("end", () => __return({ a: [1, "<b>"] }));`,
    { stdin: "in" },
  );
  assert.deepEqual({ stdout, stderr }, { stdout: "in", stderr: "ééé\n" });
  assert.equal(outcome.exitCode, 0);
  assert.equal(outcome.reason, "exit");
  assert.deepEqual(JSON.parse(outcome.value), { a: [1, "<b>"] });
  assert.ok(outcome.bill.wallMs > 0);

  assert.equal((await ran(served, "process.exit(3)")).outcome.exitCode, 3);
  const late = await ran(served, "setInterval(() => {}, 1000)", { timeoutMs: 300 });
  assert.deepEqual([late.outcome.exitCode, late.outcome.reason], [137, "timeout"]);
  const typed = await ran(served, "const n: number = 2; console.log(n)", { language: "ts" });
  assert.equal(typed.stdout, "2\n");
  const wrong = await ran(served, "__return(1n)");
  assert.equal(wrong.outcome.error.code, "ERR_SECURE_EXEC_RETURN_VALUE");
  assert.notEqual(wrong.outcome.error.remedy, "");

  const forever = { source: "console.log('on'); setInterval(() => {}, 1e3)", stdin: "" };
  const asked = { ...forever, language: "js", timeoutMs: 100_000 };
  const { answer } = await ask(served, "run", asked);
  await events(served, (event) => (event.text === "on\n" ? true : undefined));
  assert.equal((await ask(served, "run", asked)).status, 409);
  await ask(served, "stop");
  const { reason } = await events(served, (event) =>
    event.kind === "ended" && event.run === answer.run ? event.outcome : undefined,
  );
  assert.equal(reason, "stopped");
});

it("a page that comes later, or again, sees what happened, once and in order", async () => {
  const served = await playground();
  await ran(served, "for (let i = 0; i < 5; i++) console.log(i)");
  /** Numbers and kinds of what a page is sent until what follows happens now. */
  const replay = async (last) => {
    const all = [];
    await events(
      served,
      ({ kind }, id) => {
        if (kind === "live") return true;
        all.push({ kind, id });
        return undefined;
      },
      last,
    );
    return all;
  };
  const seen = await replay(0);
  assert.equal(seen[0].kind, "machine");
  const ids = seen.map(({ id }) => id);
  assert.deepEqual(
    ids,
    [...ids].sort((a, b) => a - b),
  );
  const middle = ids[2];
  // The bill may be told once more meanwhile.
  const rest = (await replay(middle)).map(({ id }) => id).slice(0, ids.length - 3);
  assert.deepEqual(rest, ids.slice(3));

  // More than is kept: what is lost is said, and what is there is the end.
  await ran(
    served,
    `for (let i = 0; i < 64; i++) process.stdout.write("x".repeat(65536)); console.log("last")`,
  );
  const first = await events(served, (event) => event.kind);
  assert.equal(first, "gap");
  await events(served, (event) => (event.kind === "ended" ? true : undefined));
});

it("a page that does not read holds the program back, and stopping still works", async () => {
  const served = await playground();
  const slow = await new Promise((resolve, reject) => {
    http
      .get(`${served.url}events`, { agent: false }, (response) => {
        response.on("error", () => {});
        // Headers alone: nothing of the body is read.
        response.pause();
        resolve(response);
      })
      .on("error", reject);
  });
  const source = `for (let i = 0; ; i++) if (!process.stdout.write("x".repeat(65536)))
    await new Promise((done) => process.stdout.once("drain", done));`;
  const { answer } = await ask(served, "run", {
    source,
    language: "js",
    stdin: "",
    timeoutMs: 100_000,
  });
  // Written but not taken: the bill stands still once everything is full.
  const written = async () => {
    const { bill } = await events(
      served,
      (event) => (event.kind === "bill" ? event : undefined),
      1e9,
    );
    return bill.bytesWritten;
  };
  let before = -1;
  for (let now = await written(); now !== before; now = await written()) before = now;
  await ask(served, "stop");
  await events(served, (event) =>
    event.kind === "ended" && event.run === answer.run ? true : undefined,
  );
  slow.destroy();
});

it("files: listed, read, written, removed; links are not followed out", async () => {
  const served = await playground({ runtime: { files: { "/home/user/a.txt": "text" } } });
  assert.equal((await ask(served, "read", { path: "/home/user/a.txt" })).answer.text, "text");
  await ask(served, "write", { path: "/home/user/new/b.txt", text: "new" });
  await ran(
    served,
    `const fs = require("fs");
     fs.writeFileSync("c.bin", Buffer.from([255, 0, 1]));
     fs.symlinkSync("/etc", "out");
     fs.writeFileSync("<img src=x>\\u202e", "");`.replace(
      "const fs = require",
      "const fs = process.getBuiltinModule",
    ),
  );
  const { answer } = await ask(served, "list", { path: "/home/user" });
  assert.deepEqual(
    answer.entries.map(({ name, type }) => `${name} ${type}`),
    ["<img src=x>\u202e file", "a.txt file", "c.bin file", "new directory", "out symlink"],
  );
  assert.deepEqual((await ask(served, "read", { path: "/home/user/c.bin" })).answer, {
    text: "",
    bytes: 3,
    isText: false,
  });
  const out = await ask(served, "read", { path: "/home/user/out/passwd" });
  assert.equal(out.answer.error.code, "ERR_SECURE_EXEC_LINK_LEADS_OUT");
  await ask(served, "remove", { path: "/home/user/a.txt" });
  assert.equal((await ask(served, "read", { path: "/home/user/a.txt" })).status, 422);
});

it("permissions: decisions fall, a new machine has others, and one learns", async () => {
  const served = await playground();
  const look = `try { process.getBuiltinModule("fs").readFileSync("/etc/passwd"); console.log("yes"); } catch (e) { console.log(e.code); }`;
  assert.equal((await ran(served, look)).stdout, "yes\n");
  const isRead = ({ operation, resource }) => operation === "fs.read" && resource === "/etc/passwd";
  const falls = (answer) =>
    events(served, ({ kind, rows }) =>
      kind === "decisions" ? rows.find((row) => isRead(row) && row.answer === answer) : undefined,
    );
  assert.match((await falls("allow")).by, /\(\d+\)$/);

  const deny = { fs: { default: "allow", rules: [{ mode: "deny", paths: ["/etc/**"] }] } };
  const refused = await ask(served, "machine", { permissions: '{"fs":"maybe"}', learns: false });
  assert.equal(refused.answer.error.code, "ERR_SECURE_EXEC_INVALID_OPTION");
  assert.equal((await ask(served, "machine", { permissions: "{", learns: false })).status, 409);
  assert.equal((await ran(served, look)).stdout, "yes\n");
  await ask(served, "machine", { permissions: JSON.stringify(deny), learns: false });
  assert.equal((await ran(served, look)).stdout, "EACCES\n");
  await falls("deny");
  await ask(served, "machine", { permissions: '{"mode":"dry-run","fs":"deny"}', learns: false });
  assert.equal((await ran(served, look)).stdout, "yes\n");
  await falls("would deny");

  await ask(served, "machine", { permissions: "", learns: true });
  await ran(served, look);
  const { answer } = await ask(served, "learned", { generalize: false });
  const learned = JSON.parse(answer.permissions);
  assert.ok(JSON.stringify(learned.fs).includes("/etc/passwd"), answer.permissions);
  await ask(served, "machine", { permissions: answer.permissions, learns: false });
  assert.equal((await ran(served, look)).stdout, "yes\n");
});

it("tools: each call as it goes; one that asks waits for an answer", async () => {
  let calls = 0;
  const served = await playground({
    tools: {
      twice: { description: "<b>", handler: ({ n }) => (calls++, { n: n * 2 }) },
      fails: {
        handler: () => {
          throw new Error("on purpose");
        },
      },
    },
  });
  const call = `console.log(JSON.stringify(await callHostTool("twice", { n: 4 }).catch((e) => e.code)))`;
  assert.equal((await ran(served, call)).stdout, '{"n":8}\n');
  const states = [];
  await events(served, ({ kind, call }) => {
    if (kind === "tool") states.push([call.id, call.state, call.input && JSON.parse(call.input)]);
    return kind === "live" ? true : undefined;
  });
  const [id] = states[0];
  assert.deepEqual(states, [
    [id, "runs", { n: 4 }],
    [id, "answered", { n: 4 }],
  ]);
  await ran(served, `await callHostTool("fails", {}).catch(() => {})`);
  await events(served, ({ call }) =>
    call?.state === "failed" && call.result === "on purpose" ? true : undefined,
  );

  await ask(served, "approvals", { ask: true });
  const before = calls;
  let answered = 0;
  for (const [approve, expected] of [
    [false, '"ERR_TOOL_REFUSED"\n'],
    [true, '{"n":8}\n'],
  ]) {
    const running = ran(served, call);
    answered = await events(served, ({ kind, call: waiting }) =>
      kind === "tool" && waiting.state === "asks" && waiting.id > answered ? waiting.id : undefined,
    );
    assert.equal((await ask(served, "answer", { id: answered, approve })).status, 200);
    assert.equal((await running).stdout, expected);
  }
  assert.equal(calls, before + 1);
  assert.equal((await ask(served, "answer", { id: 12345, approve: true })).status, 409);
});

it("a terminal: typed keys, output, size, end", async () => {
  const served = await playground();
  await ask(served, "openTerminal", { cols: 80, rows: 24 });
  const shown = (pattern) => {
    let text = "";
    return events(served, ({ kind, base64 }) => {
      if (kind === "terminal") text += Buffer.from(base64, "base64").toString();
      return pattern.test(text) ? text : undefined;
    });
  };
  await shown(/\$ /);
  await ask(served, "type", { text: "echo $((6*7)); stty size\r" });
  await shown(/\n42\r\n24 80\r\n/);
  await ask(served, "resize", { cols: 100, rows: 30 });
  await ask(served, "type", { text: "stty size; exit 5\r" });
  await shown(/\n30 100\r\n/);
  const code = await events(served, (event) =>
    event.kind === "terminalClosed" ? event.exitCode : undefined,
  );
  assert.equal(code, 5);
});
