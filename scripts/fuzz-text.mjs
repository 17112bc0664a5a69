// Compares the text commands with the machine's own over random UTF-8, valid and broken, in a UTF-8 and in
// the C locale. A tool for people who change src/userland/support: it needs the GNU tools, the suite does not.
//   node scripts/fuzz-text.mjs [rounds] [seed]
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Random } from "../tests/fuzz/random.mjs";
import { environment, runOurs, split } from "../tests/userland/commands/harness.mjs";

const rounds = Number(process.argv[2] ?? 20);
const seed = Number(process.argv[3] ?? Date.now() % 1e6);
console.log(`seed ${seed}`);

/** The same inputs for the same seed. */
const chance = new Random(seed);
const random = (below) => chance.below(below);
const pick = (list) => chance.pick(list);
const alphabet = [
  ..."abcXYZ019_ .-\t",
  ..."éÉßñÑжЖΣσäÄÿ",
  ..."日本語한あ",
  "😀",
  "e\u0301",
  "\u3000",
  "\u00a0",
];
const stray = [
  Buffer.of(0xff),
  Buffer.of(0xc3),
  Buffer.of(0xe6, 0x97),
  Buffer.of(0x80),
  Buffer.of(0xed, 0xa0, 0x80),
];

function line(broken) {
  const parts = Array.from({ length: random(12) }, () =>
    broken && random(6) === 0 ? pick(stray) : Buffer.from(pick(alphabet)),
  );
  return Buffer.concat([...parts, Buffer.from("\n")]);
}

const commands = [
  "grep -o .",
  "grep -oE '\\w+'",
  "grep -oE '\\W+'",
  "grep -c '[é]'",
  "grep -i 'É'",
  "grep -oi '[жσ]'",
  "grep -oE '[[:alpha:]]+'",
  "grep -oE '[[:upper:]]'",
  "grep -oE '[[:lower:]]+'",
  "grep -oE '[[:space:]]'",
  "grep -oE '[[:punct:]]'",
  "grep -oE '[^a-z]'",
  "grep -ow 'é'",
  "grep -x '..'",
  "grep -oE '(日|本)+'",
  "grep -vE '^.{3}'",
  "grep -oE '(.)\\1'",
  "grep -oF é",
  "sed 's/./&-/g'",
  "sed 's/[^é]/x/g'",
  "sed 's/\\w\\+/\\u&/g'",
  "sed 's/\\(.\\)\\(.\\)/\\2\\1/'",
  "sed 's/É/x/Ig'",
  "sed -E 's/.{2}/<&>/2'",
  "sed -n '/[[:upper:]]/p'",
  "wc -m",
  "wc -w",
  "wc -L",
  "wc",
  "uniq -c",
  "sort",
  "sort -f",
  "expand -t4",
  "nl -b pé",
  "cut -b 1-3",
];
/** Not on stray bytes, where GNU's own do not agree with each other, nor in the C locale. */
const validOnly = [
  "rev",
  "sed 's/\\</</g'",
  "sed 'y/éж日/e本z/'",
  "grep -oE '\\b.'",
  "sed -E 's/\\b/|/g'",
  "sed 's/.*/\\U&/'",
  "sed 's/.*/\\L&/'",
];
/** Where GNU's own work on bytes whatever the locale, only the C locale is compared. */
const bytesOnly = [
  "cut -c 2-3",
  "tr a-zé A-ZÉ",
  "tr -d é",
  "tr -s '[:alpha:]'",
  "fold -w 3",
  "fold -sw 4",
];

const folder = mkdtempSync(join(tmpdir(), "fuzz-"));
let failures = 0;
let count = 0;
for (let round = 0; round < rounds; round++) {
  const cases = [];
  for (const locale of ["C.UTF-8", "C"]) {
    const more = locale === "C" ? bytesOnly : round % 2 === 0 ? validOnly : [];
    for (const command of [...commands, ...more]) {
      const input = Buffer.concat(
        Array.from({ length: 1 + random(4) }, () => line(round % 2 === 1)),
      );
      cases.push({
        argv: split(command),
        cwd: folder,
        stdin: input.toString("latin1"),
        env: { LANG: locale, LC_ALL: locale },
      });
    }
  }
  const results = runOurs(cases);
  cases.forEach((each, at) => {
    const [tool, ...args] = each.argv;
    const real = spawnSync(tool, args, {
      input: Buffer.from(each.stdin, "latin1"),
      env: { ...environment, ...each.env },
    });
    if (real.error?.code === "ENOENT") return;
    count++;
    const mine = results[at];
    if (mine.stdout === real.stdout.toString("latin1") && mine.status === real.status) return;
    failures++;
    console.log(
      each.env.LANG,
      JSON.stringify(each.argv),
      JSON.stringify(Buffer.from(each.stdin, "latin1").toString()),
    );
    console.log("  want", real.status, JSON.stringify(real.stdout.toString()));
    console.log(
      "  got ",
      mine.status,
      JSON.stringify(Buffer.from(mine.stdout, "latin1").toString()),
      mine.stderr,
    );
  });
}
rmSync(folder, { recursive: true });
console.log(`${count} compared, ${failures} differ`);
process.exitCode = failures === 0 ? 0 : 1;
