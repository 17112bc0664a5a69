// Characters in a UTF-8 locale, bytes in the C locale, and stray bytes that pass through. What GNU's tools
// say is recorded (RECORD=1 asks them anew); where theirs work on bytes in any locale, POSIX says what is right.
// scripts/fuzz-text.mjs compares over random text.
import { compare, recorded } from "./harness.mjs";

const latin = (text) => Buffer.from(text, "utf8").toString("latin1");
const wide = { LANG: "C.UTF-8", LC_ALL: "C.UTF-8" };
const narrow = { LANG: "C", LC_ALL: "C" };
const samples = latin("tést\n日本語 x\nnaïve café\nÄ ü ß Σσς\n😀 a\u0301!\nЖжук 9\n\n");
const broken = "a\xffb\xc3\n\xe6\x97x\n";

const lines = [
  "grep -o .",
  "grep -o 't.st'",
  "grep -oE '\\w+'",
  "grep -oE '\\W'",
  "grep -i ä",
  "grep -i 'σ'",
  "grep -oi '[жÉ]'",
  "grep -c '[é]'",
  "grep -o '[^a-z]'",
  "grep -oE '[[:alpha:]]+'",
  "grep -oE '[[:upper:]]'",
  "grep -oE '[[:lower:]]'",
  "grep -oE '[[:punct:]]'",
  "grep -ow 'ü'",
  "grep -x '.....'",
  "grep -oE '\\b.'",
  "grep -oF é",
  "grep -b -o é",
  "grep -vE '^.{5}'",
  "grep -oE '(日|日本)'",
  "grep -oE '(.)\\1'",
  "sed 's/./&-/g'",
  "sed 's/t.s/X/'",
  "sed 's/[^é]/x/g'",
  "sed 'y/éж日/e本z/'",
  "sed 's/.*/\\U&/'",
  "sed 's/.*/\\L&/'",
  "sed 's/\\w\\+/\\u&/g'",
  "sed 's/\\(.\\)\\(.\\)/\\2\\1/'",
  "sed -E 's/.{2}/<&>/2'",
  "sed 's/Ä/x/I'",
  "sed -n l",
  "sed -E 's/\\b/|/g'",
  "wc",
  "wc -m",
  "wc -w",
  "wc -L",
  "rev",
  "sort",
  "uniq -c",
  "cut -b 1-2",
];

const table = [];
for (const line of lines) {
  table.push([line, { stdin: samples, env: wide, stderr: false }]);
  // GNU's sed and rev do not come through non-ASCII in the C locale.
  if (!/\\[UL]|rev/.test(line)) table.push([line, { stdin: samples, env: narrow, stderr: false }]);
}
compare("text in UTF-8 and in bytes", recorded("utf8", table));

compare("stray bytes pass through", [
  ["sed 's/a/x/'", { stdin: broken, env: wide, expect: { stdout: "x\xffb\xc3\n\xe6\x97x\n" } }],
  ["sed 's/./-/g'", { stdin: broken, env: wide, expect: { stdout: "-\xff-\xc3\n\xe6\x97-\n" } }],
  ["cat", { stdin: broken, env: wide, expect: { stdout: broken } }],
  ["cut -c 2-3", { stdin: broken, env: wide, expect: { stdout: "\xffb\n\x97x\n" } }],
  ["rev", { stdin: broken, env: wide, expect: { stdout: "\xc3b\xffa\nx\x97\xe6\n" } }],
  ["tr a-z A-Z", { stdin: broken, env: wide, expect: { stdout: "A\xffB\xc3\n\xe6\x97X\n" } }],
  ["tr -d '\\377'", { stdin: broken, env: wide, expect: { stdout: "ab\xc3\n\xe6\x97x\n" } }],
  [
    "awk '{ print substr($0, 2, 2), length }'",
    {
      stdin: broken,
      env: wide,
      expect: { stdout: "\xffb 4\n\x97x 3\n" },
    },
  ],
  ["wc -m", { stdin: broken, env: wide, expect: { stdout: "5\n" } }],
  ["grep -c b", { stdin: broken, env: wide, expect: { stdout: "1\n" } }],
  [
    "grep b",
    {
      stdin: `b\n${broken}b\n`,
      env: wide,
      expect: { stdout: "b\n", stderr: "grep: (standard input): binary file matches\n" },
    },
  ],
  ["grep -a b", { stdin: broken, env: wide, expect: { stdout: "a\xffb\xc3\n" } }],
]);

const answers = (line, stdin, stdout, env = wide) => [
  line,
  { stdin: latin(stdin), env, expect: { stdout: latin(stdout) } },
];
compare("characters where GNU's tools take bytes", [
  answers("cut -c 2-3", "tést\n日本語\n", "és\n本語\n"),
  answers("cut -c 2-", "é\n", "\n"),
  answers("cut -d é -f 2", "aébéc\n", "b\n"),
  answers("cut --complement -c 1", "日本\n", "本\n"),
  answers("tr é e", "ééx\n", "eex\n"),
  answers("tr -d 日", "日本\n", "本\n"),
  answers("tr -s 日", "日日本\n", "日本\n"),
  answers("tr а-я А-Я", "жук\n", "ЖУК\n"),
  answers("tr '[:lower:]' '[:upper:]'", "éжß\n", "ÉЖß\n"),
  answers("tr -dc '[:alpha:]'", "é1ж-\n", "éж"),
  answers("tr -c '[:alnum:]' '_'", "é-ж", "é_ж"),
  answers("tr e é", "ee\n", "éé\n"),
  answers("fold -w 2", "ééé\n日本\n", "éé\né\n日\n本\n"),
  answers("printf '%5s|%-3s|%.1s|%c\\n' é 日 日本 ñ", "", "    é|日  |日|ñ\n"),
  answers("printf '%d\\n' \"'é\"", "", "233\n"),
  answers("expr length 日本", "", "2\n"),
  answers("expr substr 日本語 2 1", "", "本\n"),
  answers("expr index 日本 本", "", "2\n"),
  answers("expr 日本語 : 日.", "", "2\n"),
]);

compare("awk on characters, as gawk", [
  answers(
    "awk '{ print length, substr($0, 2, 2), index($0, \"t\"), toupper($0) }'",
    "tést\n",
    "4 és 1 TÉST\n",
  ),
  answers("awk '{ print match($0, /本+/), RSTART, RLENGTH }'", "日本本\n", "2 2 2\n"),
  answers("awk '{ n = split($0, a, \"\"); print n, a[2] }'", "日本\n", "2 本\n"),
  answers(
    'awk \'BEGIN { printf "%c%c|%3s|%-3s|%.1s\\n", 233, "éa", "é", "日", "日本" }\'',
    "",
    "éé|  é|日  |日\n",
  ),
  answers("awk '{ gsub(/./, \"<&>\"); print }'", "é日\n", "<é><日>\n"),
  answers("awk '{ gsub(/x*/, \"-\"); print }'", "é日\n", "-é-日-\n"),
  answers("awk -F é '{ print $2 }'", "aébéc\n", "b\n"),
  answers("awk 'BEGIN { IGNORECASE = 0; print tolower(\"ÉЖ\") }'", "", "éж\n"),
  answers("awk '{ print length }'", "tést\n", "5\n", narrow),
]);
