// diff, comm, join, od, tar, gzip and the rest against the machine's own.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compare } from "./harness.mjs";

const a = "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\nten\n";
const b = a.replace("two", "TWO").replace("nine\n", "").replace("ten\n", "ten\neleven\n");
const pair = { files: { a, b, c: a, noeol: "x\ny", eol: "x\ny\n", bin: "a\0b", bin2: "a\0c" } };
const dirs = {
  files: {
    "d1/x": "1\n",
    "d1/same": "s\n",
    "d1/only": "",
    "d2/x": "2\n",
    "d2/same": "s\n",
    "d2/sub/y": "",
  },
};
const labels = "--label a --label b";

compare("diff and cmp", [
  ["diff a b", pair],
  ["diff a c", pair],
  [`diff -u ${labels} a b`, pair],
  [`diff -U1 ${labels} a b`, pair],
  [`diff -u0 ${labels} a b`, pair],
  [`diff -c ${labels} a b`, pair],
  ["diff -u a b", pair],
  ["diff --color=always a b", pair],
  ["diff --color=always -u a b", pair],
  ["diff --color=always -c --label A --label B a b", pair],
  ["diff --color=never -u a b", pair],
  ["diff -q a b", pair],
  ["diff -s a c", pair],
  ["diff noeol eol", pair],
  [`diff -u ${labels} noeol eol`, pair],
  ["diff bin bin2", pair],
  ["diff a missing", pair],
  ["diff a", pair],
  ["diff d1 d2", dirs],
  ["diff -r d1 d2", dirs],
  ["diff -rq d1 d2", dirs],
  ["diff -i x y", { files: { x: "A\n", y: "a\n" } }],
  ["diff -w x y", { files: { x: "a b\n", y: "ab\n" } }],
  ["diff -b x y", { files: { x: "a  b\n", y: "a b \n" } }],
  ["diff -B x y", { files: { x: "a\n\nb\n", y: "a\nb\n" } }],
  [`diff -u ${labels} x y`, { files: { x: "", y: "a\n" } }],
  [`diff -u ${labels} x y`, { files: { x: "a\nb\na\nb\na\n", y: "a\nb\na\nb\na\nb\n" } }],
  ["diff - a", { ...pair, stdin: "one\n" }],
  ["diff a d1", { files: { a: "1\n", "d1/a": "2\n" } }],
  ["cmp a b", pair],
  ["cmp a c", pair],
  ["cmp -s a b", pair],
  ["cmp -l bin bin2", pair],
  ["cmp noeol eol", pair],
  ["cmp a missing", pair],
]);

compare("columns and lines", [
  ["comm x y", { files: { x: "a\nb\nc\n", y: "b\nc\nd\n" } }],
  ["comm -12 x y", { files: { x: "a\nb\nc\n", y: "b\nc\nd\n" } }],
  ["comm -3 x y", { files: { x: "a\nb\n", y: "b\nd\n" } }],
  ["comm x", {}],
  ["paste x y", { files: { x: "1\n2\n3\n", y: "a\nb\n" } }],
  ["paste -d, x y", { files: { x: "1\n2\n", y: "a\nb\n" } }],
  ["paste -s x", { files: { x: "1\n2\n" } }],
  ["paste -sd+ -", { stdin: "1\n2\n3\n" }],
  ["paste - -", { stdin: "1\n2\n3\n" }],
  ["paste missing"],
  ["join x y", { files: { x: "1 a\n2 b\n3 c\n", y: "1 x\n3 z\n" } }],
  ["join -a1 x y", { files: { x: "1 a\n2 b\n", y: "1 x\n" } }],
  ["join -v1 x y", { files: { x: "1 a\n2 b\n", y: "1 x\n" } }],
  ["join -t, -1 2 -2 1 x y", { files: { x: "a,1\nb,2\n", y: "1,x\n2,y\n" } }],
  ["join -o 1.2,2.2 x y", { files: { x: "1 a\n", y: "1 x\n" } }],
  ["nl", { stdin: "a\n\nb\n" }],
  ["nl -ba", { stdin: "a\n\nb\n" }],
  ["nl -w3 -s: -v5 -i2", { stdin: "a\nb\n" }],
  ["nl -nrz", { stdin: "a\n" }],
  ["tac", { stdin: "1\n2\n3\n" }],
  ["tac", { stdin: "1\n2\n3" }],
  ["tac missing"],
  ["rev", { stdin: "abc\nxyz\n" }],
  ["fold -w 3", { stdin: "abcdefgh\nij\n" }],
  ["fold -sw 6", { stdin: "ab cd efgh\n" }],
  ["expand", { stdin: "a\tb\n\tc\n" }],
  ["expand -t4", { stdin: "a\tb\n" }],
  ["unexpand", { stdin: "        a       b\n" }],
  ["unexpand -a", { stdin: "        a       b\n" }],
  ["split -l 2 f", { files: { f: "1\n2\n3\n" } }],
  ["split -b 2 f p", { files: { f: "12345" } }],
  ["split -d -n 3 f p", { files: { f: "123456789" } }],
  ["split -a 3 -l1 --additional-suffix=.t f", { files: { f: "1\n2\n" } }],
  ["od", { stdin: "hello world, this is it\n" }],
  ["od -c", { stdin: "a\tb\n\0\xff" }],
  ["od -An -tx1", { stdin: "hello" }],
  ["od -t x1z", { stdin: "hello" }],
  ["od -An -tu1 -v", { stdin: "\0".repeat(40) }],
  ["od -A x -t x1", { stdin: "\0".repeat(70) }],
  ["od -An -N4 -tu4", { stdin: "\x01\0\0\0\x02" }],
  ["od -j2 -N3 -c", { stdin: "abcdefg" }],
  ["od -b", { stdin: "ab" }],
  ["xxd", { stdin: "hello world, this is it\n" }],
  ["xxd -p", { stdin: "hello" }],
  ["xxd -r -p", { stdin: "68656c6c6f" }],
  ["xxd -r", { stdin: "00000000: 6869 0a                                  hi.\n" }],
  ["xxd -c 8 -g 1", { stdin: "hello world" }],
  ["xxd -b", { stdin: "hi" }],
  ["hexdump -C", { stdin: "hello world, this is it\n" }],
  ["hexdump -C", { stdin: "\0".repeat(64) }],
]);

compare("expr, dd and other small ones", [
  ["expr 1 + 2"],
  ["expr 2 '*' 3 + 4"],
  ["expr 7 / 2"],
  ["expr 7 % 0"],
  ["expr 1 - 1"],
  ["expr a = a"],
  ["expr 10 '<' 9"],
  ["expr a '<' b"],
  ["expr '(' 1 + 2 ')' '*' 3"],
  ["expr length hello"],
  ["expr substr hello 2 3"],
  ["expr index hello l"],
  ["expr foobar : 'foo\\(.*\\)'"],
  ["expr foobar : 'o'"],
  ["expr foobar : '.*'"],
  ["expr '' '|' x"],
  ["expr 0 '&' x"],
  ["expr x + 1"],
  ["expr"],
  ["expr 1 +"],
  ["expr 1 2"],
  ["dd if=f of=g bs=2 count=2 status=none", { files: { f: "123456" } }],
  ["dd bs=1 skip=2 count=3 status=none", { stdin: "123456" }],
  ["dd if=f of=g conv=notrunc bs=1 seek=2 status=none", { files: { f: "AB", g: "123456" } }],
  ["dd conv=ucase status=none", { stdin: "abc" }],
  ["dd status=noxfer", { stdin: "abc" }],
  ["dd if=missing"],
  ["dd foo=bar"],
  ["truncate -s 3 f", { files: { f: "12345" } }],
  ["truncate -s 5 new", { files: {} }],
  ["truncate -s +2 f", { files: { f: "1" } }],
  ["truncate f", { files: { f: "1" } }],
  ["install -m 600 f g", { files: { f: "x" } }],
  ["install -d a/b", { files: {} }],
  ["install -D f x/y/g", { files: { f: "x" } }],
  ["factor 12 97 1"],
  ["factor x"],
  ["shuf -i 1-1"],
  ["shuf -n 0 -e a b"],
  ["shuf -i 5-x", { stderr: false }],
  ["du -b f", { files: { f: "x".repeat(100) } }],
  ["du -ab f missing", { files: { f: "x".repeat(100) } }],
  ["tput setaf 1", { env: { TERM: "xterm-256color" } }],
  ["sync"],
]);

/** Two files of one and two blocks, and the end: blocks 0 to 6. */
const archive = (() => {
  const folder = mkdtempSync(join(tmpdir(), "cut-"));
  writeFileSync(join(folder, "a"), "hello\n");
  writeFileSync(join(folder, "b"), "x".repeat(700));
  const made = spawnSync("tar", ["-cf", "-", "-b1", "-C", folder, "a", "b"]).stdout;
  rmSync(folder, { recursive: true });
  return made.toString("latin1");
})();
/** As far as this block, and so many bytes of it. */
const cut = (block, bytes = 0) => ({ files: { "c.tar": archive.slice(0, block * 512 + bytes) } });

compare("tar: an archive that was cut off", [
  ["tar tf c.tar", cut(7)],
  // The second block of zeroes lacks its last hundred.
  ["tar tf c.tar", cut(6, 412)],
  ["tar xf c.tar", cut(6, 412)],
  ["tar tf c.tar", cut(6)],
  ["tar tf c.tar", cut(5, 424)],
  ["tar tf c.tar", cut(5)],
  ["tar tf c.tar", cut(4, 300)],
  ["tar tf c.tar", cut(3, 100)],
  ["tar tf c.tar", cut(2, 300)],
  ["tar tf c.tar", cut(0, 300)],
]);

compare("tar and gzip", [
  ["tar cf x.tar missing", { files: {} }],
  ["tar tf missing.tar"],
  ["tar cf x.tar", {}],
  ["tar", {}],
  ["tar tf bad", { files: { bad: "x".repeat(2000) } }],
  ["tar xf bad -C nodir", { files: { bad: "x" }, stderr: false }],
  ["gzip missing"],
  ["gzip -d f", { files: { f: "x" } }],
  ["gunzip f.gz", { files: { "f.gz": "notgz" } }],
  ["gzip dir", { files: { dir: { dir: true } } }],
  [
    "zcat",
    {
      stdin: "\x1f\x8b\x08\0\0\0\0\0\0\x03\xcbH\xcd\xc9\xc9\xe7\x02\0 0:6\x06\0\0\0".replace(
        " 0:6",
        "\x20\x30\x3a\x36",
      ),
      expect: { stdout: "hello\n" },
    },
  ],
]);
