// What async hooks are told in a guest is what the engine itself tells: nothing of ours runs in a
// program's async context, and handles and requests of ours are of the types that Node's are.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { NodeRuntime } from "../../dist/index.js";
import { findEngine } from "../../dist/launcher/engine.js";

const prelude = `
const fs = require("node:fs");
const told = [];
const note = (text) => told.push(text);
require("node:async_hooks").createHook({
  init(id, type, trigger) { note("init " + type + (ordered ? " " + id + " " + trigger : "")); },
  before(id) { if (ordered) note("before " + id); },
  after(id) { if (ordered) note("after " + id); },
  destroy(id) { if (ordered) note("destroy " + id); },
}).enable();
process.on("exit", () => fs.writeSync(1, (ordered ? told : told.sort()).join("\\n")));
`;

/**
 * In `ordered` ones every event counts with its ids, in the others which resources there were; in
 * those of a `family` only these: the engine makes others there for what is warm in a guest.
 */
const programs = {
  promises: {
    ordered: true,
    text: `Promise.resolve(5).then(() => {}); (async () => { await 1; })();`,
  },
  // When it hears of an end is the loop's affair.
  timers: {
    ordered: true,
    family: /^(?!destroy)/,
    text: `setImmediate(() => setImmediate(() => {})); process.nextTick(() => {});`,
  },
  "a file": { ordered: true, text: `fs.readFile(__filename, () => note("read"));` },
  "files through promises": {
    family: /FSREQCALLBACK|done/,
    text: `const path = process.env.HOME + "/hooks.txt";
      fs.promises.writeFile(path, "a").then(() => fs.promises.readFile(path)).then(() => note("done"));`,
  },
  "a request's end, which nothing else waits for": {
    family: /destroyed|found/,
    text: `require("node:async_hooks").createHook({ destroy() { note("destroyed"); } }).enable();
      require("node:dns").lookup("localhost", { family: 4 }, () => note("found"));`,
  },
  "a signal": {
    text: `const got = () => { note("got"); process.off("SIGUSR2", got); };
      process.on("SIGUSR2", got); process.kill(process.pid, "SIGUSR2"); setTimeout(() => {}, 50);`,
  },
  "a listener that is added in a listener hears the next signal": {
    text: `let heard = 0;
      process.once("SIGUSR2", () => { process.on("SIGUSR2", () => note("late " + ++heard)); });
      process.kill(process.pid, "SIGUSR2"); setTimeout(() => {}, 50).unref();
      setTimeout(() => process.exit(), 20);`,
  },
  "a child": {
    text: `require("node:child_process").spawn(process.execPath, ["-v"], { stdio: "ignore" });`,
  },
  connections: {
    family: /TCP|SHUTDOWN/,
    text: `const net = require("node:net");
      const server = net.createServer((socket) => { socket.end(); server.close(); });
      server.listen(0, "127.0.0.1", () => net.connect(server.address().port, "127.0.0.1").resume());`,
  },
  "a Unix socket": {
    family: /PIPESERVER|PIPECONNECT|SHUTDOWN/,
    text: `const net = require("node:net"), path = process.env.HOME + "/hooks.sock";
      const server = net.createServer((socket) => { socket.end(); server.close(); });
      server.listen(path, () => net.connect(path).resume());`,
  },
  datagrams: {
    text: `const socket = require("node:dgram").createSocket("udp4");
      socket.bind(0, "127.0.0.1", () => socket.close());`,
  },
  "a name": {
    family: /REQWRAP/,
    text: `require("node:dns").lookup("localhost", { family: 4 }, () => {});`,
  },
  "a watched file": {
    text: `fs.watchFile(__filename, () => {}); fs.unwatchFile(__filename);
      fs.watch(process.env.HOME).close();`,
  },
};

let rt;
let folder;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), "hooks-"));
  rt = await NodeRuntime.create({ permissions: { childProcess: "allow", network: "allow" } });
});
after(async () => {
  rmSync(folder, { recursive: true, force: true });
  await rt.dispose();
});

for (const [name, { text, ordered = false, family = /./ }] of Object.entries(programs)) {
  test(`async hooks are told of ${name} as the engine tells`, { timeout: 60_000 }, async () => {
    const program = `const ordered = ${ordered};${prelude}${text}`;
    const file = join(folder, "program.js");
    writeFileSync(file, program);
    await rt.writeFile("/tmp/program.js", program);
    const plain = execFileSync(findEngine().path, [file], {
      encoding: "utf8",
      env: { ...process.env, HOME: folder },
    });
    const guest = await rt.execCommand("node", ["/tmp/program.js"], { env: { HOME: "/tmp" } });
    assert.equal(guest.stderr, "");
    const told = (output) => output.split("\n").filter((line) => family.test(line));
    assert.notEqual(told(plain).length, 0);
    assert.deepEqual(told(guest.stdout), told(plain));
  });
}
