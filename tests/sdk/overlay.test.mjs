/** Overlay mounts: programs change a copy of their own of a directory of the host, and `diff` says what. */
import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { NodeRuntime } from "../../dist/index.js";
import { machine } from "../support/machines.mjs";

const base = fs.mkdtempSync(join(os.tmpdir(), "secure-exec-overlay-"));
after(() => fs.rmSync(base, { recursive: true, force: true }));
const big = Buffer.alloc(3 * 1024 * 1024 + 1, "0123456789");

function project(name) {
  const top = join(base, name);
  fs.mkdirSync(join(top, "src"), { recursive: true });
  fs.writeFileSync(join(top, "src/main.js"), "export const answer = 41;\n");
  fs.writeFileSync(join(top, "src/old.js"), "old\n");
  fs.writeFileSync(join(top, "package.json"), '{"type":"module"}');
  fs.writeFileSync(join(top, "big"), big);
  return top;
}
const overlay = (lower) => ({ guestPath: "/work", overlay: { lower } });

test("programs change what they see, the host's files stay, and diff and copyOut tell what was changed", async () => {
  const lower = project("one");
  const rt = await machine({ mounts: [overlay(lower)], cwd: "/work" });
  assert.deepEqual(await rt.diff(), []);
  const { value, stderr } = await rt.run(
    `import fs from "node:fs";
    import { execSync } from "node:child_process";
    import { answer } from "./src/main.js";
    const before = answer;
    execSync("sed -i s/41/42/ src/main.js && rm src/old.js && mkdir -p dist/lib && mv package.json pkg.json && ln -s ../src dist/src");
    fs.writeFileSync("dist/lib/out.js", "built");
    const fd = fs.openSync("big", "r+");
    fs.writeSync(fd, "!", 1_000_000);
    fs.closeSync(fd);
    __return({
      before,
      main: fs.readFileSync("src/main.js", "utf8"),
      top: fs.readdirSync("/work"),
      lib: fs.readFileSync("dist/src/main.js", "utf8").length,
      size: fs.statSync("big").size,
      mount: /^overlay \\/work overlay rw/m.test(fs.readFileSync("/proc/mounts", "utf8")),
    });`,
  );
  assert.equal(stderr, "");
  assert.deepEqual(value, {
    before: 41,
    main: "export const answer = 42;\n",
    top: ["big", "dist", "pkg.json", "src"],
    lib: 26,
    size: big.length,
    mount: true,
  });
  await rt.writeFile("/work/of-host.txt", "host");
  const changes = [
    { path: "/work/big", change: "changed", type: "file" },
    { path: "/work/dist", change: "added", type: "directory" },
    { path: "/work/dist/lib", change: "added", type: "directory" },
    { path: "/work/dist/lib/out.js", change: "added", type: "file" },
    { path: "/work/dist/src", change: "added", type: "symlink" },
    { path: "/work/of-host.txt", change: "added", type: "file" },
    { path: "/work/package.json", change: "removed", type: "file" },
    { path: "/work/pkg.json", change: "added", type: "file" },
    { path: "/work/src/main.js", change: "changed", type: "file" },
    { path: "/work/src/old.js", change: "removed", type: "file" },
  ];
  assert.deepEqual(await rt.diff("/work"), changes);
  assert.deepEqual(fs.readdirSync(lower).sort(), ["big", "package.json", "src"]);
  assert.ok(fs.readFileSync(join(lower, "big")).equals(big));
  assert.equal(fs.readFileSync(join(lower, "src/main.js"), "utf8"), "export const answer = 41;\n");

  const out = join(base, "out");
  const copied = await rt.copyOut("/work", out, { changesOnly: true, links: true });
  assert.deepEqual(copied.removed, ["package.json", "src/old.js"]);
  // Some versions of Node list what a link leads to as well.
  const found = fs
    .readdirSync(out, { recursive: true })
    .filter((path) => !path.startsWith("dist/src/"));
  assert.deepEqual(found.sort(), [
    "big",
    "dist",
    "dist/lib",
    "dist/lib/out.js",
    "dist/src",
    "of-host.txt",
    "pkg.json",
    "src",
    "src/main.js",
  ]);
  assert.equal(fs.readFileSync(join(out, "src/main.js"), "utf8"), "export const answer = 42;\n");
  const expected = Buffer.from(big);
  expected.write("!", 1_000_000);
  assert.ok(fs.readFileSync(join(out, "big")).equals(expected));

  const clone = await rt.clone();
  await clone.rm("/work/dist", { recursive: true });
  assert.deepEqual(await rt.diff(), changes);
  assert.deepEqual(
    (await clone.diff()).map(({ path }) => path),
    changes.map(({ path }) => path).filter((path) => !path.startsWith("/work/dist")),
  );
  await clone.dispose();
});

test("an overlay comes and goes while programs run; two of one directory know nothing of each other", async () => {
  const lower = project("two");
  const rt = await machine();
  await rt.mount(overlay(lower));
  await rt.mount({ guestPath: "/second", overlay: { lower } });
  await rt.exec(
    `import fs from "node:fs"; fs.rmSync("/work/src", { recursive: true }); fs.mkdirSync("/work/src"); fs.writeFileSync("/work/src/new", "")`,
  );
  assert.deepEqual(await rt.readDir("/work/src"), ["new"]);
  assert.deepEqual(await rt.readDir("/second/src"), ["main.js", "old.js"]);
  assert.deepEqual(
    (await rt.diff()).map(({ path, change }) => `${change} ${path}`),
    ["removed /work/src/main.js", "added /work/src/new", "removed /work/src/old.js"],
  );
  await rt.unmount("/work");
  assert.deepEqual(await rt.diff("/second"), []);
  await assert.rejects(rt.diff("/work"), { code: "ERR_SECURE_EXEC_FILE", message: /EINVAL/ });
  await rt.mount(overlay(lower));
  assert.deepEqual(await rt.readDir("/work/src"), ["main.js", "old.js"]);
  const refused = (option, problem) => ({
    code: "ERR_SECURE_EXEC_INVALID_OPTION",
    message: problem,
    details: { option },
  });
  const cases = [
    [
      { guestPath: "/x", overlay: { lower: join(lower, "big") } },
      "mounts[0].overlay.lower",
      /must be a directory/,
    ],
    [{ guestPath: "/x", overlay: {} }, "mounts[0].overlay.lower", /must be a string/],
    [
      { guestPath: "/x", overlay: { lower }, readOnly: false },
      "mounts[0].readOnly",
      /is not a known option/,
    ],
    [
      { guestPath: "/x", overlay: { lower, upper: "/y" } },
      "mounts[0].overlay.upper",
      /is not a known option/,
    ],
  ];
  for (const [mount, option, problem] of cases)
    await assert.rejects(NodeRuntime.create({ mounts: [mount] }), refused(option, problem));
});
