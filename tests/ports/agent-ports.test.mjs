// The adapters that give an agent a machine: AI SDK, deepagents, bash-tool, ComputeSDK.
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import { test } from "node:test";
import {
  Session,
  SecureExecSandboxSession,
  codeTool,
  codeToolCaller,
  commandTool,
  createSecureExecSandbox,
} from "secure-exec/ai";
import { createSandbox } from "secure-exec/bash-tool";
import { secureExec } from "secure-exec/computesdk";
import { SecureExecBackend } from "secure-exec/deepagents";
import { createAgentMachine } from "secure-exec/openai";
import { NetworkGate } from "../../dist/ports/ai/network-policy.js";

const it = (name, body) => test(name, { timeout: 120_000 }, body);
const read = async (stream) => {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
};

it("ai: a sandbox session runs commands and reads and writes files", async (t) => {
  const session = await Session.create({ cwd: "/work" });
  t.after(() => session.dispose());
  const sandbox = new SecureExecSandboxSession(session);
  assert.match(sandbox.description, /Current working directory: \/work/);
  assert.deepEqual(await sandbox.run({ command: "cat; echo err >&2; exit 2", stdin: "in" }), {
    exitCode: 2,
    stdout: "in",
    stderr: "err\n",
  });
  const content = new ReadableStream({
    start(controller) {
      controller.enqueue(Buffer.from("one\n"));
      controller.enqueue(Buffer.from("two\nthree"));
      controller.close();
    },
  });
  await sandbox.writeFile({ path: "a.txt", content });
  assert.equal(await sandbox.readTextFile({ path: "a.txt", startLine: 2, endLine: 2 }), "two");
  assert.equal(await read(await sandbox.readFile({ path: "/work/a.txt" })), "one\ntwo\nthree");
  assert.equal(await sandbox.readFile({ path: "none" }), null);
  assert.deepEqual(await sandbox.listDirectory({ path: "." }), [{ name: "a.txt", type: "file" }]);
  assert.equal((await sandbox.stat({ path: "a.txt" })).isFile, true);
  assert.equal(await sandbox.deleteFile({ path: "a.txt" }), true);
  assert.equal(await sandbox.deleteFile({ path: "a.txt" }), false);
  const live = await sandbox.spawn({ command: "cat" });
  const writer = live.stdin.getWriter();
  await writer.write(Buffer.from("typed"));
  await writer.close();
  assert.equal(await read(live.stdout), "typed");
  assert.deepEqual(await live.wait(), { exitCode: 0 });
  const aborted = AbortSignal.abort(new Error("no"));
  await assert.rejects(sandbox.run({ command: "true", abortSignal: aborted }), /no/);
  await assert.rejects(sandbox.readFile({ path: "a", abortSignal: aborted }), /no/);
});

it("ai: a harness provider makes, resumes and ends sessions", async () => {
  const provider = createSecureExecSandbox({ ports: [4319] });
  assert.equal(provider.specificationVersion, "harness-sandbox-v1");
  const session = await provider.createSession({
    sessionId: "s1",
    onFirstCreate: (made) => made.writeTextFile({ path: "set-up", content: "yes" }),
  });
  const resumed = await provider.resumeSession({ sessionId: "s1" });
  assert.equal(await resumed.restricted().readTextFile({ path: "set-up" }), "yes");
  assert.equal(resumed.restricted().stop, undefined);
  assert.deepEqual(await session.getPortEndpoint({ port: 4319, protocol: "ws" }), {
    url: "ws://127.0.0.1:4319",
  });
  await assert.rejects(session.getPortUrl({ port: 80 }), RangeError);
  class HarnessCapabilityUnsupportedError extends Error {
    constructor({ harnessId, message }) {
      super(`${harnessId}: ${message}`);
    }
  }
  const classed = createSecureExecSandbox({ HarnessCapabilityUnsupportedError });
  await assert.rejects((await classed.createSession()).getPortUrl({ port: 80 }), (error) => {
    assert.ok(error instanceof HarnessCapabilityUnsupportedError);
    assert.match(error.message, /^secure-exec: Port 80 is not exposed/);
    return true;
  });
  await classed.dispose();
  await session.destroy();
  await assert.rejects(provider.resumeSession({ sessionId: "s1" }), /no session "s1"/);
  const failing = provider.createSession({
    sessionId: "s2",
    onFirstCreate: () => Promise.reject(new Error("set-up failed")),
  });
  await assert.rejects(failing, /set-up failed/);
  await assert.rejects(provider.resumeSession({ sessionId: "s2" }), /no session/);
});

it("ai: a provider of one machine that the caller owns ends nothing and sets nothing up", async (t) => {
  const machine = await Session.create({
    cwd: "/work",
    ports: [4320, 4321],
    publicUrl: (port) => (port === 4320 ? `https://${port}.example.com` : "http://example.com/x"),
  });
  t.after(() => machine.dispose());
  const provider = createSecureExecSandbox({ session: machine });
  let setUps = 0;
  const onFirstCreate = async () => void setUps++;
  const one = await provider.createSession({ sessionId: "a", identity: "i", onFirstCreate });
  const two = await provider.resumeSession({ sessionId: "b" });
  await one.writeTextFile({ path: "kept", content: "yes" });
  await one.stop();
  await two.destroy();
  await provider.dispose();
  assert.equal(setUps, 0);
  assert.equal(await two.restricted().readTextFile({ path: "/work/kept" }), "yes");
  assert.deepEqual([one.id, two.id, one.ports], [machine.id, machine.id, [4320, 4321]]);
  const urls = await Promise.all([
    one.getPortUrl({ port: 4320 }),
    one.getPortUrl({ port: 4320, protocol: "ws" }),
    one.getPortUrl({ port: 4321, protocol: "ws" }),
  ]);
  assert.deepEqual(urls, [
    "https://4320.example.com/",
    "wss://4320.example.com/",
    "ws://example.com/x",
  ]);
  const fork = await machine.fork();
  t.after(() => fork.dispose());
  assert.equal(fork.portUrl(4320), "https://4320.example.com/");
});

it("ai: ready-made tools", async (t) => {
  const lookup = { description: "a name by id", execute: async ({ id }) => `name-${id}` };
  const code = codeTool({ tools: { lookup } });
  t.after(() => code.dispose());
  assert.match(code.description, /await lookup\(input\): a name by id/);
  assert.deepEqual(await code.execute({ code: "console.log(1); return lookup({ id: 2 })" }), {
    value: "name-2",
    logs: ["1"],
  });
  assert.deepEqual(await code.execute({ code: "throw new TypeError('no')" }), {
    error: "TypeError: no",
    logs: [],
  });
  assert.equal(code.inputSchema.validate({ code: 1 }).success, false);
  const command = commandTool({ timeoutMs: 1500 });
  t.after(() => command.dispose());
  await command.execute({ command: "echo kept > file" });
  assert.equal((await command.execute({ command: "cat file" })).stdout, "kept\n");
  const late = await command.execute({ command: "sleep 60" });
  assert.deepEqual([late.exitCode, late.stderr], [137, "killed after 1500 ms\n"]);
});

it("ai: a caller of other tools has those that are bound to it", async (t) => {
  const caller = codeToolCaller();
  t.after(() => caller.dispose());
  const { type, bind } = caller.experimental_toolCaller;
  assert.equal(type, "local");
  assert.equal({ ...caller }.experimental_toolCaller, undefined);
  assert.deepEqual((await caller.execute({ code: "return typeof lookup" })).value, "undefined");
  const seen = [];
  const lookup = {
    description: "a name by id",
    execute: async ({ id }, { toolCallId, abortSignal }) => {
      seen.push(toolCallId, abortSignal.aborted);
      return `name-${id}`;
    },
  };
  const bound = bind({ lookup });
  assert.match(bound.description, /await lookup\(input\): a name by id/);
  const options = { toolCallId: "call-1", messages: [] };
  assert.equal(
    (await bound.execute({ code: "return lookup({ id: 3 })" }, options)).value,
    "name-3",
  );
  assert.deepEqual(seen, ["call-1", false]);
});

it("ai: a harness changes what a machine reaches while it runs", async (t) => {
  const target = http
    .createServer((request, response) => response.end("reached"))
    .listen(0, "127.0.0.1");
  await once(target, "listening");
  t.after(() => target.close());
  const { port } = target.address();
  const provider = createSecureExecSandbox();
  t.after(() => provider.dispose());
  const session = await provider.createSession();
  const code = `fetch("http://127.0.0.1:${port}/").then((r) => r.text()).then(console.log, (e) => console.log(e.cause?.code ?? e.message))`;
  await session.writeTextFile({ path: "try.mjs", content: code });
  const reach = async () => (await session.run({ command: "node try.mjs" })).stdout.trim();
  const before = await reach();
  assert.notEqual(before, "reached");
  await session.setNetworkPolicy({ mode: "allow-all" });
  assert.notEqual(await reach(), "reached");
  await assert.rejects(
    session.setNetworkPolicy({ mode: "custom", allowedCIDRs: ["nowhere"] }),
    RangeError,
  );
  const { setNetworkPolicy } = session.restricted();
  assert.equal(setNetworkPolicy, undefined);
  const ruled = createSecureExecSandbox({
    runtime: { permissions: { network: { rules: [{ mode: "allow", patterns: ["a.example"] }] } } },
  });
  t.after(() => ruled.dispose());
  assert.equal((await ruled.createSession()).setNetworkPolicy, undefined);
});

it("ai: a harness adds to requests of a living session what the machine never holds", async (t) => {
  const keys = [];
  const target = http.createServer(({ headers }, response) => {
    keys.push([headers["x-key"], headers["x-other"]]);
    response.end();
  });
  target.listen(0, "127.0.0.1");
  await once(target, "listening");
  t.after(() => target.close());
  const host = `localhost:${target.address().port}`;
  const header = (name, value, match = {}) => ({
    match: { host, ...match },
    transform: { headers: { [name]: value } },
  });
  const { port } = target.address();
  const provider = createSecureExecSandbox({
    runtime: {
      loopbackExemptPorts: [port],
      permissions: { network: "allow" },
      network: { transform: [header("x-other", "the provider's")] },
    },
  });
  t.after(() => provider.dispose());
  const session = await provider.createSession();
  const request = async () => {
    const script = `fetch("http://${host}/").catch((e) => console.log(e.cause))`;
    const { stdout } = await session.run({ command: `node -e '${script}'` });
    assert.equal(stdout, "");
    return keys.at(-1);
  };
  assert.deepEqual(await request(), [undefined, "the provider's"]);
  const first = header("x-key", "first");
  await session.setRequestTransformations([first]);
  first.transform.headers["x-key"] = "changed by the caller";
  assert.deepEqual(await request(), ["first", "the provider's"]);
  await Promise.all([
    session.addRequestTransformations([header("x-other", "ours")]),
    session.addRequestTransformations([header("x-key", "never", { path: { exact: "/no" } })]),
  ]);
  assert.deepEqual(await request(), ["first", "ours"]);
  await assert.rejects(session.addRequestTransformations([header("host", "x")]), {
    code: "ERR_SECURE_EXEC_INVALID_OPTION",
  });
  assert.deepEqual(await request(), ["first", "ours"]);
  await session.setRequestTransformations([]);
  assert.deepEqual(await request(), [undefined, "the provider's"]);
  assert.equal(session.restricted().addRequestTransformations, undefined);
});

it("ai: what onFirstCreate made of a machine is where later sessions of the identity begin", async (t) => {
  const provider = createSecureExecSandbox();
  t.after(() => provider.dispose());
  let runs = 0;
  const make = (more = {}) =>
    provider.createSession({
      identity: "template",
      onFirstCreate: async (session) => {
        runs++;
        await session.writeTextFile({ path: "set-up", content: "yes" });
      },
      ...more,
    });
  const failed = make({ onFirstCreate: () => Promise.reject(new Error("set-up failed")) });
  const waiting = make();
  await assert.rejects(failed, /set-up failed/);
  const first = await waiting;
  await first.writeTextFile({ path: "later", content: "of the first" });
  const second = await make({ sessionId: "second" });
  assert.equal(runs, 1);
  assert.equal(second.id, "second");
  assert.equal(await second.readTextFile({ path: "set-up" }), "yes");
  assert.equal(await second.readTextFile({ path: "later" }), null);
  await make({ identity: "another" });
  assert.equal(runs, 2);
});

it("ai: a network policy by names and ranges", () => {
  const gate = new NetworkGate({ mode: "deny-all" });
  const to = (hostname, address, more) =>
    gate.allows({
      operation: "http",
      protocol: "tcp",
      hostname,
      address,
      loopback: false,
      ...more,
    });
  assert.equal(to("a.example", "93.184.216.34"), false);
  assert.equal(to("localhost", "127.0.0.1", { loopback: true }), true);
  assert.equal(to("", undefined, { operation: "listen" }), true);
  gate.set({ mode: "allow-all" });
  assert.deepEqual([to("a.example", "93.184.216.34"), to("a.example", "10.1.2.3")], [true, false]);
  for (const address of ["169.254.169.254", "::1", "fd00::1", "::ffff:10.0.0.1"])
    assert.equal(to("a.example", address), false, address);
  gate.set({
    mode: "custom",
    allowedHosts: ["api.example", "*.cdn.example"],
    allowedCIDRs: ["10.0.0.0/8"],
    deniedCIDRs: ["10.9.0.0/16", "2001:db8::/32"],
  });
  assert.deepEqual(
    [
      to("API.example.", "93.184.216.34"),
      to("x.cdn.example", "93.184.216.34"),
      to("cdn.example", "93.184.216.34"),
      to("api.example", "192.168.0.1"),
      to("api.example", "2001:db8::1"),
      to("other", "10.1.1.1"),
      to("other", "10.9.1.1"),
      to("other", undefined, { protocol: "dns", operation: "dns" }),
    ],
    [true, true, false, false, false, true, false, true],
  );
  assert.throws(() => gate.set({ mode: "custom", allowedCIDRs: ["x/8"] }), RangeError);
});

it("bash-tool: commands and files of one machine", async (t) => {
  const sandbox = await createSandbox();
  t.after(() => sandbox.stop());
  await sandbox.writeFiles([{ path: "src/a.txt", content: "text" }]);
  assert.deepEqual(await sandbox.executeCommand("pwd; cat src/a.txt; exit 4"), {
    stdout: "/workspace\ntext",
    stderr: "",
    exitCode: 4,
  });
  assert.equal(await sandbox.readFile("/workspace/src/a.txt"), "text");
  await assert.rejects(sandbox.readFile("none"), { code: "ERR_SECURE_EXEC_NO_SUCH_FILE" });
});

it("deepagents: files are read, searched and edited natively", async (t) => {
  const backend = new SecureExecBackend({ initialFiles: { "/w/a.txt": "one\ntwo\none\n" } });
  t.after(() => backend.close());
  assert.equal(backend.isRunning, false);
  assert.equal((await backend.read("/w/a.txt", 1, 1)).content, "     2\ttwo");
  assert.equal(backend.isRunning, true);
  assert.match((await backend.read("/w/none")).error, /not found/);
  assert.deepEqual((await backend.grep("one", "/w")).matches, [
    { path: "/w/a.txt", line: 1, text: "one" },
    { path: "/w/a.txt", line: 3, text: "one" },
  ]);
  const capped = await backend.grep("one", "/w", "*.txt", 1);
  assert.deepEqual([capped.matches.length, capped.truncated], [1, true]);
  assert.deepEqual((await backend.grep("one", "/w", "*.md")).matches, []);
  assert.match((await backend.edit("/w/a.txt", "one", "1")).error, /Multiple occurrences \(2\)/);
  assert.equal((await backend.edit("/w/a.txt", "one", "$&", true)).occurrences, 2);
  assert.equal((await backend.readRaw("/w/a.txt")).data.content, "$&\ntwo\n$&\n");
  assert.deepEqual(
    (await backend.glob("**/*.txt", "/w")).files.map(({ path, is_dir }) => [path, is_dir]),
    [["a.txt", false]],
  );
  assert.deepEqual(
    await backend
      .uploadFiles([
        ["/w/b.png", new Uint8Array([1, 2])],
        ["/proc/x", new Uint8Array(1)],
      ])
      .then((all) => all.map(({ error }) => error === null)),
    [true, false],
  );
  assert.deepEqual((await backend.read("/w/b.png")).content, new Uint8Array([1, 2]));
  const downloads = await backend.downloadFiles(["/w/b.png", "/w/none", "/w"]);
  assert.deepEqual(
    downloads.map(({ error }) => error),
    [null, "file_not_found", "is_directory"],
  );
  assert.deepEqual(await backend.execute("echo out; echo err >&2; exit 3"), {
    output: "out\nerr\n",
    exitCode: 3,
    truncated: false,
  });
  assert.equal((await backend.delete("/w/a.txt")).path, "/w/a.txt");
  assert.match((await backend.delete("/w/a.txt")).error, /not found/);
});

it("computesdk: the methods of a provider", async (t) => {
  const provider = secureExec(({ name, methods }) => ({ name, ...methods.sandbox }));
  assert.equal(provider.name, "secure-exec");
  const { sandbox, sandboxId } = await provider.create(
    {},
    { envs: { A: "1" }, metadata: { m: 1 } },
  );
  t.after(() => provider.destroy({}, sandboxId));
  const texts = [];
  const onStdout = (text) => texts.push(text);
  const result = await provider.runCommand(sandbox, "echo $A; exit 5", { onStdout });
  assert.deepEqual([result.stdout, result.exitCode, texts.join("")], ["1\n", 5, "1\n"]);
  assert.equal((await provider.runCommand(sandbox, "sleep 60", { background: true })).exitCode, 0);
  assert.equal((await provider.runCommand(sandbox, "sleep 60", { timeout: 500 })).exitCode, 137);
  const files = provider.filesystem;
  await files.mkdir(sandbox, "/d/e");
  await files.writeFile(sandbox, "/d/f.txt", "text");
  assert.equal(await files.readFile(sandbox, "/d/f.txt"), "text");
  assert.deepEqual(
    (await files.readdir(sandbox, "/d")).map(({ name, type }) => [name, type]),
    [
      ["e", "directory"],
      ["f.txt", "file"],
    ],
  );
  await files.remove(sandbox, "/d");
  assert.equal(await files.exists(sandbox, "/d"), false);
  await assert.rejects(files.remove(sandbox, "/d"));
  const info = await provider.getInfo(sandbox);
  assert.deepEqual([info.id, info.status, info.metadata], [sandboxId, "running", { m: 1 }]);
  assert.equal((await provider.list({})).length, 1);
  await provider.destroy({}, sandboxId);
  assert.equal(await provider.getById({}, sandboxId), null);
});

it("openai: a shell's actions and an editor's patches", async (t) => {
  const applyDiff = (input, diff, mode) => {
    if (diff === "bad") throw new Error("the diff does not apply");
    return mode === "create" ? diff : `${input}${diff}`;
  };
  const machine = await createAgentMachine({ applyDiff });
  t.after(() => machine.dispose());
  const { shell, editor } = machine;
  assert.deepEqual(
    await shell.run({ commands: ["echo abcdef; exit 3", "pwd >&2"], maxOutputLength: 4 }),
    {
      output: [
        { stdout: "abcd", stderr: "", outcome: { type: "exit", exitCode: 3 } },
        { stdout: "", stderr: "/wor", outcome: { type: "exit", exitCode: 0 } },
      ],
      maxOutputLength: 4,
    },
  );
  const late = await shell.run({ commands: ["sleep 60", "echo never"], timeoutMs: 800 });
  assert.deepEqual(
    late.output.map(({ outcome }) => outcome),
    [{ type: "timeout" }],
  );
  const status = async (answer) => (await answer).status;
  assert.equal(await status(editor.createFile({ path: "a.txt", diff: "one" })), "completed");
  assert.equal(await status(editor.createFile({ path: "a.txt", diff: "one" })), "failed");
  assert.equal(await status(editor.updateFile({ path: "a.txt", diff: "two" })), "completed");
  assert.deepEqual(await editor.updateFile({ path: "a.txt", diff: "bad" }), {
    status: "failed",
    output: "the diff does not apply",
  });
  assert.equal(await status(editor.updateFile({ path: "none", diff: "" })), "failed");
  const moved = { path: "a.txt", diff: "!", moveTo: "d/b.txt" };
  assert.equal(await status(editor.updateFile(moved)), "completed");
  const { output } = await shell.run({ commands: ["ls; cat d/b.txt"] });
  assert.equal(output[0].stdout, "d\nonetwo!");
  assert.equal(await status(editor.deleteFile({ path: "d" })), "failed");
  assert.equal(await status(editor.deleteFile({ path: "d/b.txt" })), "completed");
});
