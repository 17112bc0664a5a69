// docs/isolation.md holds the policy as it is: its table is made from src/sandbox/policy.ts.
// `node tests/sandbox/isolation-doc.test.mjs --write` brings the page up to date.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { it } from "node:test";
import { fileURLToPath } from "node:url";
import { ADDONS, TEMPLATE_ADDONS } from "../../dist/sandbox/addon-policy.js";
import { KERNEL } from "../../dist/sandbox/kernel-policy.js";
import { STAGE1, STAGE2 } from "../../dist/sandbox/policy.js";
import { QUESTIONS, TEMPLATE } from "../../dist/sandbox/template-policy.js";
import { ZYGOTE } from "../../dist/sandbox/zygote-policy.js";

const page = fileURLToPath(new URL("../../docs/isolation.md", import.meta.url));
const errnoNames = {
  1: "EPERM",
  2: "ENOENT",
  9: "EBADF",
  13: "EACCES",
  22: "EINVAL",
  25: "ENOTTY",
  38: "ENOSYS",
};
const hex = (value) =>
  typeof value === "number"
    ? `0x${(value >>> 0).toString(16)}`
    : `${hex(value.x64)} (x64), ${hex(value.arm64)} (arm64)`;

function condition({ arg, test, values, mask }) {
  const name = `argument ${arg}`;
  if (test === "ownPid") return `${name} is the own pid`;
  if (test === "oneOf") {
    const shown = mask === undefined ? name : `${name} & ${hex(mask)}`;
    return `${shown} is ${values.map(hex).join(" or ")}`;
  }
  const verb = {
    within: "has only bits of",
    contains: "has all bits of",
    excludes: "has no bit of",
  };
  return `${name} ${verb[test]} ${hex(mask)}`;
}

function answer(action) {
  if (action === "allow") return "allowed";
  if (action === "ask") return "the kernel process is asked";
  if (action === "signal") return "SIGSYS; not made";
  return action.errno === 0 ? "does nothing, says 0" : errnoNames[action.errno];
}

function table(policy) {
  const rows = policy.rules.map(({ name, nr, args = [], action, why }) => {
    const only = Object.keys(nr).length === 1 ? ` (${Object.keys(nr)[0]} only)` : "";
    return `| \`${name}\`${only} | ${args.map(condition).join("; ")} | ${answer(action)} | ${why} |`;
  });
  return ["| System call | When | Answer | Why |", "| --- | --- | --- | --- |", ...rows].join("\n");
}

/** Only what stage 2 does not say: the rest is its rows. */
const serving = {
  ...ZYGOTE,
  rules: ZYGOTE.rules.slice(
    0,
    ZYGOTE.rules.findIndex(({ name }) => name === STAGE2.rules[0].name),
  ),
};
const copying = {
  ...TEMPLATE,
  rules: TEMPLATE.rules.filter((rule) => !STAGE2.rules.includes(rule)),
};
const linking = {
  ...ADDONS,
  rules: ADDONS.rules.filter((rule) => !STAGE2.rules.includes(rule)),
};
const policies = {
  "stage 1": STAGE1,
  "kernel process": KERNEL,
  zygote: serving,
  "stage 2": STAGE2,
  questions: QUESTIONS,
  template: copying,
  "native addons": linking,
};

function filled(text) {
  let result = text;
  for (const [mark, policy] of Object.entries(policies)) {
    const pattern = new RegExp(`(<!-- ${mark} -->\n)[^]*?\n?(<!-- end of ${mark} -->)`);
    assert.match(result, pattern);
    result = result.replace(pattern, (_, open, close) => `${open}${table(policy)}\n${close}`);
  }
  return result;
}

if (process.argv.includes("--write")) writeFileSync(page, filled(readFileSync(page, "utf8")));
else {
  it("docs/isolation.md lists exactly the policy", () => {
    const text = readFileSync(page, "utf8");
    // Of a template the same.
    assert.deepEqual(
      TEMPLATE_ADDONS.rules.filter((rule) => !TEMPLATE.rules.includes(rule)),
      linking.rules,
    );
    assert.equal(text, filled(text));
    for (const { why } of [STAGE1, KERNEL, ZYGOTE, STAGE2, QUESTIONS, TEMPLATE, ADDONS].flatMap(
      ({ rules }) => rules,
    ))
      assert.ok(why.length > 0);
  });
}
