// setPermissions: what is narrowed is closed for everything that is open, and nothing is ever widened.
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { it } from "node:test";
import { machine } from "../support/machines.mjs";

const options = { timeout: 120_000 };

/** A program that says what it has, waits for a line of stdin, and then says how it went on. */
async function running(rt, code) {
  let heard = "";
  let wake = () => {};
  const program = await rt.spawn(code, {
    onStdout: (chunk) => {
      heard += Buffer.from(chunk).toString();
      wake();
    },
    onStderr: (chunk) => void (heard += Buffer.from(chunk).toString()),
  });
  const said = async (text) => {
    while (!heard.includes(text)) {
      if (program.exitCode !== null) assert.fail(`ended without "${text}": ${heard}`);
      await new Promise((resolve) => {
        wake = resolve;
        void program.wait().then(resolve);
      });
    }
    return heard;
  };
  return { program, said };
}

const code = `const why = (work) => { try { work(); return "fine"; } catch (error) { return error.code; } };`;

it(
  "files that are open are closed to what is denied, also for children and in pipes",
  options,
  async () => {
    const rt = await machine({ files: { "/data/a": "abcdef", "/data/b": "b", "/tmp/keep": "k" } });
    const { program, said } = await running(
      rt,
      `import fs from "node:fs"; import cp from "node:child_process"; import { once } from "node:events"; ${code}
    const a = fs.openSync("/data/a", "r+"), keep = fs.openSync("/tmp/keep", "r+");
    const child = cp.spawn(process.execPath, ["-e", \`const fs = require("fs");
      process.stdin.once("data", () => { try { fs.readSync(3, Buffer.alloc(1), 0, 1, 0); console.log("child fine"); } catch (e) { console.log("child " + e.code); } process.exit(); })\`],
      { stdio: ["pipe", "inherit", "inherit", a] });
    await new Promise((done) => setTimeout(done, 200));
    console.log("open");
    await once(process.stdin, "data");
    console.log("read", why(() => fs.readSync(a, Buffer.alloc(1), 0, 1, 0)));
    console.log("write", why(() => fs.writeSync(a, "x", 0)));
    console.log("truncate", why(() => fs.ftruncateSync(a, 0)));
    console.log("other", why(() => fs.writeSync(keep, "x", 0)), why(() => fs.readFileSync("/data/b")));
    child.stdin.end("go"); await once(child, "exit"); console.log("over"); process.exit();`,
    );
    await said("open");
    await rt.setPermissions({
      fs: { default: "allow", rules: [{ mode: "deny", paths: ["/data/**"] }] },
    });
    program.writeStdin("go\n");
    const all = await said("over");
    assert.match(
      all,
      /read EACCES\nwrite EACCES\ntruncate EACCES\nother fine EACCES\nchild EACCES\n/,
    );
    assert.equal(Buffer.from(await rt.readFile("/data/a")).toString(), "abcdef");
  },
);

it("a fifo is closed as other files are", options, async () => {
  const rt = await machine({ files: { "/data/a": "abcdef" } });
  await rt.execCommand("mkfifo", ["/data/p"]);
  const { program, said } = await running(
    rt,
    `import fs from "node:fs"; import { once } from "node:events"; ${code}
    const a = fs.openSync("/data/p", fs.constants.O_RDWR); fs.writeSync(a, "before"); console.log("open");
    await once(process.stdin, "data");
    console.log("read", why(() => fs.readSync(a, Buffer.alloc(1))), "write", why(() => fs.writeSync(a, "x")));
    console.log("over"); process.exit();`,
  );
  await said("open");
  await rt.setPermissions({
    fs: { default: "allow", rules: [{ mode: "deny", paths: ["/data/**"] }] },
  });
  program.writeStdin("go\n");
  assert.match(await said("over"), /read EACCES write EACCES\n/);
});

it("only writing may be taken away", options, async () => {
  const rt = await machine({ files: { "/data/a": "abcdef" } });
  const { program, said } = await running(
    rt,
    `import fs from "node:fs"; import { once } from "node:events"; ${code}
    const a = fs.openSync("/data/a", "r+"); console.log("open");
    await once(process.stdin, "data");
    console.log("read", why(() => fs.readSync(a, Buffer.alloc(1), 0, 1, 0)), "write", why(() => fs.writeSync(a, "x", 0)));
    console.log("over"); process.exit();`,
  );
  await said("open");
  await rt.setPermissions({ fs: ({ operation }) => operation !== "write" });
  program.writeStdin("go\n");
  assert.match(await said("over"), /read fine write EACCES/);
});

it("connections, listeners and watches are closed", options, async () => {
  const server = createServer((socket) => socket.on("error", () => {}).write("hello"));
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address();
  const closed = new Promise((resolve) =>
    server.once("connection", (socket) => socket.once("close", resolve)),
  );
  const rt = await machine({ permissions: { network: "allow" }, loopbackExemptPorts: [port] });
  const { said } = await running(
    rt,
    `import net from "node:net"; import fs from "node:fs"; import { once } from "node:events";
    const socket = net.connect(${port}, "127.0.0.1"); await once(socket, "data");
    const server = net.createServer().listen(4000); await once(server, "listening");
    fs.mkdirSync("/tmp/w"); fs.watch("/tmp/w", () => console.log("changed"));
    socket.on("error", (error) => console.log("socket", error.code));
    socket.on("close", () => console.log("closed"));
    console.log("open"); setInterval(() => {}, 1e3);`,
  );
  await said("open");
  assert.ok(rt.findListener({ port: 4000 }));
  await rt.setPermissions({ network: { rules: [{ mode: "allow", patterns: ["example.com"] }] } });
  await said("closed");
  await closed;
  assert.equal(rt.findListener({ port: 4000 }), null);
  await rt.setPermissions({
    fs: { default: "allow", rules: [{ mode: "deny", paths: ["/tmp/w"] }] },
  });
  await rt.writeFile("/tmp/w/x", "x");
  const { stdout } = await rt
    .exec(`console.log(require === undefined)`)
    .catch(() => ({ stdout: "" }));
  assert.equal(stdout.includes("changed"), false);
  assert.doesNotMatch(await said("closed"), /changed/);
  server.close();
});

it("children that may not run any more are killed", options, async () => {
  const rt = await machine();
  const { said } = await running(
    rt,
    `import cp from "node:child_process"; import { once } from "node:events";
    const sleep = cp.spawn("sleep", ["60"]), node = cp.spawn(process.execPath, ["-e", "setInterval(() => {}, 1e3)"]);
    await Promise.all([once(sleep, "spawn"), once(node, "spawn")]);
    console.log("open");
    const [, signal] = await once(sleep, "exit");
    console.log("sleep", signal, node.exitCode, node.signalCode, "over"); process.exit();`,
  );
  await said("open");
  await rt.setPermissions({
    childProcess: { default: "allow", rules: [{ mode: "deny", patterns: ["sleep"] }] },
  });
  assert.match(await said("over"), /sleep SIGKILL null null over/);
});

it("nothing is widened: refused where it is seen, and never effective", options, async () => {
  const rules = (...list) => ({ rules: list });
  const allow = (...paths) => ({ mode: "allow", paths });
  const deny = (...paths) => ({ mode: "deny", paths });
  const rt = await machine({
    permissions: { fs: rules(deny("/data/secret"), allow("/data/**")), childProcess: "deny" },
    files: { "/data/a": "a", "/data/secret": "s", "/etc/x": "x" },
  });
  for (const wider of [
    { fs: "allow" },
    { fs: rules(allow("/**")) },
    { fs: rules(allow("/data/**")) },
    { fs: rules(allow("/etc/x")) },
    { fs: { default: "allow", rules: [deny("/data/secret")] } },
    { childProcess: "allow" },
    { childProcess: () => true },
    { network: "allow" },
    { network: rules({ mode: "allow", patterns: ["example.com"] }) },
  ])
    await assert.rejects(
      rt.setPermissions(wider),
      (error) => error.code === "ERR_SECURE_EXEC_PERMISSIONS_WIDENED",
      JSON.stringify(wider),
    );
  const read = (path) =>
    rt.run(`import fs from "node:fs"; __return(fs.readFileSync("${path}", "utf8"))`);
  assert.equal((await read("/data/a")).value, "a");
  await rt.setPermissions({ fs: rules(deny("/data/secret"), allow("/data/a")) });
  await rt.setPermissions({ fs: rules(deny("/data/secret"), allow("/data/a")) });
  assert.equal((await read("/data/a")).value, "a");
  assert.equal((await read("/data/secret")).exitCode, 1);
  // Rules that only deny are narrower than "deny" of the network, which leaves what stays inside.
  const connects = () =>
    rt.run(`import net from "node:net"; import { once } from "node:events";
      const server = net.createServer((socket) => socket.end()).listen(0);
      await once(server, "listening");
      const socket = net.connect(server.address().port).resume();
      await once(socket, "close");
      server.close();`);
  assert.equal((await connects()).exitCode, 0);
  await rt.setPermissions({ network: rules({ mode: "deny", patterns: ["*"] }) });
  assert.match((await connects()).stderr, /EACCES/);
  // A function is asked as well, and cannot allow more.
  await rt.setPermissions({ fs: () => true });
  assert.equal((await read("/data/a")).value, "a");
  assert.equal((await read("/etc/x")).exitCode, 1);
  await rt.setPermissions({ fs: ({ path }) => path !== "/data/a" });
  assert.equal((await read("/data/a")).exitCode, 1);
  for (const bad of [undefined, { bogus: "deny" }, { mode: "learn" }, { fs: 5 }])
    await assert.rejects(rt.setPermissions(bad), { code: "ERR_SECURE_EXEC_INVALID_OPTION" });
  const learning = await machine({ permissions: "learn" });
  await assert.rejects(learning.setPermissions({ fs: "deny" }), {
    code: "ERR_SECURE_EXEC_INVALID_OPTION",
  });
});
