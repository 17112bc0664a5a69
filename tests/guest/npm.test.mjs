// The real npm in a machine: a registry of the test's own, versions, certificates.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, realpathSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { delimiter, dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { cert, key } from "../support/certificate.mjs";
import { machine } from "../support/machines.mjs";

/** The npm beside the node that is found first, or undefined. */
function findNpm() {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    const program = join(folder, "npm");
    if (!existsSync(program)) continue;
    const root = dirname(dirname(realpathSync(program)));
    if (existsSync(join(root, "bin/npm-cli.js"))) return root;
  }
  return undefined;
}

/** One file of a tar archive; the fields of ustar that readers look at. */
function tarEntry(name, text) {
  const data = Buffer.from(text);
  const head = Buffer.alloc(512);
  head.write(name, 0);
  head.write("0000644\0", 100);
  head.write("0000000\0", 108);
  head.write("0000000\0", 116);
  head.write(`${data.length.toString(8).padStart(11, "0")}\0`, 124);
  head.write("00000000000\0", 136);
  head.write("        ", 148);
  head.write("0", 156);
  head.write("ustar\0", 257);
  head.write("00", 263);
  const sum = head.reduce((total, byte) => total + byte, 0);
  head.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return Buffer.concat([head, data, Buffer.alloc((512 - (data.length % 512)) % 512)]);
}

const tarball = (files) =>
  gzipSync(
    Buffer.concat([
      ...Object.entries(files).map(([name, text]) => tarEntry(`package/${name}`, text)),
      Buffer.alloc(1024),
    ]),
  );

const manifests = {
  outer: { name: "outer", version: "1.0.0", dependencies: { inner: "^2.0.0" }, bin: "cli.js" },
  inner: { name: "inner", version: "2.1.0", main: "main.js", engines: { node: ">=26" } },
};
const archives = {
  outer: tarball({
    "package.json": JSON.stringify(manifests.outer),
    "index.js": "module.exports = 'outer of ' + require('inner')",
    "cli.js": "#!/usr/bin/env node\nconsole.log('cli', process.argv.slice(2).join())",
  }),
  inner: tarball({
    "package.json": JSON.stringify(manifests.inner),
    "main.js": "module.exports = 'inner'",
  }),
};

function answer(request, response) {
  const [, name, file] = new URL(request.url, "http://x").pathname.split("/");
  if (file !== undefined) return void response.end(archives[name]);
  const manifest = manifests[name];
  if (manifest === undefined) {
    response.statusCode = 404;
    return void response.end("{}");
  }
  const { version } = manifest;
  const integrity = `sha512-${createHash("sha512").update(archives[name]).digest("base64")}`;
  const dist = { tarball: `${base}/${name}/${name}.tgz`, integrity };
  response.setHeader("content-type", "application/json");
  response.end(
    JSON.stringify({
      name,
      "dist-tags": { latest: version },
      versions: { [version]: { ...manifest, dist } },
    }),
  );
}

const npm = findNpm();
const skip = npm === undefined && "no npm beside the node that runs the tests";
const registry = createServer(answer);
const secure = createSecureServer({ cert, key }, (_, response) => response.end("trusted"));
let base;
before(async () => {
  for (const server of [registry, secure])
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  base = `http://127.0.0.1:${registry.address().port}`;
});
after(() => {
  registry.close();
  secure.close();
});

const reaching = (server) => ({
  permissions: { network: "allow" },
  loopbackExemptPorts: [server.address().port],
});

test("npm installs a package and what it depends on; npx runs it", { skip }, async () => {
  const rt = await machine({
    ...reaching(registry),
    mounts: [{ guestPath: "/opt/npm", hostPath: npm }],
    limits: { memoryBytes: 1 << 30 },
    nodeVersion: "engine",
    files: {
      "/home/user/app/package.json": '{"name":"app","scripts":{"hello":"outer from script"}}',
    },
  });
  const sh = (text) =>
    rt.execCommand("sh", ["-c", text], {
      cwd: "/home/user/app",
      env: { npm_config_registry: base, npm_config_update_notifier: "false" },
      timeout: 120_000,
    });
  const cli = "node /opt/npm/bin/npm-cli.js";
  const installed = await sh(`${cli} install outer --no-audit --no-fund`);
  assert.equal(installed.exitCode, 0, installed.stderr + installed.stdout);
  assert.equal(installed.stderr, "");
  assert.match(installed.stdout, /added 2 packages/);
  const used = await sh("node -p \"require('outer')\"");
  assert.equal(used.stdout, "outer of inner\n", used.stderr);
  const script = await sh(`${cli} run --silent hello; node --run hello -- more`);
  assert.equal(script.stdout, "cli from,script\ncli from,script,more\n", script.stderr);
  const npx = await sh("node /opt/npm/bin/npx-cli.js outer a b");
  assert.equal(npx.stdout, "cli a,b\n", npx.stderr);
  const missing = await sh(`${cli} install no-such-package`);
  assert.notEqual(missing.exitCode, 0);
  assert.match(missing.stderr, /E404/);
});

test("a machine's version is the one asked for, in workers and children too", async () => {
  const source = `
    const { Worker } = require("worker_threads");
    const { execFileSync } = require("child_process");
    const seen = [process.version, process.versions.node, execFileSync("node", ["--version"], { encoding: "utf8" }).trim()];
    new Worker("require('worker_threads').parentPort.postMessage(process.version)", { eval: true }).on("message", (version) => console.log([...seen, version].join()));`;
  for (const [nodeVersion, expected] of [
    [undefined, "22.0.0"],
    ["24.3.1", "24.3.1"],
    ["engine", "26.10.0"],
  ]) {
    const rt = await machine({ nodeVersion });
    const { stdout, stderr } = await rt.execCommand("node", ["-e", source]);
    assert.equal(stdout, `v${expected},${expected},v${expected},v${expected}\n`, stderr);
  }
  for (const nodeVersion of ["22", "v22.0.0", 22, "", "latest"])
    await assert.rejects(machine({ nodeVersion }), /nodeVersion.*"x\.y\.z" or "engine"/);
});

test("programs trust the certificates that they or the host add, and no others", async () => {
  const url = `https://localhost:${secure.address().port}/`;
  const source = `
    const tls = require("tls");
    fetch("${url}").then((r) => r.text(), (e) => e.cause?.code ?? e).then((first) => {
      require("https").get("${url}", (r) => console.log(first, r.statusCode, tls.getCACertificates("default").length - tls.getCACertificates("bundled").length))
        .on("error", (e) => console.log(first, e.code, tls.getCACertificates("extra").length));
    });`;
  const ask = async (rt, env = {}) => {
    const { stdout, stderr } = await rt.execCommand("node", ["-e", source], { env });
    return [stdout.trim(), stderr];
  };
  const plain = await machine({ ...reaching(secure), files: { "/home/user/ca.pem": cert } });
  const refused = "DEPTH_ZERO_SELF_SIGNED_CERT DEPTH_ZERO_SELF_SIGNED_CERT 0";
  assert.deepEqual(await ask(plain), [refused, ""]);
  const own = { NODE_EXTRA_CA_CERTS: "/home/user/ca.pem" };
  assert.deepEqual(await ask(plain, own), ["trusted 200 1", ""]);
  const [missing, warned] = await ask(plain, { NODE_EXTRA_CA_CERTS: "/nowhere.pem" });
  assert.equal(missing, refused);
  assert.match(warned, /Warning: Ignoring extra certs from `\/nowhere\.pem`, load failed/);
  const trusting = await machine({ ...reaching(secure), ca: [cert] });
  assert.deepEqual(await ask(trusting), ["trusted 200 1", ""]);
  for (const ca of ["no certificate", cert.replace("MIIB", "MIIA"), [cert, ""], 1])
    await assert.rejects(machine({ ca }), /ca/);
});
