// Learned permissions made shorter: what was allowed stays allowed, nothing that was written stays open to reading, and no pattern is there twice.
import assert from "node:assert/strict";
import { test } from "node:test";
import { generalizePermissions } from "../../dist/index.js";

const fs = (needs) => ({
  fs: {
    default: "deny",
    rules: Object.entries(needs).map(([operations, paths]) => ({
      mode: "allow",
      operations: operations.split(" "),
      paths: paths.split(" "),
    })),
  },
});
/** In short: operations by the paths of a rule. */
const short = ({ fs: { rules } }) =>
  Object.fromEntries(rules.map(({ operations, paths }) => [operations.join(" "), paths.join(" ")]));
const generalized = (needs) => short(generalizePermissions(fs(needs)));

test("a service with packages is one rule", () => {
  const needs = {
    read: "/app/package.json /app/node_modules/a/package.json",
    "read stat": "/app/server.js /app/routes/a.js /app/routes/b.js /app/node_modules/a/index.js",
    stat: "/app /app/routes /app/node_modules /app/node_modules/a",
  };
  assert.deepEqual(generalized(needs), {
    "read stat":
      "/app /app/node_modules/** /app/package.json /app/routes /app/routes/*.js /app/server.js",
  });
});

test("a look at a file does not become a right to read it, a right to read not one to write", () => {
  assert.deepEqual(
    generalized({ stat: "/data/a.key /data/b.key", read: "/data/c.txt /data/d.txt" }),
    {
      "read stat": "/data/*.txt",
      stat: "/data/*.key",
    },
  );
  assert.deepEqual(
    generalized({
      read: "/w/a.txt /w/b.txt",
      write: "/w/c.txt /w/d.txt",
      "read write": "/w/e.log",
    }),
    {
      "read write": "/w/*.txt /w/e.log",
    },
  );
});

test("what another pattern allows is left out, what differs stays", () => {
  assert.deepEqual(generalized({ "read stat": "/d/a.txt /d/b.txt", stat: "/d/c.txt" }), {
    "read stat": "/d/*.txt",
  });
  assert.deepEqual(generalized({ read: "/d/a.txt /d/b.txt", rm: "/d/c.txt" }), {
    read: "/d/*.txt",
    rm: "/d/c.txt",
  });
  // Names without an ending, of a root, and a star that is one.
  const kept = { read: "/a.txt /b.txt /d/\\*.txt /d/README /d/LICENSE" };
  assert.deepEqual(generalized(kept), { read: "/a.txt /b.txt /d/LICENSE /d/README /d/\\*.txt" });
});

test("rules that name no operations, and those that deny, stay as they are and come first", () => {
  const rules = [
    { mode: "deny", paths: ["/a/secret"] },
    { mode: "allow", operations: ["read"], paths: ["/b/1.txt", "/b/2.txt"] },
    { mode: "allow", paths: ["/c"] },
  ];
  const wide = generalizePermissions({ fs: { default: "deny", rules } });
  assert.deepEqual(wide.fs.rules, [
    rules[0],
    rules[2],
    { mode: "allow", operations: ["read"], paths: ["/b/*.txt"] },
  ]);
  assert.deepEqual(generalizePermissions({ fs: "deny" }), { fs: "deny" });
});

/** What variables come to: patterns by operations. */
function variables(needs) {
  const rules = Object.entries(needs).map(([operations, names]) => ({
    mode: "allow",
    operations: operations.split(" "),
    patterns: names.split(" "),
  }));
  const { env } = generalizePermissions({ env: { default: "deny", rules } });
  assert.equal(env.default, "deny");
  return Object.fromEntries(
    env.rules.map(({ operations, patterns }) => [operations.join(" "), patterns.join(" ")]),
  );
}

test("variables with one beginning become what a person would write, others stay as they are", () => {
  const service =
    "CHARSET HOME HOSTNAME LANG LC_COLLATE LOGNAME PAGER PATH PGDATABASE PGHOST PGPORT PGUSER SHELL USER";
  assert.deepEqual(variables({ read: service }), {
    read: "CHARSET HOME HOSTNAME LANG LC_COLLATE LOGNAME PAGER PATH PG* SHELL USER",
  });
  assert.deepEqual(
    variables({ read: "npm_config_cache npm_package_name AWS_REGION PATH NODE_ENV Path PWD" }),
    { read: "AWS_REGION NODE_ENV PATH PWD Path npm_*" },
  );
  // One letter, nothing behind or before it, a star or a backslash that is one, and names that only look like libpq's.
  const kept = "A_x A_y B_ _C_x _C_y D\\*_x D\\*_y E__ PGa PGb_ PG";
  assert.deepEqual(variables({ read: kept }), { read: kept.split(" ").sort().join(" ") });
});

test("a family that is written in part is not written as a whole, whatever comes first", () => {
  const expected = { read: "APP_*", "read write": "APP_C APP_D", write: "APP_E" };
  const needs = { read: "APP_A APP_B", "read write": "APP_C APP_D", write: "APP_E" };
  assert.deepEqual(variables(needs), expected);
  assert.deepEqual(variables(Object.fromEntries(Object.entries(needs).reverse())), expected);
});

test("rules about variables that deny, or name no operation, stay as they are and come first", () => {
  const rules = [
    { mode: "deny", patterns: ["APP_KEY"] },
    { mode: "allow", operations: ["read"], patterns: ["APP_A", "APP_B"] },
    { mode: "allow", patterns: ["HOME"] },
  ];
  const { env, fs } = generalizePermissions({ env: { rules }, fs: "allow" });
  assert.deepEqual(env, {
    rules: [rules[0], rules[2], { mode: "allow", operations: ["read"], patterns: ["APP_*"] }],
  });
  assert.equal(fs, "allow");
  assert.deepEqual(generalizePermissions({ env: "allow" }), { env: "allow" });
});
