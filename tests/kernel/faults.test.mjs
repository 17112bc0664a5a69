// kill -9 at any level: coded errors, no orphans, no hang, and the next runtime works.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { it } from "node:test";
import { fileURLToPath } from "node:url";
import { machine } from "../support/machines.mjs";
import { alive, children, endAll, tree, until } from "../support/processes.mjs";

const options = { timeout: 30_000 };
const forever = `console.log("up"); setInterval(() => {}, 1000);`;

/** Wraps the promise so that awaiting the start does not await the run itself. */
async function running(rt) {
  let up;
  const isUp = new Promise((resolve) => (up = resolve));
  const result = rt.exec(forever, { onStdout: () => up() });
  result.catch(() => undefined);
  await isUp;
  return { result };
}

it("a killed guest rejects its run and nothing else", options, async () => {
  const rt = await machine({});
  const { result } = await running(rt);
  const other = await running(rt);
  const { zygote } = tree();
  assert.ok(zygote);
  endAll(children(zygote));
  for (const run of [result, other.result]) {
    await assert.rejects(run, { code: "ERR_SECURE_EXEC_GUEST_KILLED" });
  }
  // A guest that waited, killed too, may be handed out once before its end is known.
  let answer;
  for (let i = 0; i < 5 && answer === undefined; i++) {
    answer = await rt.run("__return(1)").catch((error) => {
      assert.equal(error.code, "ERR_SECURE_EXEC_GUEST_KILLED");
    });
  }
  assert.equal(answer.value, 1);
});

it("a killed zygote rejects what runs and is replaced", options, async () => {
  const rt = await machine({});
  const { result } = await running(rt);
  const { zygote, guests } = tree();
  process.kill(zygote, "SIGKILL");
  await assert.rejects(result, { code: "ERR_SECURE_EXEC_ZYGOTE_LOST" });
  assert.equal((await rt.run("__return(2)")).value, 2);
  await until(() => guests.every((pid) => !alive(pid)));
});

it(
  "a killed kernel rejects what runs, and the next runtime starts a new one",
  options,
  async () => {
    const rt = await machine({});
    const { result } = await running(rt);
    const { kernel, zygote, guests } = tree();
    process.kill(kernel, "SIGKILL");
    await assert.rejects(result, { code: "ERR_SECURE_EXEC_KERNEL_LOST" });
    await assert.rejects(rt.run("1"), { code: /^ERR_SECURE_EXEC_/ });
    await until(() => [zygote, ...guests].every((pid) => !alive(pid)));
    const next = await machine({});
    assert.equal((await next.run("__return(3)")).value, 3);
  },
);

it("a killed host takes everything with it", options, async () => {
  const script = `
    import { NodeRuntime } from ${JSON.stringify(new URL("../../dist/index.js", import.meta.url).href)};
    const rt = await NodeRuntime.create();
    rt.exec("while (true);");
    await rt.exec('console.log("up"); setInterval(() => {}, 1000)', { onStdout: () => console.log("up") });`;
  const host = spawn(process.execPath, ["--input-type=module", "-e", script], {
    cwd: fileURLToPath(new URL("../..", import.meta.url)),
    stdio: ["ignore", "pipe", "inherit"],
  });
  await new Promise((resolve) => host.stdout.once("data", resolve));
  const { kernel, zygote, guests } = tree(host.pid);
  assert.ok(kernel && zygote && guests.length >= 2);
  host.kill("SIGKILL");
  await until(() => [kernel, zygote, ...guests].every((pid) => !alive(pid)));
});

it("a killed host takes a zygote with it that is stopped while it starts", options, async () => {
  const script = `
    import { NodeRuntime } from ${JSON.stringify(new URL("../../dist/index.js", import.meta.url).href)};
    import { children, commandLine, tree } from ${JSON.stringify(new URL("../support/processes.mjs", import.meta.url).href)};
    NodeRuntime.create().catch(() => {});
    const look = () => {
      const { kernel } = tree();
      const zygote = kernel === undefined ? undefined : children(kernel)[0];
      // From its first instruction on; what makes it needs one for itself.
      if (zygote === undefined || !commandLine(zygote).startsWith("node")) return setImmediate(look);
      process.kill(zygote, "SIGSTOP");
      console.log(JSON.stringify([kernel, ...children(kernel)]));
    };
    look();`;
  const host = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const said = await new Promise((resolve) => host.stdout.once("data", resolve));
  const processes = JSON.parse(said);
  assert.ok(processes.length >= 2);
  host.kill("SIGKILL");
  await until(() => processes.every((pid) => !alive(pid)));
});

/** A template, and a program of it that runs. */
async function copied(rt) {
  const template = await rt.template(`globalThis.ready = "up"`);
  let up;
  const isUp = new Promise((resolve) => (up = resolve));
  const result = template.exec(`console.log(ready); setInterval(() => {}, 1000);`, {
    onStdout: () => up(),
  });
  result.catch(() => undefined);
  await isUp;
  return { template, result };
}

const codeOfOurs = { code: /^ERR_SECURE_EXEC_/ };

it(
  "killed templates and copies reject what runs, with codes, and the machine goes on",
  options,
  async () => {
    const rt = await machine({});
    const { template, result } = await copied(rt);
    const { zygote } = tree();
    endAll(children(zygote));
    await assert.rejects(result, { code: "ERR_SECURE_EXEC_GUEST_KILLED" });
    // A copy that began while the list of children was read is on no list, and may be handed out once.
    const next = () => template.run("__return(ready)");
    const outcome = await next().catch((error) => error);
    if (outcome instanceof Error) assert.match(outcome.code, codeOfOurs.code);
    else assert.equal(outcome.value, "up");
    await assert.rejects(next(), codeOfOurs);
    const again = await copied(rt);
    await again.template.dispose();
  },
);

it("a killed zygote takes its templates and their copies along", options, async () => {
  const rt = await machine({});
  const { template, result } = await copied(rt);
  const { zygote, guests } = tree();
  process.kill(zygote, "SIGKILL");
  await assert.rejects(result, { code: "ERR_SECURE_EXEC_ZYGOTE_LOST" });
  await assert.rejects(template.run("0"), codeOfOurs);
  await until(() => guests.every((pid) => !alive(pid)));
  const again = await copied(rt);
  assert.equal((await again.template.run("__return(ready)")).value, "up");
});

it("a killed kernel leaves no template and no copy behind", options, async () => {
  const rt = await machine({});
  const { template, result } = await copied(rt);
  const { kernel, zygote, guests } = tree();
  process.kill(kernel, "SIGKILL");
  await assert.rejects(result, { code: "ERR_SECURE_EXEC_KERNEL_LOST" });
  await assert.rejects(template.run("0"), codeOfOurs);
  await until(() => [zygote, ...guests].every((pid) => !alive(pid)));
});

for (const signal of ["SIGSTOP", "SIGKILL"])
  it(
    `without its spawner (${signal}) a kernel serves while it has a zygote, and then makes way for the next one`,
    options,
    async () => {
      const rt = await machine({});
      assert.equal((await rt.run("__return(1)")).value, 1);
      const { kernel, spawner, zygote } = tree();
      assert.ok(spawner);
      process.kill(spawner, signal);
      assert.equal((await rt.run("__return(2)")).value, 2);
      process.kill(zygote, "SIGKILL");
      const codes = new Set();
      while (!codes.has("ERR_SECURE_EXEC_KERNEL_LOST"))
        await rt.exec("1").catch((error) => codes.add(error.code));
      codes.delete("ERR_SECURE_EXEC_KERNEL_LOST");
      codes.delete("ERR_SECURE_EXEC_ZYGOTE_LOST");
      codes.delete("ERR_SECURE_EXEC_GUEST_KILLED");
      assert.deepEqual([...codes], []);
      const next = await machine({});
      assert.equal((await next.run("__return(3)")).value, 3);
      await until(() => [kernel, spawner, zygote].every((pid) => !alive(pid)));
    },
  );
