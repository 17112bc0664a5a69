// Options and ways of commands that scripts lean on; what is right was seen of GNU's grep 3.8, coreutils 9.1 (`wc --total`: 9.4's
// manual), diffutils 3.8, gawk 5.2, xxd 2022 and procps 4.0.
import assert from "node:assert/strict";
import { test } from "node:test";
import { machine } from "../support/machines.mjs";

const rt = await machine();
let number = 0;
/** What a script prints in a folder of its own, line by line, both streams together. */
const lines = async (script) => {
  const cwd = `/tmp/options-${(number += 1)}`;
  const { stdout } = await rt.execCommand(
    "bash",
    ["-c", `mkdir -p ${cwd}; cd ${cwd}; { ${script}\n} 2>&1`],
    { timeout: 20_000 },
  );
  return stdout.split("\n").slice(0, -1);
};

test("grep: what stands between groups, and files that are not text", async () => {
  assert.deepEqual(
    await lines(`seq 6 > f; grep --no-group-separator -A1 -E '1|5' f; grep --group-separator=XX -A1 -E '1|5' f
      printf 'a\\0b\\n' > bin; for o in '' -c -l -q; do grep $o --binary-files=without-match a bin; echo $?; done`),
    ["1", "2", "5", "6", "1", "2", "XX", "5", "6", "1", "0", "1", "1", "1"],
  );
});

test("uniq --group, wc --total, xxd -i", async () => {
  assert.deepEqual(
    await lines("printf 'a\\na\\nb\\n' > u; uniq --group u; echo; uniq --group=both u"),
    ["a", "a", "", "b", "", "", "a", "a", "", "b", ""],
  );
  assert.deepEqual(
    await lines(
      "seq 6 > f; echo x > g; wc --total=only f g; wc --total=never -l f g; wc -l --total=always f",
    ),
    ["7 7 14", " 6 f", " 1 g", "6 f", "6 total"],
  );
  assert.deepEqual(await lines("printf abc > 1.b; xxd -i 1.b; xxd -i < 1.b"), [
    "unsigned char __1_b[] = {",
    "  0x61, 0x62, 0x63",
    "};",
    "unsigned int __1_b_len = 3;",
    "  0x61, 0x62, 0x63",
  ]);
});

test("diff: scripts for ed and RCS, lines that do not count, folders that are not there", async () => {
  const files = "seq 5 > a; (seq 2; echo x; seq 4 6) > b; (seq 2; echo .; echo y; seq 4 5) > c;";
  assert.deepEqual(await lines(`${files} diff -e a b; diff -n a b; diff -e a c`), [
    "5a",
    "6",
    ".",
    "3c",
    "x",
    ".",
    "d3 1",
    "a3 1",
    "x",
    "a5 1",
    "6",
    "3c",
    "..",
    ".",
    "s/.//",
    "a",
    "y",
    ".",
  ]);
  assert.deepEqual(await lines(`${files} diff -I '[x3]' a b; diff -I '[x3]' -I 6 a b; echo $?`), [
    "5a6",
    "> 6",
    "0",
  ]);
  assert.deepEqual(
    await lines("mkdir -p d1 d2/sub; echo q > d2/sub/q; diff -rN d1 d2; diff -r d1 d2"),
    ["diff -rN d1/sub/q d2/sub/q", "0a1", "> q", "Only in d2: sub"],
  );
});

test("awk: programs in parts, fields by width", async () => {
  assert.deepEqual(
    await lines(`echo 'function f(x) { return x * 2 }' > lib.awk; awk -f lib.awk -e 'BEGIN { print f(4) }'
      awk 'BEGIN { FIELDWIDTHS = "2 1:3 *" } { print $1 "|" $2 "|" $3, NF }' <<< abcdefghi
      awk -v FIELDWIDTHS='1 2 3' '{ print $1 "-" $2 "-" $3; $2 = "X"; print }' <<< 'éabcde'
      awk -v FIELDWIDTHS='1 z' '{ print NF }' <<< abc 2> /dev/null; echo $?`),
    ["8", "ab|def|ghi 3", "é-ab-cde", "é X cde", "2"],
  );
});

test("mv and cp: one file by two names, folders that are not there, a folder into itself", async () => {
  assert.deepEqual(
    await lines(`echo a > f; ln f hl; mv f hl; mv -n f hl; echo $?; mv -b f hl; echo $?; ls; ln -s hl s; mv s hl
      echo z > z; mv z nodir/; mkdir d; touch d/1; cp -r d d/e; echo $?; ls d/e; mkdir g; mv g h/; ls -d h z`),
    [
      "mv: 'f' and 'hl' are the same file",
      "0",
      "0",
      "hl",
      "hl~",
      "mv: 's' and 'hl' are the same file",
      "mv: cannot move 'z' to 'nodir/': Not a directory",
      "cp: cannot copy a directory, 'd', into itself, 'd/e'",
      "1",
      "1",
      "h",
      "z",
    ],
  );
});

test("ps: a column may have a width of its own", async () => {
  const [head, row] = await lines("ps -o comm:12,args:30 -p $$");
  assert.equal(head, "COMMAND      COMMAND");
  assert.match(row, /^bash {9}bash -c /);
});
