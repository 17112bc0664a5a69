// `git` in a machine against the host's own: the same commands with pinned dates print the same and end the same.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { NodeRuntime } from "../../../dist/index.js";

const hostGit =
  spawnSync("git", ["--version"]).status === 0 ? false : "the host has no git to compare with";

const env = {
  GIT_AUTHOR_NAME: "A",
  GIT_AUTHOR_EMAIL: "a@example.com",
  GIT_COMMITTER_NAME: "C",
  GIT_COMMITTER_EMAIL: "c@example.com",
  GIT_AUTHOR_DATE: "1700000000 +0100",
  GIT_COMMITTER_DATE: "1700000000 -0330",
};

/** Each block runs in one fresh repository; every command's output and exit code are compared. */
const blocks = {
  "add, status, commit": [
    "git status",
    "git status -s",
    "git log",
    "git commit -m none",
    "echo one > a; mkdir d; echo two > d/b; echo '*.o' > .gitignore; echo x > x.o",
    "git status",
    "git status --porcelain",
    "git add a",
    "git status",
    "git add nothere",
    "git add x.o 2>/dev/null",
    "git add .; git status -s",
    "git ls-files",
    "git commit -m 'first one'  >/dev/null; git log",
    "git status",
    "git rev-parse HEAD",
    "git rev-parse --abbrev-ref HEAD",
    "git cat-file -p HEAD",
    "git cat-file -t HEAD",
    "echo more >> a; rm d/b; echo new > n; git status",
    "git commit -qam second; git log --oneline; git status -s",
    "git log --format='%h|%an|%s|%ad' -1",
    "git show nothing",
  ],
  "diff and show": [
    "seq 1 20 > a; printf 'no end' > b; git add .; git commit -qm one",
    "sed -i 's/^7$/seven/; s/^18$/eighteen/' a; printf 'no end\\nmore' > b; git diff",
    "git diff --name-only",
    "git diff --name-status",
    "git diff --quiet",
    "git add a; git diff --cached",
    "git diff -- a",
    "git diff HEAD",
    "git commit -qm two; git show",
    "git show HEAD~1:b",
    "git diff HEAD~1 HEAD",
    "git diff HEAD~1..HEAD --name-status",
    "git restore b; git status -s",
    "rm a; git diff; git checkout -- a; git status -s",
  ],
  "branches and merges": [
    "echo base > a; git add a; git commit -qm base",
    "git branch",
    "git checkout -b topic 2>&1",
    "echo t > t; git add t; git commit -qm topic",
    "git switch -q master; cat t 2>&1",
    "git branch topic",
    "git switch nowhere",
    "git merge -q topic >/dev/null; git log --oneline",
    "git branch -d topic",
    "git checkout -q -b left; echo left > a; git commit -qam left; git checkout -q master; echo m > m; git add m; git commit -qm m",
    "git merge -q left -m merged > /dev/null; git log -1 --format='%s %p'; cat a; git status -s",
    "git tag v1; git tag -a v2 -m two; git tag; git tag v1",
    "git reset -q --hard HEAD~1; git log --oneline; git status -s",
    "echo z > z; git add z; git reset -q z; git status -s",
    "git unheard-of 2>/dev/null",
  ],
  conflicts: [
    "echo base > a; echo b > b; git add .; git commit -qm base",
    "git checkout -q -b left; echo left > a; git commit -qam left",
    "git checkout -q master; echo right > a; git commit -qam right",
    "git merge left; cat .git/MERGE_HEAD",
    "grep -c '^[<=>]' a; cat b",
    "git merge left >/dev/null 2>&1",
    "git commit -qm early >/dev/null 2>&1; git log --oneline",
    "git merge --abort; git status -s; cat a; ls .git/MERGE_HEAD 2>/dev/null",
    "git merge --abort",
    "git merge -q left >/dev/null; echo both > a; git add a; git commit -q -m 'merged by hand'",
    "git log -1 --format='%s %p'; git status -s; cat a; ls .git/MERGE_HEAD 2>/dev/null",
  ],
  lists: [
    "echo a > a; git add a; git commit -qm a; git tag v1; git tag v2; git tag w1; git branch topic",
    "git tag -l 'v*'; git tag -l x; git tag",
    "git checkout -q --detach topic; git rev-parse --abbrev-ref HEAD; git checkout -q master",
    "git branch --list 't*'; git branch --list nothing; git branch",
  ],
  "rm, remote, config": [
    "echo a > a; echo b > b; git add .; git commit -qm one",
    "git rm a; git status -s",
    "git rm --cached b; git status -s",
    "git rm nothere",
    "git remote add origin http://example.com/x.git; git remote -v; git remote add origin http://e; git remote",
    "git config user.name Someone; git config user.name",
    "git config no.such",
  ],
};

describe("git as the host's", { skip: hostGit }, () => {
  let rt;
  let folder;
  before(async () => {
    rt = await NodeRuntime.create();
    folder = mkdtempSync(join(tmpdir(), "git-command-"));
  });
  after(async () => {
    await rt.dispose();
    rmSync(folder, { recursive: true, force: true });
  });

  for (const [name, lines] of Object.entries(blocks)) {
    test(name, async () => {
      const dir = name.replace(/\W+/g, "-");
      const script = [
        `mkdir -p ${dir}; cd ${dir}; git init -q -b master`,
        ...lines.map((line, at) => `echo '## ${at}'; { ${line}; } 2>&1; echo "= $?"`),
      ].join("\n");
      const want = spawnSync("bash", ["-c", script], {
        cwd: folder,
        encoding: "utf8",
        env: {
          ...env,
          PATH: process.env.PATH,
          HOME: folder,
          GIT_CONFIG_NOSYSTEM: "1",
          GIT_ADVICE: "0",
        },
      });
      const got = await rt.execCommand("bash", ["-c", script], { cwd: "/tmp", env });
      const steps = (text) =>
        text.split(/^## \d+\n/m).map((step, at) => [lines[at - 1] ?? "", step]);
      const [ours, theirs] = [steps(got.stdout), steps(want.stdout)];
      for (const [at, step] of theirs.entries()) assert.deepEqual(ours[at], step);
      assert.equal(ours.length, lines.length + 1);
    });
  }
});
