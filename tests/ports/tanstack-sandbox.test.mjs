// TanStack AI's sandbox provider, and what it stands on: forks, snapshots, watching.
import assert from "node:assert/strict";
import { test } from "node:test";
import { secureExecSandbox } from "secure-exec/tanstack";

const it = (name, body) => test(name, { timeout: 120_000 }, body);
const textOf = async (stream) => {
  let text = "";
  for await (const chunk of stream) text += chunk;
  return text;
};

function providerOf(t, options) {
  const provider = secureExecSandbox(options);
  t.after(() => provider.dispose());
  return provider;
}

it("files stay below the workspace, commands see the machine", async (t) => {
  const sandbox = await providerOf(t).create({ env: { A: "1" } });
  assert.equal(sandbox.workspaceRoot, "/workspace");
  const { fs, process } = sandbox;
  await fs.write("a/b.txt", "text");
  assert.equal(await fs.read("/workspace/a/b.txt"), "text");
  assert.deepEqual(await fs.readBytes("a/b.txt"), new Uint8Array(Buffer.from("text")));
  assert.deepEqual(await fs.list("."), [{ name: "a", path: "/workspace/a", type: "dir" }]);
  await process.exec("ln -s b.txt a/link; chmod 640 a/b.txt");
  assert.deepEqual(await fs.lstat("a/b.txt"), { type: "file", mode: 0o100640, size: 4 });
  assert.equal((await fs.lstat("a/link")).type, "symlink");
  assert.equal(await fs.lstat("none"), undefined);
  await fs.rename("a/b.txt", "c.txt");
  await fs.remove("a");
  await fs.remove("a");
  assert.equal(await fs.exists("a"), false);
  await assert.rejects(fs.read("/workspace/../etc/passwd"), /outside the sandbox root/);
  await sandbox.env.set({ B: "2" });
  assert.deepEqual(
    await process.exec("echo $A$B$C; cat /etc/hostname >&2; exit 4", { env: { C: "3" } }),
    {
      stdout: "123\n",
      stderr: "secure-exec\n",
      exitCode: 4,
    },
  );
  const cat = await process.spawn("cat; exit 5");
  await cat.stdin.write("é".repeat(3));
  await cat.stdin.end();
  assert.deepEqual([await textOf(cat.stdout), await cat.wait()], ["ééé", 5]);
  await cat.stdin.write("late");
  const idle = await process.spawn("sleep 60");
  await idle.kill();
  assert.equal(await idle.wait(), 143);
});

it("resume, fork and snapshots", async (t) => {
  const provider = providerOf(t, { snapshots: 1, ports: [38_521] });
  const sandbox = await provider.create({ id: "named" });
  assert.equal(sandbox.id, "named");
  await sandbox.fs.write("file", "one");
  assert.equal(await (await provider.resume({ id: "named" })).fs.read("file"), "one");
  const snapshot = await sandbox.snapshot("first");
  assert.equal(snapshot.label, "first");
  const fork = await sandbox.fork();
  await fork.fs.write("file", "fork");
  await sandbox.fs.write("file", "two");
  assert.equal(await fork.fs.read("file"), "fork");
  const restored = await provider.restoreSnapshot({ snapshotId: snapshot.id });
  assert.equal(await restored.fs.read("file"), "one");
  await sandbox.snapshot();
  await assert.rejects(
    provider.restoreSnapshot({ snapshotId: snapshot.id }),
    /there is no snapshot/,
  );
  assert.deepEqual(await sandbox.ports.connect(38_521), { url: "http://127.0.0.1:38521" });
  await sandbox.destroy();
  assert.equal(await provider.resume({ id: "named" }), null);
  assert.equal(await fork.fs.read("file"), "fork");
  await assert.rejects(provider.create({ signal: AbortSignal.abort(new Error("no")) }), /no/);
});

it("git is the machine's, with values that are no flags", async (t) => {
  const { fs, git, process } = await providerOf(t).create();
  await process.exec("git init -q; git config user.name N; git config user.email e@x");
  await fs.write("it's.txt", "x");
  assert.match(await git.status(), /\?\? /);
  await git.add(["it's.txt"]);
  await git.commit("a message's");
  assert.equal(await git.status(), "");
  assert.match(await git.branch(), /^(?:main|master)$/);
  // Without a network its own word for what it cannot reach is what there is to see.
  await assert.rejects(git.clone({ url: "ssh://h/workspace", dir: "copy" }), /only http, https/);
  await git.clone({ url: "file:///workspace", dir: "copy" });
  assert.equal(await fs.read("copy/it's.txt"), "x");
  await assert.rejects(git.clone({ url: "--upload-pack=x" }), /must not begin with "-"/);
  await assert.rejects(git.clone({ url: "/none", dir: "d", depth: 0 }), /depth/);
  await assert.rejects(git.status("/etc"), /git: /);
});

it("what happens in a directory is told", async (t) => {
  const { fs, process } = await providerOf(t).create();
  await fs.mkdir("watched/below");
  await fs.write("watched/old.txt", "old");
  const events = [];
  let wake = () => {};
  const watch = await fs.watch("watched", (event) => {
    events.push(`${event.type} ${event.path.slice("/workspace/watched/".length)}`);
    wake();
  });
  const told = async (event) => {
    while (!events.includes(event)) await new Promise((resolve) => (wake = resolve));
  };
  await fs.write("watched/new.txt", "new");
  await told("create new.txt");
  await fs.write("watched/below/deep.txt", "deep");
  await told("create below/deep.txt");
  await fs.write("watched/old.txt", "changed");
  await told("write old.txt");
  await process.exec("chmod 600 watched/old.txt");
  await told("chmod old.txt");
  await fs.remove("watched/new.txt");
  await told("remove new.txt");
  await watch.stop();
  await assert.rejects(
    fs.watch("none", () => {}),
    /cannot be watched/,
  );
});
