// The layers around programs: told as they are, demanded by name, and none of the optional ones
// needed: a machine that refuses them serves programs with those that are left.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { NodeRuntime } from "../../dist/index.js";
import { runPlain } from "./engine.mjs";

const timeout = 90_000;
const always = [
  "seccomp",
  "zygoteSeccomp",
  "kernelSeccomp",
  "noNewPrivs",
  "rlimits",
  "nonDumpable",
];

test(
  "every layer is reported with a reason, and those that are always there are",
  { timeout },
  async () => {
    const runtime = await NodeRuntime.create({ isolation: { require: always } });
    after(() => runtime.dispose());
    const layers = await runtime.isolation();
    assert.deepEqual(
      layers.slice(0, always.length).map(({ layer }) => layer),
      always,
    );
    for (const { layer, active, why } of layers) {
      assert.ok(why.length > 0, layer);
      if (always.includes(layer)) assert.equal(active, true, layer);
    }
    assert.equal(layers.find(({ layer }) => layer === "uid").active, process.geteuid() === 0);
  },
);

test(
  "each layer that is reported can be demanded by its name, and is refused where it is not there",
  { timeout },
  async () => {
    const runtime = await NodeRuntime.create();
    after(() => runtime.dispose());
    const layers = await runtime.isolation();
    const active = layers.filter((one) => one.active).map(({ layer }) => layer);
    const all = await NodeRuntime.create({ isolation: { require: active } });
    assert.deepEqual(await all.isolation(), layers);
    await all.dispose();
    for (const { layer } of layers.filter((one) => !one.active))
      await assert.rejects(NodeRuntime.create({ isolation: { require: ["seccomp", layer] } }), {
        code: "ERR_SECURE_EXEC_ISOLATION_UNAVAILABLE",
        details: { layer },
      });
  },
);

test("what cannot be demanded is refused before anything starts", async () => {
  for (const isolation of [1, { require: "userns" }, { require: ["walls"] }, { demand: [] }]) {
    await assert.rejects(NodeRuntime.create({ isolation }), {
      code: "ERR_SECURE_EXEC_INVALID_OPTION",
    });
  }
});

test(
  "a machine that refuses namespaces and landlock serves with what is left, and says so",
  { timeout },
  async () => {
    const index = new URL("../../dist/index.js", import.meta.url).href;
    const script = `
    import { NodeRuntime } from ${JSON.stringify(index)};
    const rt = await NodeRuntime.create();
    const { stdout } = await rt.exec("console.log(6 * 7)");
    const demand = async (layer) => {
      try { await (await NodeRuntime.create({ isolation: { require: ["seccomp", layer] } })).dispose(); return "given"; }
      catch (error) { return [error.code, error.message, error.details]; }
    };
    console.log(JSON.stringify({ stdout, layers: await rt.isolation(), userns: await demand("userns"), landlock: await demand("landlock"), rlimits: await demand("rlimits") }));
    await rt.dispose();`;
    // What a container's default profile answers, and what a kernel without landlock does.
    const [EPERM, ENOSYS] = ["1", "38"];
    const said = await runPlain(
      "without-layers.mjs",
      [process.execPath, script, EPERM, ENOSYS],
      timeout,
    );
    const { stdout, layers, ...demands } = JSON.parse(said.stdout || JSON.stringify(said.stderr));
    assert.equal(stdout, "42\n");
    const missing = layers.filter(({ active }) => !active).map(({ layer }) => layer);
    for (const name of ["userns", "mountns", "pidns", "netns", "ipcns", "utsns", "landlock"]) {
      assert.ok(missing.includes(name), name);
    }
    for (const name of always) assert.ok(!missing.includes(name), name);
    const code = "ERR_SECURE_EXEC_ISOLATION_UNAVAILABLE";
    const message = (why) => `the operating system does not offer the required isolation: ${why}`;
    assert.deepEqual(demands, {
      userns: [code, message("userns: unshare: errno 1"), { layer: "userns" }],
      landlock: [
        code,
        message("landlock: landlock_create_ruleset: errno 38"),
        { layer: "landlock" },
      ],
      rlimits: "given",
    });
  },
);

test("where landlock has no scopes, the kernel process executes nothing and looks into nobody", async (t) => {
  const { layer, ...left } = await runPlain("older-landlock.mjs");
  if (typeof layer === "string" && layer.includes("errno")) return t.skip(`no landlock: ${layer}`);
  assert.deepEqual(left, { memory: "EACCES", program: "EACCES", read: "1" });
});
