/** The options that show host directories: what they refuse, and what programs then see. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import os from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { NodeRuntime } from "../../dist/index.js";
import { mountsOf } from "../../dist/sdk/mounts.js";

const base = mkdtempSync(join(os.tmpdir(), "secure-exec-mount-options-"));
after(() => rmSync(base, { recursive: true, force: true }));
mkdirSync(join(base, "data"));
mkdirSync(join(base, "modules", "pkg"), { recursive: true });
mkdirSync(join(base, "out"));
writeFileSync(join(base, "data", "a.txt"), "from the host");
writeFileSync(join(base, "modules", "pkg", "package.json"), '{"name":"pkg","exports":"./main.js"}');
writeFileSync(
  join(base, "modules", "pkg", "main.js"),
  'module.exports = { pkg: require("./part") };',
);
writeFileSync(join(base, "modules", "pkg", "part.json"), '"loaded"');
symlinkSync(join(base, "modules", "pkg"), join(base, "modules", "linked"));
const data = join(base, "data");

test("bad mounts are refused by name before anything starts", async () => {
  const cases = [
    [{ mounts: {} }, "mounts", /must be an array/],
    [{ mounts: ["/a"] }, "mounts[0]", /must be an object/],
    [{ mounts: [null] }, "mounts[0]", /must be an object/],
    [{ mounts: [{ hostPath: data }] }, "mounts[0].guestPath", /must be a string/],
    [{ mounts: [{ guestPath: "/a" }] }, "mounts[0].hostPath", /must be a string/],
    [{ mounts: [{ guestPath: "", hostPath: data }] }, "mounts[0].guestPath", /empty/],
    [{ mounts: [{ guestPath: "a/b", hostPath: data }] }, "mounts[0].guestPath", /absolute/],
    [{ mounts: [{ guestPath: "/a/../b", hostPath: data }] }, "mounts[0].guestPath", /\.\./],
    [{ mounts: [{ guestPath: "/a\0", hostPath: data }] }, "mounts[0].guestPath", /NUL/],
    [
      { mounts: [{ guestPath: `/${"a".repeat(5000)}`, hostPath: data }] },
      "mounts[0].guestPath",
      /long/,
    ],
    [
      { mounts: [{ guestPath: "/a", hostPath: join(base, "none") }] },
      "mounts[0].hostPath",
      /exist/,
    ],
    [
      { mounts: [{ guestPath: "/a", hostPath: "/dev/null" }] },
      "mounts[0].hostPath",
      /regular file/,
    ],
    [
      { mounts: [{ guestPath: "/a", hostPath: data, readOnly: 1 }] },
      "mounts[0].readOnly",
      /boolean/,
    ],
    [{ mounts: [{ guestPath: "/a", hostPath: data, path: 1 }] }, "mounts[0].path", /known/],
    ...["/", "/tmp", "/tmp/", "/proc", "/proc/self", "/dev/shm", "//dev"].map((guestPath) => [
      { mounts: [{ guestPath, hostPath: data }] },
      "mounts[0].guestPath",
      /machine needs/,
    ]),
    [
      {
        mounts: [
          { guestPath: "/a", hostPath: data },
          { guestPath: "/a/", hostPath: base },
        ],
      },
      "mounts[1].guestPath",
      /also the place of mounts\[0\]/,
    ],
    [
      {
        mounts: [
          { guestPath: "/a/b", hostPath: data },
          { guestPath: "/a", hostPath: base },
        ],
      },
      "mounts[1].guestPath",
      /overlaps/,
    ],
    [
      { mounts: [{ guestPath: "/tmp/node_modules/x", hostPath: data }], nodeModules: data },
      "nodeModules.guestPath",
      /overlaps/,
    ],
    [{ nodeModules: 7 }, "nodeModules", /path of the host or an object/],
    [{ nodeModules: join(base, "none") }, "nodeModules", /exist/],
    [{ nodeModules: join(data, "a.txt") }, "nodeModules", /directory/],
    [{ nodeModules: { hostPath: data, readOnly: false } }, "nodeModules.readOnly", /known/],
    [
      { nodeModules: { hostPath: data, guestPath: "node_modules" } },
      "nodeModules.guestPath",
      /absolute/,
    ],
  ];
  for (const [options, option, message] of cases) {
    await assert.rejects(NodeRuntime.create(options), (error) => {
      assert.equal(error.code, "ERR_SECURE_EXEC_INVALID_OPTION", JSON.stringify(options));
      assert.equal(error.details.option, option, JSON.stringify(options));
      assert.match(error.message, message);
      return true;
    });
  }
});

test("what is left out has its default", () => {
  assert.deepEqual(mountsOf(undefined, undefined).mounts, []);
  assert.deepEqual(mountsOf([{ guestPath: "//mnt//x/", hostPath: data }], data).mounts, [
    { option: "mounts[0]", guestPath: "/mnt/x", hostPath: data, readOnly: true },
    { option: "nodeModules", guestPath: "/tmp/node_modules", hostPath: data, readOnly: true },
  ]);
});

test("a place that cannot be a mount point is refused by the kernel, coded", async () => {
  for (const guestPath of ["/etc/passwd/x", "/etc/passwd"]) {
    await assert.rejects(
      NodeRuntime.create({ mounts: [{ guestPath, hostPath: data }] }),
      (error) =>
        error.code === "ERR_SECURE_EXEC_INVALID_OPTION" && /mounts\[0\]/.test(error.message),
    );
  }
});

test("programs read what is mounted, write where they may, and load packages", async () => {
  const rt = await NodeRuntime.create({
    mounts: [
      { guestPath: "/workspace/data", hostPath: data },
      { guestPath: "/workspace/out", hostPath: join(base, "out"), readOnly: false },
      { guestPath: "/workspace/one.txt", hostPath: join(data, "a.txt") },
    ],
    nodeModules: { hostPath: join(base, "modules"), guestPath: "/workspace/node_modules" },
    cwd: "/workspace",
  });
  try {
    const { value, stderr } = await rt.run(
      `
      import fs from "node:fs";
      import { pkg } from "pkg";
      const code = (call) => { try { return call(); } catch (error) { return error.message; } };
      fs.writeFileSync("out/result.txt", fs.readFileSync("data/a.txt", "utf8").toUpperCase());
      __return([pkg, require("linked") === require("pkg"), require.resolve("linked"),
        code(() => fs.writeFileSync("data/a.txt", "")),
        code(() => fs.renameSync("out/result.txt", "moved")),
        code(() => fs.rmdirSync("data")),
        fs.readFileSync("one.txt", "utf8"), fs.readFileSync("/proc/mounts", "utf8").includes(${JSON.stringify(base)})]);`,
      { name: "/workspace/main.mjs" },
    );
    assert.deepEqual(
      value,
      [
        "loaded",
        true,
        "/workspace/node_modules/pkg/main.js",
        "EROFS: read-only file system, open 'data/a.txt'",
        "EXDEV: cross-device link not permitted, rename 'out/result.txt' -> 'moved'",
        "EBUSY: resource busy or locked, rmdir 'data'",
        "from the host",
        false,
      ],
      stderr,
    );
    assert.equal(readFileSync(join(base, "out", "result.txt"), "utf8"), "FROM THE HOST");
    assert.equal(
      Buffer.from(await rt.readFile("/workspace/data/a.txt")).toString(),
      "from the host",
    );
    await assert.rejects(
      rt.writeFile("/workspace/data/a.txt", "x"),
      (error) => error.code === "ERR_SECURE_EXEC_FILE" && /EROFS/.test(error.message),
    );
    await rt.writeFile("/workspace/out/by-host", new Uint8Array(9 * 2 ** 20));
    assert.equal((await rt.readFile("/workspace/out/by-host")).length, 9 * 2 ** 20);
    assert.deepEqual(await rt.readDir("/workspace/out"), ["by-host", "result.txt"]);
    // A guest can make a file look endless on the host's disk; the host does not read it.
    await rt.exec(`(await import("node:fs")).truncateSync("out/by-host", 2 ** 33)`);
    await assert.rejects(rt.readFile("/workspace/out/by-host"), /EFBIG/);
  } finally {
    await rt.dispose();
  }
});
