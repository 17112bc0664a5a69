// The wire that e2b's SDKs speak, spoken by hand: the control API, the daemon's two services, files, tokens.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import http from "node:http";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { serveE2b } from "secure-exec/e2b";

const it = (name, body) => test(name, { timeout: 120_000 }, body);
const json = { "content-type": "application/json" };

async function serverOf(t, options) {
  const server = await serveE2b(options);
  t.after(() => server.close());
  return server;
}

/** A client of one server, and of the sandbox that it has made. */
async function clientOf(t, options) {
  const { url, apiKey } = await serverOf(t, options);
  const control = async (method, path, body, key = apiKey) => {
    const response = await fetch(url + path, {
      method,
      headers: { ...json, "x-api-key": key },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text && JSON.parse(text) };
  };
  const make = async (body) =>
    (await control("POST", "/sandboxes", { templateID: "base", timeout: 300, ...body })).body;
  const daemon = ({ sandboxID, envdAccessToken }) => {
    const headers = { "e2b-sandbox-id": sandboxID, "x-access-token": envdAccessToken };
    const call = async (method, message, more = {}) => {
      const init = {
        method: "POST",
        headers: { ...json, ...headers, ...more },
        body: JSON.stringify(message),
      };
      const response = await fetch(`${url}/${method}`, init);
      return { status: response.status, ...(await response.json()) };
    };
    return {
      headers,
      call,
      stream: (method, message, more) =>
        streamOf(`${url}/${method}`, { ...headers, ...more }, message),
    };
  };
  return { url, apiKey, control, make, daemon };
}

const envelope = (message) => {
  const text = Buffer.from(JSON.stringify(message));
  const head = Buffer.alloc(5);
  head.writeUInt32BE(text.length, 1);
  return Buffer.concat([head, text]);
};

/** Events of a streaming call, one after the other; the last is `{ end }` or `{ error }`. */
async function* streamOf(url, headers, message) {
  const response = await fetch(url, {
    method: "POST",
    headers: { ...headers, "content-type": "application/connect+json" },
    body: envelope(message),
  });
  let rest = Buffer.alloc(0);
  for await (const chunk of response.body) {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 5 && rest.length >= 5 + rest.readUInt32BE(1)) {
      const size = rest.readUInt32BE(1);
      const value = JSON.parse(rest.subarray(5, 5 + size));
      yield rest[0] === 2 ? { over: true, ...value } : value;
      rest = rest.subarray(5 + size);
    }
  }
}

const shell = (cmd, more) => ({
  process: { cmd: "/bin/bash", args: ["-l", "-c", cmd] },
  stdin: false,
  ...more,
});

/** What a command comes to. */
async function finished(events) {
  const result = { stdout: "", stderr: "", pty: "" };
  for await (const { event, over, error } of events) {
    for (const [name, data] of Object.entries(event?.data ?? {}))
      result[name] += Buffer.from(data, "base64");
    if (event?.start) result.pid = event.start.pid;
    if (event?.end) result.end = event.end;
    if (over) result.error = error;
  }
  return result;
}

it("sandboxes are made, found, extended and ended, by who has the key", async (t) => {
  const { control, make } = await clientOf(t, { sandboxes: 2, apiKey: `e2b_${"ab".repeat(20)}` });
  assert.equal((await control("GET", "/v2/sandboxes", undefined, "e2b_00")).status, 401);
  const one = await make({ metadata: { user: "1" }, envVars: { A: "1" } });
  assert.match(one.envdAccessToken, /^[0-9a-f]{48}$/);
  const two = await make({ metadata: { user: "2" } });
  const third = await control("POST", "/sandboxes", { templateID: "base" });
  assert.deepEqual([third.status, third.body.code], [429, 429]);
  const ids = ({ body }) => body.map(({ sandboxID }) => sandboxID);
  assert.deepEqual(ids(await control("GET", "/v2/sandboxes")), [one.sandboxID, two.sandboxID]);
  assert.deepEqual(ids(await control("GET", "/v2/sandboxes?metadata=user%3D2")), [two.sandboxID]);
  const first = await control("GET", "/v2/sandboxes?limit=1");
  assert.deepEqual([ids(first), first.headers.get("x-next-token")], [[one.sandboxID], "1"]);
  assert.deepEqual(ids(await control("GET", "/v2/sandboxes?limit=1&nextToken=1")), [two.sandboxID]);
  assert.deepEqual((await control("GET", "/v2/sandboxes?state=paused")).body, []);
  const before = (await control("GET", `/sandboxes/${one.sandboxID}`)).body;
  assert.deepEqual([before.state, before.metadata], ["running", { user: "1" }]);
  assert.equal(
    (await control("POST", `/sandboxes/${one.sandboxID}/timeout`, { timeout: 4000 })).status,
    204,
  );
  const after = (await control("GET", `/sandboxes/${one.sandboxID}`)).body;
  assert.ok(Date.parse(after.endAt) > Date.parse(before.endAt));
  const connected = await control("POST", `/sandboxes/${one.sandboxID}/connect`, { timeout: 1 });
  assert.equal(connected.body.envdAccessToken, one.envdAccessToken);
  assert.equal((await control("GET", `/sandboxes/${one.sandboxID}`)).body.endAt, after.endAt);
  assert.equal((await control("DELETE", `/sandboxes/${one.sandboxID}`)).status, 204);
  assert.equal((await control("DELETE", `/sandboxes/${one.sandboxID}`)).status, 404);
  assert.match(
    (await control("POST", "/sandboxes", { volumeMounts: [] })).body.message,
    /volumeMounts/,
  );
  await control("POST", `/sandboxes/${two.sandboxID}/timeout`, { timeout: 0 });
  while ((await control("GET", `/sandboxes/${two.sandboxID}`)).status !== 404);
});

it("a daemon's calls need its token, and tell a sandbox that is gone", async (t) => {
  const { make, daemon, control, url } = await clientOf(t);
  const sandbox = await make();
  const other = await make();
  const { call } = daemon({ ...sandbox, envdAccessToken: other.envdAccessToken });
  const refused = await call("process.Process/List", {});
  assert.deepEqual([refused.status, refused.code], [401, "unauthenticated"]);
  const health = (id) => fetch(`${url}/health`, { headers: { "e2b-sandbox-id": id } });
  assert.equal((await health(sandbox.sandboxID)).status, 204);
  await control("DELETE", `/sandboxes/${sandbox.sandboxID}`);
  assert.equal((await health(sandbox.sandboxID)).status, 502);
  for (const headers of [{ host: "evil.example" }, { origin: "https://evil.example" }]) {
    const response = await new Promise((resolve) =>
      http.get(`${url}/health`, { headers }, resolve),
    );
    response.resume();
    assert.equal(response.statusCode, 403);
  }
  const own = daemon(other);
  assert.equal((await own.call("process.Process/Nothing", {})).code, "unimplemented");
  assert.equal(
    (await own.call("process.Process/List", {}, { "content-type": "application/proto" })).code,
    "unimplemented",
  );
  assert.equal(
    (
      await own.call("process.Process/SendSignal", {
        process: { pid: 9999 },
        signal: "SIGNAL_SIGKILL",
      })
    ).code,
    "not_found",
  );
});

it("commands: events, exit codes, variables, input, signals, time", async (t) => {
  const { make, daemon } = await clientOf(t);
  const { call, stream } = daemon(await make({ envVars: { A: "1" } }));
  const run = (message, headers) => finished(stream("process.Process/Start", message, headers));
  const done = await run({
    ...shell("pwd; echo $A$B >&2; exit 3"),
    process: { ...shell("pwd; echo $A$B >&2; exit 3").process, envs: { B: "2" }, cwd: "/tmp" },
  });
  assert.deepEqual([done.stdout, done.stderr, done.error], ["/tmp\n", "12\n", undefined]);
  assert.deepEqual(done.end, { exitCode: 3, exited: true, status: "exit status 3" });
  const nowhere = await run({ process: { cmd: "true", cwd: "/none" } });
  assert.equal(nowhere.error.code, "invalid_argument");
  assert.equal((await run({ process: { cmd: "no-such-command" } })).end, undefined);
  const late = await run(shell("sleep 60"), { "connect-timeout-ms": "1000" });
  assert.equal(late.error.code, "deadline_exceeded");

  const events = stream("process.Process/Start", {
    process: { cmd: "cat" },
    tag: "cat",
    stdin: true,
  });
  const { pid } = (await events.next()).value.event.start;
  const { processes } = await call("process.Process/List", {});
  assert.deepEqual(processes, [{ pid, tag: "cat", config: { cmd: "cat", args: [], envs: {} } }]);
  const following = stream("process.Process/Connect", { process: { tag: "cat" } });
  assert.equal((await following.next()).value.event.start.pid, pid);
  const input = { stdin: Buffer.from("typed").toString("base64") };
  await call("process.Process/SendInput", { process: { pid }, input });
  const data = { event: { data: { stdout: input.stdin } } };
  assert.deepEqual([(await events.next()).value, (await following.next()).value], [data, data]);
  await call("process.Process/CloseStdin", { process: { pid } });
  const [one, two] = await Promise.all([finished(events), finished(following)]);
  assert.deepEqual([one.end.exitCode, two.end.exitCode], [0, 0]);

  const idle = stream("process.Process/Start", shell("sleep 60 & wait"));
  const started = (await idle.next()).value.event.start;
  await call("process.Process/SendSignal", { process: started, signal: "SIGNAL_SIGKILL" });
  const killed = await finished(idle);
  assert.deepEqual([killed.end.exited, killed.end.error], [false, "signal: killed"]);
  assert.equal(
    (await call("process.Process/SendSignal", { process: started, signal: "SIGNAL_SIGKILL" })).code,
    "not_found",
  );
  assert.equal((await run(shell("pgrep -x sleep"))).end.exitCode, 1);
});

it("the end of a sandbox cuts what follows its commands, and is no end of theirs", async (t) => {
  const { make, daemon, control } = await clientOf(t);
  const sandbox = await make();
  const events = daemon(sandbox).stream("process.Process/Start", shell("sleep 60"));
  await events.next();
  await control("DELETE", `/sandboxes/${sandbox.sandboxID}`);
  await assert.rejects(finished(events), /terminated|aborted|closed/);
});

it("terminals have a size and take input", async (t) => {
  const { make, daemon } = await clientOf(t);
  const { call, stream } = daemon(await make());
  const events = stream("process.Process/Start", {
    ...shell("read line; stty size"),
    pty: { size: { cols: 90, rows: 20 } },
  });
  const process = (await events.next()).value.event.start;
  await call("process.Process/Update", { process, pty: { size: { cols: 100, rows: 30 } } });
  await call("process.Process/SendInput", {
    process,
    input: { pty: Buffer.from("\r").toString("base64") },
  });
  const { pty, end } = await finished(events);
  assert.match(pty, /30 100/);
  assert.equal(end.exitCode, 0);
});

it("files: services, uploads, downloads, metadata and signatures", async (t) => {
  const { make, daemon, url } = await clientOf(t);
  const sandbox = await make();
  const { call, headers } = daemon(sandbox);
  const fs = (method, message) => call(`filesystem.Filesystem/${method}`, message);
  const form = new FormData();
  form.append("file", new Blob(["one"]), "a/one.txt");
  form.append("file", new Blob(["two"]), "/tmp/two.txt");
  const upload = async (path, init) =>
    (
      await fetch(`${url}/files${path}`, {
        method: "POST",
        ...init,
        headers: { ...headers, ...init.headers },
      })
    ).json();
  assert.deepEqual(await upload("", { body: form }), [
    { name: "one.txt", path: "/home/user/a/one.txt", type: "file" },
    { name: "two.txt", path: "/tmp/two.txt", type: "file" },
  ]);
  const zipped = await upload("?path=z.bin", {
    body: gzipSync("zipped"),
    headers: {
      "content-encoding": "gzip",
      "content-type": "application/octet-stream",
      "x-metadata-author": "me",
    },
  });
  assert.deepEqual(zipped, [
    { name: "z.bin", path: "/home/user/z.bin", type: "file", metadata: { author: "me" } },
  ]);
  assert.equal(
    (await upload("?path=z.bin", { body: "no gzip", headers: { "content-encoding": "gzip" } }))
      .code,
    400,
  );
  const download = (path) => fetch(`${url}/files?path=${path}`, { headers });
  assert.equal(await (await download("z.bin")).text(), "zipped");
  assert.equal((await download("none")).status, 404);
  assert.equal((await download("a")).status, 400);

  const { entry } = await fs("Stat", { path: "~/z.bin" });
  assert.deepEqual(
    [entry.type, entry.size, entry.mode, entry.permissions, entry.owner, entry.metadata],
    ["FILE_TYPE_FILE", "6", 0o644, "-rw-r--r--", "user", { author: "me" }],
  );
  assert.equal(
    (await fs("Move", { source: "z.bin", destination: "b/y.bin" })).entry.metadata.author,
    "me",
  );
  assert.equal((await fs("Stat", { path: "z.bin" })).code, "not_found");
  assert.equal((await fs("MakeDir", { path: "a/deep/er" })).entry.path, "/home/user/a/deep/er");
  assert.equal((await fs("MakeDir", { path: "a/deep" })).code, "already_exists");
  assert.equal((await fs("MakeDir", { path: "a/one.txt" })).code, "invalid_argument");
  const names = async (depth) =>
    (await fs("ListDir", { path: "a", depth })).entries.map(({ path }) => path.slice(13));
  assert.deepEqual(
    [await names(1), await names(2)],
    [
      ["deep", "one.txt"],
      ["deep", "deep/er", "one.txt"],
    ],
  );
  assert.equal((await fs("ListDir", { path: "a/one.txt" })).code, "invalid_argument");
  assert.equal((await fs("Remove", { path: "none" })).status, 200);

  const sign = (expiration, operation = "read") => {
    const text = `b/y.bin:${operation}::${sandbox.envdAccessToken}:${expiration}`;
    const hash = createHash("sha256").update(text).digest("base64").replace(/=+$/, "");
    return `${url}/files?${new URLSearchParams({ path: "b/y.bin", signature: `v1_${hash}`, signature_expiration: expiration })}`;
  };
  const now = Math.floor(Date.now() / 1000);
  assert.equal(await (await fetch(sign(now + 3600))).text(), "zipped");
  const old = await fetch(sign(now - 10));
  assert.deepEqual(
    [old.status, await old.json()],
    [401, { code: 401, message: "signature is already expired" }],
  );
  assert.equal((await fetch(sign(now + 3600), { method: "POST", body: "x" })).status, 401);
});

it("watchers tell what happens, as a stream or when they are asked", async (t) => {
  const { make, daemon } = await clientOf(t);
  const { call, stream } = daemon(await make());
  const fs = (method, message) => call(`filesystem.Filesystem/${method}`, message);
  await fs("MakeDir", { path: "w/below" });
  const events = stream("filesystem.Filesystem/WatchDir", {
    path: "w",
    recursive: true,
    includeEntry: true,
  });
  assert.deepEqual((await events.next()).value, { start: {} });
  const { watcherId } = await fs("CreateWatcher", { path: "w" });
  await fs("MakeDir", { path: "w/below/deep" });
  const { filesystem } = (await events.next()).value;
  assert.deepEqual(
    [filesystem.name, filesystem.type, filesystem.entry.path],
    ["below/deep", "EVENT_TYPE_CREATE", "/home/user/w/below/deep"],
  );
  await events.return();
  await fs("MakeDir", { path: "w/flat" });
  let asked = [];
  while (asked.length === 0) asked = (await fs("GetWatcherEvents", { watcherId })).events;
  assert.deepEqual(asked, [{ name: "flat", type: "EVENT_TYPE_CREATE" }]);
  await fs("RemoveWatcher", { watcherId });
  assert.equal((await fs("GetWatcherEvents", { watcherId })).code, "not_found");
  assert.equal(
    (await finished(stream("filesystem.Filesystem/WatchDir", { path: "none" }))).error.code,
    "not_found",
  );
});

it("forks and snapshots have the files; ports are reached by their host name", async (t) => {
  const { make, daemon, control, url } = await clientOf(t);
  const sandbox = await make();
  const id = sandbox.sandboxID;
  const start = (of, message) => daemon(of).stream("process.Process/Start", message);
  await finished(start(sandbox, shell("echo kept > file")));
  const { snapshotID } = (await control("POST", `/sandboxes/${id}/snapshots`, {})).body;
  assert.deepEqual(
    (await control("GET", "/snapshots")).body.map((one) => one.snapshotID),
    [snapshotID],
  );
  const [fork, too] = (await control("POST", `/sandboxes/${id}/fork`, { count: 2, timeout: 60 }))
    .body;
  const restored = await make({ templateID: snapshotID });
  for (const of of [fork.sandbox, too.sandbox, restored])
    assert.equal((await finished(start(of, shell("cat file")))).stdout, "kept\n");
  assert.equal((await control("DELETE", `/templates/${snapshotID}`)).status, 204);
  assert.equal((await control("POST", `/sandboxes/${id}/fork`, { count: 0 })).status, 400);

  const program = `require("http").createServer((q, r) => { r.setHeader("x-seen", q.headers["x-own"]); q.pipe(r); }).listen(3000, () => console.log("up"))`;
  const server = start(sandbox, { process: { cmd: "node", args: ["-e", program] } });
  for await (const { event } of server) if (event?.data) break;
  const forwarded = await new Promise((resolve, reject) => {
    const headers = { host: `3000-${id}.localhost`, "x-own": "1" };
    const request = http.request(url, { method: "POST", headers }, resolve).on("error", reject);
    request.end("body");
  });
  const chunks = [];
  for await (const chunk of forwarded) chunks.push(chunk);
  assert.deepEqual([forwarded.headers["x-seen"], Buffer.concat(chunks).toString()], ["1", "body"]);
});
