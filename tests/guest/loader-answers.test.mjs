/** Answers the kernel gives a module loader in advance are never older than the last change. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { NodeRuntime } from "../../dist/index.js";

test("files that come and go between two requires are seen", async () => {
  const rt = await NodeRuntime.create();
  try {
    const { value, stderr } = await rt.run(
      `
      const fs = require("node:fs");
      const load = (name) => { try { return require(name); } catch (error) { return error.code; } };
      const put = (name, value) => fs.writeFileSync("/workspace/" + name, "module.exports = " + JSON.stringify(value));
      const seen = [];
      seen.push(load("./a"));
      put("a.js", 1);
      seen.push(load("./a"), load("./a.json"));
      fs.writeFileSync("/workspace/a.json", "2");
      seen.push(load("./a.json"));
      fs.mkdirSync("/workspace/dir");
      seen.push(load("./dir"));
      put("dir/index.js", 3);
      seen.push(load("./dir"), load("./dir/index.json"));
      fs.writeFileSync("/workspace/dir/index.json", "4");
      seen.push(load("./dir/index.json"), load("late"));
      __return(seen);`,
      { name: "/workspace/main.mjs" },
    );
    assert.deepEqual(
      value,
      [
        "MODULE_NOT_FOUND",
        1,
        "MODULE_NOT_FOUND",
        2,
        "MODULE_NOT_FOUND",
        3,
        "MODULE_NOT_FOUND",
        4,
        "MODULE_NOT_FOUND",
      ],
      stderr,
    );
    const packages = await rt.run(
      `
      const fs = require("node:fs");
      const load = (name) => { try { return require(name); } catch (error) { return error.code; } };
      const seen = [load("late")];
      fs.mkdirSync("/workspace/node_modules/late", { recursive: true });
      fs.writeFileSync("/workspace/node_modules/late/index.js", "module.exports = 'here'");
      seen.push(load("late"));
      for (const name of ["far", "near"]) {
        const at = name === "far" ? "/workspace/node_modules/both" : "/workspace/deep/er/node_modules/both";
        fs.mkdirSync(at, { recursive: true });
        fs.writeFileSync(at + "/index.js", "module.exports = " + JSON.stringify(name));
      }
      seen.push(load("both"));
      __return(seen);`,
      { name: "/workspace/deep/er/main.mjs" },
    );
    assert.deepEqual(packages.value, ["MODULE_NOT_FOUND", "here", "near"], packages.stderr);
  } finally {
    await rt.dispose();
  }
});
