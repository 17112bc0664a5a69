// The recipes of deploy/, as far as this machine has what they are for: their command lines are started here, as an
// unprivileged user without any capability, and their probes asked.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { NodeRuntime } from "../../dist/index.js";
import { natsServer, noServer, workerBy } from "../support/fleets.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const recipe = (name) => readFileSync(join(root, "deploy", name), "utf8");
const has = (command) => spawnSync(command, ["--version"]).error === undefined;
const cli = join(root, "dist/cli/main.js");
const folder = mkdtempSync(join(tmpdir(), "secure-exec-deploy-"));
chmodSync(folder, 0o755);
after(() => rmSync(folder, { recursive: true, force: true }));

/** What a container of the manifest, or a unit with DynamicUser, is: no user of worth, no capability, none to be had. */
const unprivileged = [
  "setpriv",
  "--reuid=65533",
  "--regid=65533",
  "--clear-groups",
  "--no-new-privs",
  "--bounding-set=-all",
  "--inh-caps=-all",
];
const cannotDrop =
  process.getuid?.() !== 0 || !has("setpriv")
    ? "setpriv and root are needed to drop privileges"
    : false;
const unreadable =
  spawnSync(unprivileged[0], [...unprivileged.slice(1), process.execPath, cli, "--version"])
    .status !== 0
    ? "another user of this machine cannot read this checkout"
    : false;
const skip = noServer || cannotDrop || unreadable;

async function serves(servers) {
  const runtime = await NodeRuntime.create({ fleet: { servers } });
  const { value } = await runtime.run("__return(process.version.length > 0)");
  await runtime.dispose();
  assert.equal(value, true);
}

/** Starts the worker's command line without privileges. */
function start(args) {
  return workerBy(unprivileged[0], [
    ...unprivileged.slice(1),
    process.execPath,
    cli,
    "worker",
    ...args,
  ]);
}

test(
  "the arguments of the Kubernetes manifest, its probes and its security context",
  { skip },
  async () => {
    const text = recipe("kubernetes.yaml");
    assert.match(text, /allowPrivilegeEscalation: false/);
    assert.match(text, /readOnlyRootFilesystem: true/);
    assert.match(text, /drop: \[ALL\]/);
    assert.doesNotMatch(text, /privileged: true|hostPath|hostNetwork/);
    const args = [...text.matchAll(/^ {12}- (--.*)$/gm)].map((match) => match[1]);
    assert.equal(args.length, 5);
    const { url } = await natsServer({ config: "authorization { token: t }" });
    const credentials = join(folder, "worker.json");
    writeFileSync(credentials, '{ "token": "t" }');
    chmodSync(credentials, 0o644);
    const real = args.map((arg) =>
      arg
        .replace("nats://nats:4222", url)
        .replace("/etc/secure-exec/worker.creds", credentials)
        .replace("$(POD_NAME)", "pod-1"),
    );
    // As the image's entry point does it, on a port of this machine.
    const entry = /^ENTRYPOINT (\[.*\])$/m.exec(recipe("Containerfile"));
    assert.deepEqual(JSON.parse(entry[1]).slice(2), ["worker", "--metrics", "0.0.0.0:9100"]);
    const one = await start(["--metrics", "0", ...real]);
    assert.equal(one.name, "pod-1");
    const { address } = one.lines
      .map((line) => JSON.parse(line))
      .find(({ event }) => event === "metrics");
    const probes = [...text.matchAll(/httpGet: \{ path: (\S+), port/g)].map((match) => match[1]);
    assert.deepEqual(probes, ["/healthz", "/readyz", "/healthz"]);
    for (const path of probes) assert.equal((await fetch(`http://${address}${path}`)).status, 200);
    const runtime = await NodeRuntime.create({
      fleet: { servers: url, credentials: { token: "t" } },
    });
    assert.equal((await runtime.run("__return(2)")).value, 2);
    await runtime.dispose();
    assert.deepEqual(await one.stop("SIGTERM"), [0, null]);
  },
);

test("the command line of the systemd unit", { skip }, async () => {
  const text = recipe("secure-exec-worker.service");
  const line =
    /^ExecStart=\/usr\/bin\/env node \S+\/main\.js worker (.*) \$SECURE_EXEC_WORKER_OPTIONS$/m.exec(
      text,
    );
  const stopSeconds = Number(/^TimeoutStopSec=(\d+)$/m.exec(text)[1]);
  const drainSeconds = Number(/--drain-timeout (\d+)/.exec(line[1])[1]);
  assert.ok(stopSeconds > drainSeconds);
  // As the command line is started here.
  assert.match(text, /^CapabilityBoundingSet=$/m);
  const { url } = await natsServer();
  const one = await start([...line[1].split(" "), "--nats", url, "--capacity", "machines=2"]);
  await serves(url);
  assert.deepEqual(await one.stop("SIGTERM"), [0, null]);
});

test(
  "the systemd unit is one",
  { skip: has("systemd-analyze") ? false : "there is no systemd-analyze" },
  () => {
    const unit = join(root, "deploy/secure-exec-worker.service");
    const { stdout, stderr } = spawnSync("systemd-analyze", ["verify", unit], { encoding: "utf8" });
    assert.doesNotMatch(stdout + stderr, /secure-exec-worker\.service/);
  },
);

test("the image's recipe names what is there", () => {
  const text = recipe("Containerfile");
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const client = `@nats-io/transport-node@${manifest.peerDependencies["@nats-io/transport-node"]}`;
  assert.ok(text.includes(client));
  assert.ok(recipe("kubernetes.yaml").includes("secure-exec-worker"));
  // What the build makes itself is not copied over it.
  const ignored = readFileSync(join(root, ".dockerignore"), "utf8").split("\n");
  for (const name of ["node_modules", "dist", ".git"]) assert.ok(ignored.includes(name), name);
  for (const [, name] of text.matchAll(/^COPY (package\S*) /gm))
    assert.ok(existsSync(join(root, name)));
});
