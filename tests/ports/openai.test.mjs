// The sandbox client of the OpenAI Agents SDK: commands that go on, terminals, manifests, archives, resuming.
import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { SecureExecSandboxClient } from "secure-exec/openai";
import { truncated } from "../../dist/ports/openai/output-text.js";

const it = (name, body) => test(name, { timeout: 120_000 }, body);

/** What the port needs of the package's class. */
class Manifest {
  constructor(init = {}) {
    const { root = "/workspace", entries = {}, environment = {}, extraPathGrants = [] } = init;
    const variables = Object.entries(environment).map(([name, given]) => {
      const variable = typeof given === "string" ? { value: given } : given;
      return [name, { resolve: async () => variable.value, ...variable }];
    });
    Object.assign(this, {
      version: 1,
      root,
      entries,
      environment: Object.fromEntries(variables),
      users: init.users ?? [],
      groups: [],
      extraPathGrants,
      remoteMountCommandAllowlist: [],
    });
  }
}
const applyDiff = (input, diff, mode) => (mode === "create" ? diff : `${input}${diff}`);

async function clientOf(t, options = {}) {
  const client = new SecureExecSandboxClient({ Manifest, applyDiff, ...options });
  t.after(() => client.dispose());
  return client;
}

function folder(t) {
  const path = mkdtempSync(join(tmpdir(), "openai-port-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** The output of a running command until it has what is waited for. */
async function until(session, first, pattern) {
  let text = first.output ?? first;
  while (!pattern.test(text)) {
    text += await session.writeStdin({ sessionId: first.sessionId, yieldTimeMs: 50 });
    assert.ok(text.length < 1_000_000);
  }
  return text;
}

it("commands end within their call, or go on and are typed to", async (t) => {
  const session = await (await clientOf(t)).create();
  const done = await session.exec({ cmd: "pwd; echo err >&2; exit 7" });
  assert.deepEqual([done.exitCode, done.stdout, done.stderr], [7, "/workspace\n", "err\n"]);
  assert.equal(done.sessionId, undefined);
  assert.match(
    await session.execCommand({ cmd: "echo text" }),
    /^Chunk ID: \w{6}\nWall time: \d+\.\d{4} seconds\nProcess exited with code 0\nOutput:\ntext\n$/,
  );
  const cat = await session.exec({ cmd: "cat; echo over", yieldTimeMs: 1 });
  assert.equal(cat.exitCode, undefined);
  await session.writeStdin({ sessionId: cat.sessionId, chars: "typed\n" });
  const interrupted = { ...cat, output: "" };
  await session.writeStdin({ sessionId: cat.sessionId, chars: "\u0003", yieldTimeMs: 1 });
  assert.match(
    await until(session, interrupted, /exited with code|session not found/),
    /code 130|not found/,
  );
  assert.match(await session.writeStdin({ sessionId: 99 }), /session not found: 99/);
  await assert.rejects(session.exec({ cmd: "true", runAs: "root" }), /runAs "root"/);
  await assert.rejects(session.exec({ cmd: "true", workdir: "/etc" }), /escapes the workspace/);
});

it("a terminal is one", async (t) => {
  const session = await (await clientOf(t)).create();
  const started = await session.exec({
    cmd: "[ -t 0 ] && echo is-a-terminal; read line; echo got=$line",
    tty: true,
    yieldTimeMs: 1,
  });
  const greeted = await until(session, started, /is-a-terminal/);
  assert.doesNotMatch(greeted, /exited/);
  let text = await session.writeStdin({ sessionId: started.sessionId, chars: "hello\n" });
  if (!text.includes("exited"))
    text += await until(session, { ...started, output: text }, /exited/);
  assert.match(text, /got=hello/);
  assert.match(text, /Process exited with code 0/);
});

it("a manifest makes files, copies, mounts and variables, and nothing that it may not", async (t) => {
  const host = folder(t);
  mkdirSync(join(host, "tree/below"), { recursive: true });
  writeFileSync(join(host, "tree/below/leaf.txt"), "leaf");
  writeFileSync(join(host, "single.txt"), "single");
  const client = await clientOf(t, { sourceDirectory: host });
  const session = await client.create(
    new Manifest({
      entries: {
        "notes.txt": { type: "file", content: "note" },
        bin: {
          type: "dir",
          permissions: "drwxr-x---",
          children: { "run.sh": { type: "file", content: "echo ran $A", permissions: 0o700 } },
        },
        copied: { type: "local_dir", src: "tree" },
        "one.txt": { type: "local_file", src: "single.txt" },
        shown: { type: "mount", source: host, mountStrategy: { type: "local_bind" } },
      },
      environment: { A: "value" },
    }),
  );
  const { stdout } = await session.exec({
    cmd: "cat notes.txt copied/below/leaf.txt one.txt shown/single.txt; stat -c %a bin bin/run.sh; bin/run.sh; touch shown/x || echo read-only",
  });
  assert.equal(stdout, "noteleafsinglesingle750\n700\nran value\nread-only\n");
  assert.deepEqual(
    (await session.listDir({ path: "." })).map(({ path, type }) => `${type} ${path}`),
    ["dir bin", "dir copied", "file notes.txt", "file one.txt", "dir shown"],
  );
  await session.materializeEntry({ path: "later/x.txt", entry: { type: "file", content: "x" } });
  assert.equal(await session.pathExists("later/x.txt"), true);
  assert.ok("later/x.txt" in session.state.manifest.entries);

  symlinkSync("single.txt", join(host, "link.txt"));
  for (const [entries, pattern] of [
    [{ a: { type: "local_file", src: "link.txt" } }, /do not support symbolic links/],
    [{ a: { type: "local_file", src: "/etc/hostname" } }, /outside of/],
    [{ "../a": { type: "file", content: "" } }, /not below its root/],
    [{ a: { type: "s3_mount", bucket: "b" } }, /does not support entries of type s3_mount/],
  ])
    await assert.rejects(client.create(new Manifest({ entries })), pattern);
  await assert.rejects(client.create(new Manifest({ users: [{ name: "u" }] })), /manifest users/);
});

it("editor, images and files", async (t) => {
  const session = await (await clientOf(t)).create();
  const editor = session.createEditor();
  await editor.createFile({ path: "a.txt", diff: "one" });
  await assert.rejects(editor.createFile({ path: "a.txt", diff: "one" }), /already exists/);
  await editor.updateFile({ path: "a.txt", diff: "two", moveTo: "b/c.txt" });
  assert.equal(
    Buffer.from(await session.readFile({ path: "b/c.txt", maxBytes: 5 })).toString(),
    "onetw",
  );
  await assert.rejects(
    editor.updateFile({ path: "/etc/passwd", diff: "" }),
    /escapes the workspace/,
  );
  await editor.deleteFile({ path: "b/c.txt" });
  await session.session.writeFile("p.png", Buffer.from("89504e470d0a1a0a00", "hex"));
  await session.session.writeFile("v", "<!-- a --><svg></svg>");
  assert.equal((await session.viewImage({ path: "p.png" })).image.mediaType, "image/png");
  assert.equal((await session.viewImage({ path: "v" })).image.mediaType, "image/svg+xml");
  await session.session.writeFile("text.png", "no image");
  await assert.rejects(session.viewImage({ path: "text.png" }), /Unsupported image format/);
  await assert.rejects(session.viewImage({ path: "none" }), /not found/);
  await assert.rejects(session.viewImage({ path: "b" }), /not a file/);
});

it("archives replace a workspace, within bounds", async (t) => {
  const session = await (
    await clientOf(t)
  ).create(
    new Manifest({
      entries: {
        "keep.txt": { type: "file", content: "keep" },
        "it's": { type: "file", content: "left out", ephemeral: true },
      },
    }),
  );
  const archive = await session.persistWorkspace();
  await session.exec({ cmd: "echo changed > keep.txt; echo stale > stale.txt" });
  const bounded = (archiveLimits) => session.hydrateWorkspace(archive, { archiveLimits });
  await assert.rejects(bounded({ maxInputBytes: 100 }), { name: "ArchiveBoundError" });
  await assert.rejects(bounded({ maxExtractedBytes: 3 }), (error) => {
    assert.deepEqual(error.details, {
      reason: "archive extracted size exceeds limit",
      limit: 3,
      actual: 4,
      member: "keep.txt",
    });
    return true;
  });
  assert.equal(await session.pathExists("stale.txt"), true);
  await bounded({ maxMembers: 1 });
  const { stdout } = await session.exec({ cmd: "ls; cat keep.txt" });
  assert.equal(stdout, "keep.txt\nkeep");
  await assert.rejects(session.hydrateWorkspace(Buffer.from("no archive")), /no tar archive/);
});

it("a session is resumed while it lives, and made again of its snapshot afterwards", async (t) => {
  const baseDir = folder(t);
  const saved = new Map();
  const store = {
    save: async ({ id, data }) => (saved.set(id, data), { id }),
    load: async ({ id }) => ({ data: saved.get(id) }),
  };
  for (const snapshot of [
    { type: "local", baseDir },
    { type: "remote", id: "kept", store },
  ]) {
    const client = await clientOf(t, { snapshot });
    const reference = {
      toJSON: () => ({ type: "secret" }),
      resolve: async () => "hidden",
      value: "",
    };
    const session = await client.create(
      new Manifest({
        environment: { PLAIN: "p", PASSING: { value: "x", ephemeral: true }, SECRET: reference },
      }),
    );
    await session.exec({ cmd: "echo $SECRET > file" });
    const text = JSON.stringify(await client.serializeSessionState(session.state));
    assert.ok(!text.includes("hidden"));
    const state = JSON.parse(text);
    assert.deepEqual(state.environment, { PLAIN: "p" });
    assert.deepEqual(state.manifest.environment, {
      PLAIN: { value: "p" },
      SECRET: { type: "secret" },
    });
    assert.equal(await client.resume(await client.deserializeSessionState(state)), session);
    await session.close();
    const again = await client.resume(await client.deserializeSessionState(state));
    assert.notEqual(again, session);
    assert.equal((await again.exec({ cmd: "cat file; echo $PLAIN" })).stdout, "hidden\np\n");
  }
  const none = await clientOf(t);
  const session = await none.create();
  const state = await none.serializeSessionState(session.state);
  assert.equal(state.snapshot, null);
  await session.close();
  await assert.rejects(
    none.resume(await none.deserializeSessionState(state)),
    /there is no snapshot/,
  );
});

it("a workspace that changed since it was kept is restored over a machine that lives", async (t) => {
  const baseDir = folder(t);
  const shown = folder(t);
  writeFileSync(join(shown, "of-the-host"), "stays");
  const client = await clientOf(t, { snapshot: { type: "local", baseDir } });
  const session = await client.create(
    new Manifest({
      entries: {
        // As the package's class makes it.
        bound: { type: "mount", source: shown, ephemeral: true },
        "scratch.txt": { type: "file", content: "", ephemeral: true },
      },
    }),
  );
  await session.exec({
    cmd: "mkdir -m 750 d; echo kept > d/file; chmod 640 d/file; ln -s d/file link; ln -s /etc/passwd out",
  });
  const first = await client.serializeSessionState(session.state);
  const { path } = first.snapshot;
  assert.deepEqual(readdirSync(path), ["d"]);
  assert.equal(readFileSync(join(path, "d/file"), "utf8"), "kept\n");
  assert.equal(statSync(path).mode & 0o777, 0o700);
  const state = JSON.parse(JSON.stringify(await client.serializeSessionState(session.state)));
  assert.notEqual(state.snapshot.path, path);
  assert.equal(existsSync(path), false);
  assert.equal(state.snapshotFingerprintVersion, "workspace_tree_sha256_v1");
  const look = async (from) =>
    (
      await from.exec({
        cmd: "ls; cat d/file bound/of-the-host; stat -c %a d d/file; readlink link out",
      })
    ).stdout;
  await session.exec({ cmd: "echo drifted > d/file; touch new; rm link" });
  assert.equal(await client.resume(await client.deserializeSessionState(state)), session);
  const kept = "bound\nd\nlink\nout\nkept\nstays750\n640\nd/file\n/etc/passwd\n";
  assert.equal(await look(session), kept);
  // What is as it was kept is left alone.
  await session.exec({ cmd: "sleep 300 & echo $! > /tmp/pid" });
  await client.resume(await client.deserializeSessionState(state));
  assert.equal((await session.exec({ cmd: "kill -0 $(cat /tmp/pid)" })).exitCode, 0);
  await session.close();
  const again = await client.resume(await client.deserializeSessionState(state));
  assert.equal(await look(again), kept);
  assert.equal("scratch.txt" in again.state.manifest.entries, false);
  // A state says where nothing of it is.
  const foreign = folder(t);
  again.state.snapshot = { ...again.state.snapshot, path: foreign };
  again.state.snapshotSpec = { type: "noop" };
  assert.equal((await client.serializeSessionState(again.state)).snapshot, null);
  assert.equal(existsSync(foreign), true);
  assert.deepEqual(readdirSync(baseDir), []);
});

it("file helpers stay in the workspace and the grants, by name and by links", async (t) => {
  const [readable, writable] = [folder(t), folder(t)];
  writeFileSync(join(readable, "in.txt"), "granted");
  const session = await (
    await clientOf(t)
  ).create(
    new Manifest({ extraPathGrants: [{ path: readable, readOnly: true }, { path: writable }] }),
  );
  const editor = session.createEditor();
  await session.exec({
    cmd: `mkdir in; echo a > in/a; ln -s in inside; ln -s /etc out; ln -s /etc/passwd file; ln -s loop loop; ln -s ${readable} granted; ln -s nowhere/x dangling`,
  });
  assert.equal(await session.pathExists("inside/a"), true);
  assert.equal(await session.pathExists("granted/in.txt"), true);
  assert.equal(await session.pathExists("dangling"), false);
  assert.equal(session.resolveSandboxPath("..data"), "/workspace/..data");
  assert.throws(() => session.resolveSandboxPath("a/../../b"), /must not escape root/);
  assert.throws(() => session.resolveSandboxPath("/tmp"), /escapes the workspace root/);
  for (const [wrong, pattern] of [
    [() => session.pathExists("out/passwd"), /escapes the workspace root/],
    [() => session.readFile({ path: "file" }), /escapes the workspace root/],
    [() => session.listDir({ path: "out" }), /escapes the workspace root/],
    [() => session.viewImage({ path: "out/a.png" }), /escapes the workspace root/],
    [() => session.pathExists("loop"), /too many symbolic links/],
    [() => editor.createFile({ path: "out/new", diff: "" }), /escapes the workspace root/],
    [() => editor.updateFile({ path: "file", diff: "" }), /escapes the workspace root/],
    [
      () => editor.createFile({ path: join(readable, "new"), diff: "" }),
      /read-only extra path grant/,
    ],
    [() => editor.createFile({ path: "granted/new", diff: "" }), /read-only extra path grant/],
    [
      () => session.materializeEntry({ path: "out/x", entry: { type: "file" } }),
      /escapes the workspace root/,
    ],
    [
      () => session.materializeEntry({ path: "inside", entry: { type: "dir" } }),
      /is a symbolic link/,
    ],
  ])
    await assert.rejects(wrong(), pattern);
  await editor.createFile({ path: join(writable, "new"), diff: "written" });
  assert.equal(readFileSync(join(writable, "new"), "utf8"), "written");
});

it("a workspace may be the whole machine, or have nothing that lasts", async (t) => {
  const baseDir = folder(t);
  const client = await clientOf(t, { snapshot: { type: "local", baseDir } });
  const whole = await client.create(
    new Manifest({ root: "/", entries: { "tmp/a": { type: "file", content: "x" } } }),
  );
  assert.equal((await whole.exec({ cmd: "cat a", workdir: "/tmp" })).stdout, "x");
  await assert.rejects(whole.pathExists("/../a"), /must not escape root/);
  await assert.rejects(whole.persistWorkspace(), /whole machine/);
  await assert.rejects(client.serializeSessionState(whole.state), /whole machine/);
  const passing = await client.create(
    new Manifest({
      entries: {
        ".": { type: "dir", ephemeral: true, children: { a: { type: "file", content: "x" } } },
      },
    }),
  );
  assert.equal((await passing.exec({ cmd: "cat a" })).stdout, "x");
  const { snapshot } = await client.serializeSessionState(passing.state);
  assert.deepEqual(readdirSync(snapshot.path), []);
});

it("errors about mounts are of the class that is given", async (t) => {
  class SandboxMountError extends Error {
    constructor(message, details, code) {
      super(message);
      Object.assign(this, { details, code });
    }
  }
  const session = await (await clientOf(t, { SandboxMountError })).create();
  const entry = { type: "s3_mount", bucket: "b", mountStrategy: { type: "in_container" } };
  await assert.rejects(session.materializeEntry({ path: "a", entry, runAs: "u" }), (error) => {
    assert.ok(error instanceof SandboxMountError);
    assert.equal(error.code, "unsupported_feature");
    assert.match(error.message, /SDK-supported strategy/);
    return true;
  });
});

it("ports are those that were named", async (t) => {
  const client = await clientOf(t, { exposedPorts: [38_511] });
  const session = await client.create();
  assert.deepEqual(await session.resolveExposedPort(38_511), {
    host: "127.0.0.1",
    port: 38_511,
    tls: false,
    query: "",
  });
  await assert.rejects(session.resolveExposedPort(80), /not configured to expose port 80/);
});

it("output is cut to tokens of four bytes, at its middle", () => {
  assert.deepEqual(truncated("short", 10), { text: "short" });
  const { text, originalTokenCount } = truncated("x".repeat(4000), 100);
  assert.equal(originalTokenCount, 1000);
  assert.ok(text.length <= 400 + 8);
  assert.match(text, /^Total output lines: 1\n\nx+\.\.\.\d+ tokens truncated\.\.\.x+$/);
  assert.equal(truncated("é".repeat(4000), 50).text.includes("\ufffd"), false);
});
