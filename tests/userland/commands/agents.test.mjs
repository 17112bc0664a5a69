// Commands that agents call beside the everyday ones, against the machine's own where it has them.
import { compare } from "./harness.mjs";

const before = "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\n";
const after = before.replace("three", "THREE").replace("eight\n", "eight\nnine\n");
const unified = `--- a\t2024-01-02\n+++ b\t2024-01-02\n@@ -1,5 +1,5 @@\n one\n two\n-three\n+THREE\n four\n five\n@@ -6,3 +6,4 @@\n six\n seven\n eight\n+nine\n`;
const shifted = `zero\nzero\n${before}`;
const context = `*** a\n--- b\n***************\n*** 1,5 ****\n  one\n  two\n! three\n  four\n  five\n--- 1,5 ----\n  one\n  two\n! THREE\n  four\n  five\n`;
const git = `diff --git a/x b/x\nindex 1..2 100644\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-1\n+2\ndiff --git a/n b/n\nnew file mode 100644\n--- /dev/null\n+++ b/n\n@@ -0,0 +1 @@\n+new\n`;

compare("patch", [
  ["patch", { files: { a: before }, stdin: unified }],
  ["patch -p0 -i p", { files: { a: before, p: unified } }],
  ["patch a p", { files: { a: before, p: unified } }],
  ["patch", { files: { a: shifted }, stdin: unified }],
  ["patch -R", { files: { a: after }, stdin: unified }],
  ["patch -s", { files: { a: before }, stdin: unified }],
  ["patch --dry-run", { files: { a: before }, stdin: unified }],
  ["patch -b", { files: { a: before }, stdin: unified }],
  ["patch -o -", { files: { a: before }, stdin: unified }],
  ["patch", { files: { a: before.replace("two", "2") }, stdin: unified }],
  ["patch -F0", { files: { a: before.replace("two", "2") }, stdin: unified, stderr: false }],
  ["patch", { files: { a: "other\n" }, stdin: unified }],
  ["patch", { files: { a: before }, stdin: context }],
  ["patch a", { files: { a: before }, stdin: "3c3\n< three\n---\n> THREE\n" }],
  ["patch -p1", { files: { x: "1\n" }, stdin: git }],
  ["patch -N", { files: { a: after }, stdin: unified }],
  [
    "patch",
    {
      files: { a: "x\n" },
      stdin: "--- a\n+++ a\n@@ -1 +1 @@\n-x\n+y\n\\ No newline at end of file\n",
    },
  ],
  ["patch -p0", { files: { "d/a": "x\n" }, stdin: "--- d/a\n+++ d/a\n@@ -1 +1 @@\n-x\n+y\n" }],
  ["patch", { files: { a: "x\n" }, stdin: "garbage\n" }],
  ["patch -i missing", { files: {} }],
]);

compare("column", [
  ["column -t", { stdin: "a bb c\nddd e f\n" }],
  ["column -t -s :", { stdin: "a:bb::c\nddd:e:f:g\n" }],
  ["column -t -s : -o '|'", { stdin: "a:bb\nddd:e\n" }],
  ["column -t -R 1", { stdin: "1 a\n100 b\n" }],
  ["column -t -N A,B", { stdin: "1 a\n100 b\n" }],
  ["column", { stdin: "a\nb\nc\nd\n" }],
  ["column -c 20", { stdin: "aaaa\nb\nc\nd\ne\n" }],
  ["column -x -c 30", { stdin: "aaaa\nb\nc\nd\ne\n" }],
  ["column -J -N a,b", { stdin: "1 x\n2 y\n" }],
]);

compare("numfmt", [
  ["numfmt --to=iec 1024 1500 1048576 999"],
  ["numfmt --to=si 1000 1500 999999"],
  ["numfmt --to=iec-i 4096"],
  ["numfmt --from=iec 1K 2M"],
  ["numfmt --from=auto 1Ki 1K"],
  ["numfmt --from=si --to=iec 1M"],
  ["numfmt --to=iec --suffix=B 2048"],
  ["numfmt --to=iec --field=2 --header", { stdin: "name size\na 2048\nb 100\n" }],
  ["numfmt --padding=8 --to=si 1234"],
  ["numfmt --format=%.2f --to=iec 1500"],
  ["numfmt --round=down --to=iec 1999"],
  ["numfmt x"],
  ["numfmt 1K"],
  ["numfmt --to=bad 1", { stderr: false }],
]);

const prose =
  "The quick brown fox jumps over the lazy dog. Pack my box with five dozen liquor jugs, and then some more of them.\nHow vexingly quick daft zebras jump! Sphinx of black quartz, judge my vow.\n\n   Indented text that goes on and on for more than the width of a line, so that it is filled as well.\n";
compare("fmt, pr, tsort, csplit, unlink, shred", [
  ["fmt", { stdin: prose }],
  ["fmt -w 40", { stdin: prose }],
  ["fmt -30", { stdin: prose }],
  ["fmt -s -w 50", { stdin: prose }],
  ["fmt -u", { stdin: "a   b\nc    d\n" }],
  ["fmt missing"],
  ["pr -t -2", { stdin: "1\n2\n3\n4\n5\n" }],
  ["pr -t -3 -a", { stdin: "1\n2\n3\n4\n5\n" }],
  ["pr -m -t a b", { files: { a: "1\n2\n", b: "x\ny\nz\n" } }],
  ["pr -h title a", { files: { a: "1\n2\n" } }],
  ["pr -l 20 a", { files: { a: "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n" } }],
  ["pr -n -t", { stdin: "a\nb\n" }],
  ["pr -d -t", { stdin: "a\nb\n" }],
  ["tsort", { stdin: "a b\nb c\na c\n" }],
  ["tsort", { stdin: "a b c\n" }],
  ["tsort", { stdin: "a b\nb a\n" }],
  ["tsort", { stdin: "3 8\n3 10\n5 11\n7 8\n7 11\n8 9\n11 2\n11 9\n11 10\n" }],
  ["csplit f 3", { files: { f: before } }],
  ["csplit f /four/ /six/", { files: { f: before } }],
  ["csplit -f part -n 3 f /four/+1", { files: { f: before } }],
  ["csplit f '%three%' /six/", { files: { f: before } }],
  ["csplit -z f /t/ '{*}'", { files: { f: before } }],
  ["csplit f /none/", { files: { f: before } }],
  ["csplit -s f 2 '{2}'", { files: { f: before } }],
  ["unlink f", { files: { f: "x" } }],
  ["unlink missing"],
  ["unlink"],
  ["shred -u f", { files: { f: "x" } }],
  ["shred missing", { stderr: false }],
]);

compare("strings, b2sum, basenc, getopt", [
  ["strings f", { files: { f: "\0\x01hello\0wor\0world!\xff\xffabcd" } }],
  ["strings -n 3 f", { files: { f: "\0\x01hello\0wor\0" } }],
  ["strings -t x f", { files: { f: "\0\x01hello\0world\0" } }],
  ["strings -t d -f f", { files: { f: "\0\x01hello\0world\0" } }],
  ["b2sum f", { files: { f: "x" } }],
  ["b2sum", { stdin: "" }],
  ["basenc --base16", { stdin: "hello" }],
  ["basenc --base16 -d", { stdin: "68656C6C6F" }],
  ["basenc --base64url", { stdin: "\xff\xfe\xfd??>" }],
  ["basenc --base64url -d", { stdin: "__79Pz8-" }],
  ["basenc --base32hex", { stdin: "hello" }],
  ["basenc --base2msbf", { stdin: "a" }],
  ["basenc --base2lsbf", { stdin: "a" }],
  ["basenc", { stdin: "" }],
  ["getopt -o ab:c:: --long alpha,beta:,gamma:: -- -a -b x -cy --alpha --beta=1 z"],
  ["getopt -o a -- -x"],
  ["getopt -o a: -- -a"],
  ["getopt -o a -l long,longer -- --lon"],
  ['getopt -n prog -o a -- "it\'s" -a'],
  ["getopt ab: -a -b x y"],
  ["getopt -T"],
  ["getopt -q -o a -- -x"],
]);

compare("bc", [
  ["bc", { stdin: "1+2*3\n2^100\n7/2\nscale=5;7/2\n-7%3\n" }],
  ["bc", { stdin: "scale=20\n1/3\nsqrt(2)\n.5+.25\n10^-3\n" }],
  ["bc -l", { stdin: "s(1)\nc(1)\na(1)*4\ne(1)\nl(10)\nj(0,1)\n" }],
  ["bc -l", { stdin: "scale=50\n4*a(1)\ne(2.5)\nl(0.5)\ns(10)\n" }],
  ["bc", { stdin: "ibase=16\nFF\nobase=2\nA\n" }],
  ["bc", { stdin: "obase=16\n255\n4096.5\n" }],
  ["bc", { stdin: "define f(n){if(n<2)return(1);return(n*f(n-1))}\nf(20)\nf(50)\n" }],
  ["bc", { stdin: 'for(i=0;i<3;i++){print i," "}\nprint "x\\n"\n' }],
  ["bc", { stdin: "a=5;b=a++;a;b;a+=2;a\nx[2]=7;x[2];x[3]\n(a=3)\n" }],
  ["bc", { stdin: "i=0\nwhile(i<5){i=i+1;if(i==3)continue;if(i==5)break;i}\n" }],
  ["bc", { stdin: "1==1;1>2;!0;1&&0;1||0\nlength(12.345);scale(1.25)\n" }],
  ["bc", { stdin: "1/0\n2+2\n", stderr: false }],
  ["bc", { stdin: "1+\n2+2\n", stderr: false }],
  ["bc", { stdin: '2^300\n/* a comment */ 5 # another\n"text"\n' }],
  ["bc", { stdin: "define f(a[]){a[0]=9;return(a[0])}\nb[0]=1\nf(b[])\nb[0]\nquit\n5\n" }],
  ["bc", { stdin: "-2^2\n2^3^2\n10%4\nscale=2\n10.5%3\n-.5\n0.0\n" }],
  // What `limits` says is what holds.
  [
    "bc",
    {
      stdin: "limits\nscale=100001;scale\nobase=1000000001;o=obase;obase=10;o\n",
      expect: {
        stdout:
          "BC_BASE_MAX     = 1000000000\nBC_DIM_MAX      = 16777215\nBC_SCALE_MAX    = 100000\nBC_STRING_MAX   = 536870888\n100000\n1000000000\n",
      },
    },
  ],
  ["bc", { stdin: "a[16777215]=4;a[16777215]\na[16777216]=4\na[-1]=4\n", stderr: false }],
]);

compare("file", [
  [
    "file a b c d e",
    { files: { a: "text\n", b: "", c: "#!/bin/sh\necho\n", d: { dir: true }, e: { link: "a" } } },
  ],
  [
    "file -b --mime-type a b c",
    {
      files: {
        a: "text\n",
        b: '{"a": 1}\n',
        c: "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x02\x08\x02\0\0\0",
      },
    },
  ],
  ["file -i a", { files: { a: "t\xc3\xa9xt\n" } }],
  ["file a", { files: { a: "t\xc3\xa9xt\n" } }],
  ["file a", { files: { a: "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x02\x08\x02\0\0\0" } }],
  ["file a", { files: { a: "no newline" } }],
  ["file a", { files: { a: "one\r\ntwo\r\n" } }],
  ["file a", { files: { a: "\0\x01\x02\x03junk" } }],
  ["file a", { files: { a: "%PDF-1.4\n%\xe2\xe3\n" }, stderr: false }],
  ["file missing"],
  ["file -b -", { stdin: "text\n" }],
]);

const sides = {
  files: {
    a: "1\n2\n3\nsame\n\ttabbed\nlong line that does not fit into half of the width at all\n",
    b: "1\n2x\n3\nsame\n\ttabbed\n4\nnew\n",
    noeol: "1\n2\n3",
    wide: "1\n\u00e9\n",
  },
};
compare("diff side by side", [
  ["diff -y a b", sides],
  ["diff -y -W 20 a b", sides],
  ["diff -y -W 41 -t a b", sides],
  ["diff -y a a", sides],
  ["diff -y --suppress-common-lines a b", sides],
  ["diff -y --left-column a b", sides],
  ["diff -y a noeol", sides],
  ["diff -yq a b", sides],
]);

const jq = (filter, stdout, { stdin = "null", status = 0, stderr = "" } = {}) => [
  ["jq", "-c", filter],
  { stdin, expect: { stdout, status, stderr } },
];
compare("jq: types, streams and mathematics", [
  jq("ascii_downcase", "", {
    stdin: "1",
    status: 5,
    stderr: "jq: error (at <stdin>:0): ascii_downcase input must be a string\n",
  }),
  jq("explode", "", {
    stdin: "1",
    status: 5,
    stderr: "jq: error (at <stdin>:0): explode input must be a string\n",
  }),
  jq("[1114112] | implode", '"\xef\xbf\xbd"\n'),
  jq("delpaths(1)", "", {
    status: 5,
    stderr: "jq: error (at <stdin>:0): Paths must be specified as an array\n",
  }),
  jq('try (1 | range("a")) catch .', '"Range bounds must be numeric"\n'),
  jq("[tostream] | fromstream(.[])", '{"a":[1,{"b":2}]}\n', { stdin: '{"a":[1,{"b":2}]}' }),
  jq("[1 | truncate_stream([[0],1],[[1,0],2],[[1,0]],[[1]])]", "[[[0],2],[[0]]]\n"),
  jq("bsearch(2), bsearch(0)", "1\n-1\n", { stdin: "[1,2,3]" }),
  jq("10 | frexp", "[0.625,4]\n"),
  jq("[2.5, 3.5, 0.5] | map(rint)", "[2,4,0]\n"),
  jq("@base32d", '"a"\n', { stdin: '"ME======"' }),
  [
    ["jq", "-c", "--stream", "."],
    {
      stdin: '{"a":[1,{"b":2}],"c":[]}',
      expect: {
        stdout: '[["a",0],1]\n[["a",1,"b"],2]\n[["a",1,"b"]]\n[["a",1]]\n[["c"],[]]\n[["c"]]\n',
      },
    },
  ],
  [["jq", "--seq", "-c", "."], { stdin: "1", expect: { stdout: "\x1e1\n" } }],
]);

const awk = (program, stdout, options = {}) => [
  ["awk", program, ...(options.args ?? [])],
  {
    stdin: options.stdin ?? "",
    files: options.files,
    expect: { stdout, status: options.status ?? 0, stderr: options.stderr ?? "" },
  },
];
const files = { one: "a\nb\n", two: "c\n" };
compare("awk: what gawk has", [
  awk(
    'BEGINFILE { print "<" FILENAME } ENDFILE { print FNR ">" } { print }',
    "<one\na\nb\n2>\n<two\nc\n1>\n",
    { files, args: ["one", "two"] },
  ),
  awk('BEGINFILE { if (FILENAME == "one") nextfile } 1', "c\n", { files, args: ["one", "two"] }),
  awk(
    'BEGIN { PROCINFO["sorted_in"] = "@ind_num_desc"; a[9]; a[10]; a[1]; for (k in a) printf "%s ", k }',
    "10 9 1 ",
  ),
  awk(
    'BEGIN { PROCINFO["sorted_in"] = "@val_str_asc"; a["x"] = "b"; a["y"] = "a"; for (k in a) printf "%s ", k }',
    "y x ",
  ),
  awk(
    'function by(i, v, j, w) { return w - v } BEGIN { PROCINFO["sorted_in"] = "by"; a["x"] = 1; a["y"] = 2; for (k in a) printf "%s ", k }',
    "y x ",
  ),
  awk("BEGIN { IGNORECASE = 1 } /ABC/", "xabcx\n", { stdin: "xabcx\ny\n" }),
  awk('BEGIN { FPAT = "([^,]*)|(\\"[^\\"]+\\")" } { print NF, $2 }', '3 "b,c"\n', {
    stdin: 'a,"b,c",d\n',
  }),
  awk(
    '{ switch ($1) { case 1: print "one"; break; case "two": print "two"; case /^x/: print "x or fallen"; break; default: print "other" } }',
    "one\ntwo\nx or fallen\nx or fallen\nother\n",
    { stdin: "1\ntwo\nxyz\n9\n" },
  ),
  awk("{ n = patsplit($0, a, /[0-9]+/); print n, a[2] }", "2 34\n", { stdin: "a12b34\n" }),
  awk(
    '{ b[1]; print typeof($1), typeof(u), typeof(b), typeof("x"), typeof(1), isarray(b) }',
    "strnum untyped array string number 1\n",
    { stdin: "5\n" },
  ),
  awk(
    'BEGIN { print gensub(/(a)(b)/, "\\\\2\\\\1", "g", "abab"), strftime("%Y", 0, 1) }',
    "baba 1970\n",
  ),
  awk('BEGIN { "date" |& getline x }', "", {
    status: 2,
    stderr:
      "awk: line 1: |& is not supported here: write to a file, or read a command with getline\n",
  }),
]);
