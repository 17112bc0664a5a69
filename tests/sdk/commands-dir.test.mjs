// commandsDir: a directory of the host whose files are the machine's first commands.
import assert from "node:assert/strict";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { NodeRuntime } from "../../dist/index.js";

const it = (name, body) => test(name, { timeout: 60_000 }, body);
const base = mkdtempSync(join(os.tmpdir(), "secure-exec-commands-"));
after(() => rmSync(base, { recursive: true, force: true }));
const commands = join(base, "commands");
mkdirSync(join(commands, "more"), { recursive: true });
copyFileSync(new URL("../fixtures/wasi/hello.wasm", import.meta.url), join(commands, "hello"));
writeFileSync(join(commands, "ls"), "#!/bin/sh\necho not the usual ls\n");
// What an archive without modes unpacks to.
for (const name of ["hello", "ls"]) chmodSync(join(commands, name), 0o644);
writeFileSync(join(base, "file"), "");

async function machine(t, options) {
  const rt = await NodeRuntime.create(options);
  t.after(() => rt.dispose());
  return rt;
}

it("its commands come first in PATH and run, whatever their modes on the host", async (t) => {
  const rt = await machine(t, { commandsDir: commands });
  const { value } = await rt.run(`
    import { execFileSync, execSync } from "node:child_process";
    import { statSync } from "node:fs";
    const text = { encoding: "utf8" };
    __return({
      wasm: execFileSync("hello", ["there"], { ...text, stdio: "pipe" }),
      script: execFileSync("ls", text),
      shell: execSync("ls; command -v hello; /bin/ls -d /tmp", text),
      modes: ["hello", "ls", "more", ""].map((name) => (statSync("/usr/local/sbin/" + name).mode & 0o7777).toString(8)),
    });
  `);
  assert.deepEqual(value, {
    wasm: "arg 0 hello\narg 1 there\n",
    script: "not the usual ls\n",
    shell: "not the usual ls\n/usr/local/sbin/hello\n/tmp\n",
    modes: ["755", "755", "755", "755"],
  });
  assert.equal((await rt.execCommand("hello")).stdout, "arg 0 hello\n");
});

it("programs cannot change it", async (t) => {
  const rt = await machine(t, { commandsDir: commands });
  const { value } = await rt.run(`
    import * as fs from "node:fs";
    const attempts = [
      () => fs.writeFileSync("/usr/local/sbin/hello", ""),
      () => fs.writeFileSync("/usr/local/sbin/new", ""),
      () => fs.chmodSync("/usr/local/sbin/ls", 0o777),
      () => fs.unlinkSync("/usr/local/sbin/ls"),
    ];
    __return(attempts.map((attempt) => { try { attempt(); return "done"; } catch (error) { return error.code; } }));
  `);
  assert.deepEqual(value, ["EROFS", "EROFS", "EROFS", "EROFS"]);
});

it("the host's environment names it where the option does not", async (t) => {
  const name = "SECURE_EXEC_WASM_COMMANDS_DIR";
  t.after(() => delete process.env[name]);
  process.env[name] = commands;
  const rt = await machine(t);
  assert.equal((await rt.execCommand("ls")).stdout, "not the usual ls\n");
  process.env[name] = join(base, "none");
  await assert.rejects(NodeRuntime.create(), {
    code: "ERR_SECURE_EXEC_INVALID_OPTION",
    message: `${name} does not exist on the host: ${join(base, "none")}`,
  });
  const given = await machine(t, { commandsDir: commands });
  assert.equal((await given.execCommand("ls")).stdout, "not the usual ls\n");
  process.env[name] = "";
  await machine(t);
});

it("what is no directory, or stands in a mount's way, is refused by name", async () => {
  const sbin = { guestPath: "/usr/local/sbin/x", hostPath: commands };
  for (const [options, message] of [
    [{ commandsDir: 1 }, /^commandsDir must be a string/],
    [{ commandsDir: "" }, /^commandsDir must not be empty/],
    [{ commandsDir: join(base, "none") }, /^commandsDir does not exist/],
    [{ commandsDir: join(base, "file") }, /^commandsDir must be a directory/],
    [
      { commandsDir: commands, mounts: [sbin] },
      /^commandsDir \/usr\/local\/sbin overlaps .*mounts\[0\]/,
    ],
  ])
    await assert.rejects(NodeRuntime.create(options), {
      code: "ERR_SECURE_EXEC_INVALID_OPTION",
      message,
    });
});

it("no command of another VM is there", async (t) => {
  const rt = await machine(t);
  await assert.rejects(rt.execCommand("hello"), { code: "ERR_SECURE_EXEC_SPAWN_FAILED" });
});
