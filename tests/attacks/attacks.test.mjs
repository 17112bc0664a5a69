// Attack programs: each is contained, the host is unharmed, and the programs that succeed without
// a sandbox do so here too, or their being contained would mean nothing.
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { readdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { hostname, networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { machine } from "../support/machines.mjs";
import { programs } from "./programs.mjs";

const MiB = 1024 * 1024;
const limits = {
  memoryBytes: 128 * MiB,
  cpuTimeMs: 1500,
  wallTimeMs: 4000,
  processes: 16,
  fileSystemBytes: 16 * MiB,
  inodes: 2000,
};
const canary = `canary${randomBytes(12).toString("hex")}`;
const root = mkdtempSync(join(tmpdir(), "attacks-"));
const canaryPath = join(root, "secret/canary");
const hostSocket = join(root, "socket");
const servers = [];
let prelude;
let connections = 0;

before(async () => {
  for (const name of ["secret", "rw", "ro"]) mkdirSync(join(root, name));
  writeFileSync(canaryPath, canary);
  for (const mount of ["rw", "ro"]) {
    writeFileSync(join(root, mount, "file"), "x");
    symlinkSync(canaryPath, join(root, mount, "absolute"));
    symlinkSync("../secret/canary", join(root, mount, "relative"));
    symlinkSync("relative", join(root, mount, "chain"));
  }
  execFileSync("mkfifo", [join(root, "rw/fifo")]);
  for (const where of [{ port: 0, host: "127.0.0.1" }, { path: hostSocket }]) {
    const server = createServer((socket) => {
      connections++;
      socket.on("error", () => undefined);
      socket.end(`HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n${canary}`);
    });
    await new Promise((done) => server.listen(where, done));
    servers.push(server);
  }
  process.env.ATTACK_SECRET = `secret${canary}`;
  const macs = Object.values(networkInterfaces())
    .flat()
    .map(({ mac }) => mac)
    .filter((mac) => mac !== "00:00:00:00:00:00");
  const given = {
    canary,
    canaryPath,
    hostSocket,
    hostSecret: process.env.ATTACK_SECRET,
    hostPid: process.pid,
    hostPort: servers[0].address().port,
    hostName: hostname(),
    hostMacs: macs,
  };
  prelude = `import { createRequire } from "node:module";
    const require = createRequire("file:///tmp/x.js");
    ${Object.entries(given)
      .map(([name, value]) => `const ${name} = ${JSON.stringify(value)};`)
      .join("\n")}
    const attack = async () => {`;
});
after(() => {
  for (const server of servers) server.close();
  rmSync(root, { recursive: true });
});

describe("contained", () => {
  for (const [name, { code, ends, mounts }] of Object.entries(programs)) {
    it(name, { timeout: 60_000 }, async () => {
      const before = connections;
      const rt = await machine({
        // What has to come to its own end is not measured in time: other tests run beside it.
        limits: ends === true ? limits : { ...limits, cpuTimeMs: 0, wallTimeMs: 0 },
        mounts:
          mounts === true
            ? ["rw", "ro"].map((mount) => ({
                guestPath: `/mnt/${mount}`,
                hostPath: join(root, mount),
                readOnly: mount === "ro",
              }))
            : [],
      });
      const text = `${prelude}${code}\n}; __return(await attack());`;
      const result = await rt.run(text).catch((error) => error);
      const said = JSON.stringify(result) + String(result.message);
      assert.ok(!said.includes(canary), "a secret came out");
      assert.equal(connections, before, "the host was reached");
      if (ends === true) {
        assert.ok(result.exitCode > 128, said.slice(0, 500));
        if (/^(CPU|time):/.test(name)) assert.match(result.stderr, /_TIME_LIMIT: .*limits\./);
      } else {
        assert.equal(result.exitCode, 0, said.slice(0, 2000));
        assert.equal(result.value, true);
      }
      assert.equal({}.polluted, undefined);
      assert.deepEqual(readdirSync(join(root, "ro")).sort(), [
        "absolute",
        "chain",
        "file",
        "relative",
      ]);
      assert.equal(readFileSync(join(root, "ro/file"), "utf8"), "x");
      // The machine and the kernel are there still.
      assert.equal((await rt.run("__return(7)")).value, 7);
    });
  }
});

describe("not contained without a sandbox", () => {
  for (const [name, { code, control }] of Object.entries(programs)) {
    if (control !== true) continue;
    it(name, { timeout: 30_000 }, async () => {
      const text = `${prelude}${code}\n}; console.log(String(await attack())); process.exit();`;
      const { stdout } = await promisify(execFile)(process.execPath, [
        "--no-warnings",
        "--input-type=module",
        "-e",
        text,
      ]);
      assert.notEqual(stdout.trim(), "true");
    });
  }
});

it("two machines draw different random numbers", { timeout: 30_000 }, async () => {
  const draw = async () => {
    const rt = await machine();
    const { value } = await rt.run(`
      import { randomBytes, randomUUID, randomInt, generateKeyPairSync } from "node:crypto";
      __return([Math.random(), randomUUID(), crypto.randomUUID(), randomInt(2 ** 47),
        randomBytes(8).toString("hex"), generateKeyPairSync("ed25519").publicKey.export({ format: "jwk" }).x]);`);
    return value;
  };
  const [one, two] = await Promise.all([draw(), draw()]);
  assert.equal(one.length, 6);
  one.forEach((value, index) => assert.notEqual(value, two[index]));
});

const suite = process.env.SECURE_EXEC_ATTACK_SUITE;
it(
  "an attack suite from outside the repository",
  {
    skip: suite === undefined && "SECURE_EXEC_ATTACK_SUITE names no directory with a run.mjs",
    timeout: 900_000,
  },
  async () => {
    const runner = join(suite, "run.mjs");
    assert.ok(existsSync(runner), runner);
    const adapter = fileURLToPath(new URL("adapter.mjs", import.meta.url));
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [runner, `--adapter=${adapter}`],
      {
        maxBuffer: 64 * MiB,
      },
    );
    assert.doesNotMatch(stdout, /^FAIL/m);
  },
);
