// The kernel's list of commands and the guest's table name the same programs, and each can be run.
import assert from "node:assert/strict";
import { test } from "node:test";
import { NodeRuntime } from "../../dist/index.js";
import { commandNames } from "../../dist/protocol/programs.js";
import { loadGuestModule } from "../support/guest-modules.mjs";

test("one table of commands on both sides", () => {
  const { commands } = loadGuestModule("userland/commands/index");
  assert.deepEqual([...commandNames].sort(), [...commands.keys()].sort());
});

/** What cannot be here, or not without a mount, says so. */
const refused = ["npm", "npx", "perl", "python3", "scp", "sftp", "ssh"];

test("every command is found, and compiles, in a machine", async () => {
  const rt = await NodeRuntime.create();
  try {
    const { stdout, stderr } = await rt.execCommand("sh", [
      "-c",
      `for name in ${commandNames
        .filter((name) => !["yes", "nohup", ...refused].includes(name))
        .map((name) => `'${name}'`)
        .join(" ")}; do
        test -x /bin/"$name" || echo "missing $name"
        timeout 10 /bin/"$name" --version < /dev/null > /dev/null 2> /tmp/err
        code=$?
        if test $code -ge 126 || grep -q "internal error" /tmp/err; then echo "$name: $code $(cat /tmp/err)"; fi
      done`,
    ]);
    assert.deepEqual([stdout, stderr], ["", ""]);
    for (const name of refused) {
      const refusal = await rt.execCommand(name, ["--version"]);
      assert.ok([126, 127].includes(refusal.exitCode), name);
      assert.match(refusal.stderr, new RegExp(`^${name}: .*(node|npm)`));
    }
  } finally {
    await rt.dispose();
  }
});

test("a shell script of everyday work", async () => {
  const rt = await NodeRuntime.create();
  try {
    const { stdout, stderr, exitCode } = await rt.execCommand("sh", [
      "-c",
      `set -eu
      mkdir -p /tmp/work && cd /tmp/work
      printf '%s\\n' pear apple fig apple > list
      sort -u list | nl -ba | sed 's/^ *//' | tr '\\t' ':'
      awk '{ n[$1]++ } END { for (k in n) print k, n[k] }' list | sort
      tar -czf all.tgz list && rm list && tar -xzf all.tgz && wc -l < list
      echo '{"a":[1,2,{"b":"c"}]}' | jq -c '.a[2]'
      find . -name '*.tgz' -exec basename {} \\;
      seq 1 3 | xargs -I{} echo item {}
      node -e 'console.log(require("fs").readdirSync(".").join())'
      diff list /dev/null > /dev/null || echo differ
      yes | head -n 2 | paste -s -d, -
      cat <<EOF | grep -c o
one
two
three
EOF`,
    ]);
    assert.equal(stderr, "");
    assert.equal(exitCode, 0);
    assert.equal(
      stdout,
      `1:apple\n2:fig\n3:pear\napple 2\nfig 1\npear 1\n4\n{"b":"c"}\nall.tgz\nitem 1\nitem 2\nitem 3\nall.tgz,list\ndiffer\ny,y\n2\n`,
    );
  } finally {
    await rt.dispose();
  }
});
