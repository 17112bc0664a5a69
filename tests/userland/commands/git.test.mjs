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
  "reflog, and what was before": [
    "git symbolic-ref HEAD refs/heads/main; echo 1 > f; git add .; git commit -qm one; git branch side; echo 2 >> f; git commit -qam two",
    "git checkout -q side; echo s > g; git add g; git commit -qm side; git checkout -q main",
    "git merge -q --no-edit side; git reflog; git reflog -n 2 --format='%gd %gs %h'",
    "git rev-parse HEAD@{1} main@{0} @{1} @{-1}; git reset -q --hard HEAD@{1}; git log --oneline -1",
    "git checkout -q -b new; git commit -q --amend -m two2; git reflog -3; git reflog show side; git reflog new",
    "git checkout -q -; git branch --show-current; git cherry-pick side > /dev/null; git revert --no-edit HEAD > /dev/null",
    "git reflog -3; git rev-parse HEAD@{99} 2> /dev/null; cat .git/logs/HEAD | cut -d ' ' -f 1-5",
    "git checkout -q -b t HEAD~1; echo 3 > h; git add h; git commit -qm three; git rebase main > /dev/null 2>&1; git reflog -4; git reflog t",
  ],
  "format-patch and archive": [
    "mkdir d; echo 1 > d/f; ln -s f d/l; echo x > x; chmod +x x; git add .; git commit -qm one; echo 2 >> d/f",
    "git commit -qam \"$(printf 'a long subject that goes on and on until it has to be folded over two lines of a mail\n\nbody of it\nmore')\"",
    "git mv x y; git commit -qam 'Ünï: rename, a.b'; echo n > new; git add new; git commit -qm 'add new'",
    "git format-patch -1; git format-patch -3 -o out; cat out/* | sed '/^2[.]/d'; git format-patch HEAD~2..HEAD~1 --stdout | head -n 5; git format-patch",
    "git archive HEAD | tar tf -; git archive HEAD | tar xOf - d/f; git archive --prefix=p/ HEAD d | tar tf -; git archive -o o.tgz HEAD; tar tzf o.tgz | wc -l",
    "git archive HEAD nofile; git archive HEAD:d | tar tf -; git archive -v HEAD y 2>&1 > /dev/null; git archive nosuch",
  ],
  "add, status, commit": [
    "git status",
    "git status -s",
    "git log",
    "git commit -m none",
    "echo one > a; mkdir d; echo two > d/b; echo '*.o' > .gitignore; echo x > x.o",
    "git status",
    "git status --porcelain",
    "git status --porcelain -z; git status -z -b",
    "git rev-parse --verify -q HEAD",
    "git rev-parse --show-prefix --show-cdup; (cd d; git rev-parse --show-prefix --show-cdup --is-bare-repository)",
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
    "git rev-parse --verify -q none; echo $?; git rev-parse --verify none",
  ],
  "moved files, folders below, aliases": [
    "mkdir d; echo 1 > d/a; echo 2 > b; git add .; git commit -qm x; git mv d/a d/c; git mv b e; git status; git status -s",
    "git status --porcelain -z | tr '\\0' '|'; git status --porcelain",
    "(cd d; git status; touch new ../new2; git status -s; git status --porcelain; git status)",
    "git commit -qm mv; git config alias.st 'status -s'; git config alias.lg \"log --format='%s x'\"; git st; git lg",
    "git shortlog -sn HEAD; git shortlog HEAD; git log -S2 --format=%s; git log --stat -1 --format=; git log --oneline --format=%s",
    "git checkout HEAD~1; git checkout -q master; git notacommand 2>/dev/null; echo $?",
  ],
  "a merge with conflicts": [
    "printf '1\\n2\\n3\\n' > f; echo k > k; git add .; git commit -qm a; git checkout -qb x; sed -i s/2/X/ f; git rm -q k; echo n > n; git add n; git commit -qam x",
    "git checkout -q master; sed -i s/2/M/ f; echo kk > k; git commit -qam m; git merge x; cat f",
    "git status; git status -s; git diff --name-only --diff-filter=U; git merge x",
    "git commit -m no; echo R > f; git add f; git status; git rm -q k; git status; git commit -qm merged; git status",
    "git log -1 --format='%s %p' | wc -w; git merge x",
    "git checkout -q -b y HEAD~1; git merge -q -X theirs x -m xx; git reset -q --hard HEAD; git status -s",
    "git checkout -q -b z master; echo z >> f; git commit -qam z; git checkout -q master; echo q > q; git add q; git commit -qm q; git merge z -m both; git log -1 --format=%s",
  ],
  "repositories in folders": [
    "(git init -q --bare -b main r.git; git clone r.git a; cd a; git remote set-url origin ../r.git; git status; echo 1 > f; git add f; git commit -qm one; git push -u origin main; git status -sb; git status)",
    "(git clone -q r.git b; cd b; git remote set-url origin ../r.git; git log --format=%s; echo 2 >> f; git commit -qam two; git status; git push; git push)",
    "(cd a; git fetch; git status; git pull -q; cat f; git tag v1; git push origin v1; git push --tags; echo x > g; git add g; git commit -qm three)",
    "(cd b; echo y > h; git add h; git commit -qm four; git push -q; cd ../a; git push; git fetch -q; git push; git status; git branch -r)",
    "(cd a; git pull -q --no-rebase --no-edit; git log --format=%s | sort; git push -q; git push origin main:other; git push origin :other; git push origin --delete nope; git remote show)",
    "(git clone -q --bare a d.git; git clone -q nosuch e 2>&1; git clone -q d.git f; git -C f log --format=%s -1)",
    "(git clone -q a c; git -C c remote set-url origin ../a; echo z > c/z; git -C c add z; git -C c commit -qm z; git -C c push 2>&1 | grep rejected; git -C c push -q origin HEAD:side; git -C a branch)",
  ],
  "diff and show": [
    "seq 1 20 > a; printf 'no end' > b; git add .; git commit -qm one",
    "sed -i 's/^7$/seven/; s/^18$/eighteen/' a; printf 'no end\\nmore' > b; git diff",
    "git diff --name-only",
    "git diff --name-only -z; git diff --name-status -z",
    "git diff --name-only --diff-filter=A; git diff --name-only --diff-filter=ACMR; git diff --name-status --diff-filter=m",
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
  "what a commit changed": [
    "seq 30 > a; echo b > b; printf 'x\\0y' > bin; mkdir d; echo deep > d/file; git add .; git commit -m first",
    "sed -i '3d;9s/.*/nine/' a; rm b; chmod +x d/file; printf 'x\\0yz' > bin; echo new > n; git add -A; git commit -m second",
    "git show --stat; git show --numstat --format=%s; git show --shortstat --format=%s; git show --summary --format=%s",
    "git mv d/file d/other; git mv n moved; git commit -m moves; git show --stat --format=%s; git show --format=%s; git show --name-status --format=%s",
    "git log --stat --format=%s; git log --oneline --name-only; git log -p -1 --format=%h; git log --shortstat --oneline",
    "git diff --stat HEAD~2 HEAD; git diff --numstat HEAD~2; git diff HEAD~1...HEAD --name-status; git diff --shortstat HEAD~1",
    "seq 300 > a; git diff --stat; git diff --stat --summary -- a; mkdir -p very/long/directory/names/that/do/not/fit/into/the/line/of/eighty; echo 1 > very/long/directory/names/that/do/not/fit/into/the/line/of/eighty/columns; git add .; git diff --cached --stat",
    "git commit -qm third; git log --reverse --format=%s; git log --skip 1 -1 --format=%s; git log --format=%s -- a; git log --format=%s HEAD~2..HEAD; git log --author=nobody; git log --grep=sec --format=%s; git log --abbrev-commit -1",
    "git rev-list --count HEAD; git rev-list HEAD~2..HEAD | wc -l; git ls-tree -r HEAD --name-only; git ls-tree HEAD d; git merge-base HEAD HEAD~1",
    "git commit --amend -m 'third, again'; git commit --allow-empty -m nothing",
    "git tag -a v1 HEAD~2 -m one; git describe; git tag light; git describe --tags; git describe --always HEAD~3; git describe HEAD~3",
  ],
  blame: [
    "seq 5 > f; git add f; git commit -qm one; sed -i '2s/.*/two/' f; GIT_AUTHOR_NAME='Somebody Else' GIT_AUTHOR_DATE='1700001000 +0000' git commit -qam two",
    "sed -i '1i zero' f; echo end >> f; GIT_AUTHOR_DATE='1700002000 -0500' git commit -qam three; git blame f",
    "git blame -L 2,4 f; git blame -L 3,+2 -s f; git blame -e f; git blame HEAD~1 -- f; git blame nothere",
    "git checkout -q -b side HEAD~1; echo side >> f; git commit -qam side; git checkout -q master; git merge -q side -m merged >/dev/null 2>&1; git checkout -q side -- f; git commit -qm taken; git blame f",
  ],
  stash: [
    "git stash",
    "echo a > a; echo b > b; git add .; git commit -qm first; git stash; git stash list; git stash pop",
    "echo more >> a; echo staged > c; git add c; echo other > untracked; git stash",
    "git status -s; git stash list; git stash show; git stash show -p",
    "git stash pop; git diff; git status -s",
    "git stash push -m 'with words'; echo x >> b; git stash -q; git stash list; git stash drop stash@{1}; git stash list",
    "git stash apply; git status -s; git stash drop; git stash drop",
    "git checkout -q b; git stash -u; git status -s; ls; git stash pop >/dev/null; git status -s; cat untracked",
    "echo one > a; git stash -q; echo two > a; git stash pop; git commit -qam two; git stash pop > ../popped; echo $?; grep CONFLICT ../popped; grep -c '^[<=>]' a; git stash list",
    "git checkout -q HEAD -- .; git stash clear; git stash list; git stash show",
    "echo index > b; git add b; echo work > b; git stash -q; git stash pop --index; git diff --cached; git diff",
  ],
  "apply a patch": [
    "seq 20 > a; echo gone > g; git add .; git commit -qm first; sed -i '5s/.*/five/' a; git rm -q g; echo new > n; git add n a; git diff --cached > ../p; git diff --cached --stat; git reset -q --hard",
    "git apply --check ../p; git apply --stat ../p; git apply --numstat ../p; git apply --summary ../p",
    "git apply ../p; git status -s; cat n; git apply -R ../p; git status -s",
    "git apply --index ../p; git status -s; git reset -q --hard; git apply --cached ../p; git status -s; git reset -q --hard; rm -f n",
    "sed -i '1i before' a; git apply ../p; sed -n 6p a; git checkout -q a g; rm -f n",
    "sed -i '5s/.*/other/' a; git apply ../p; git status -s; ls; git checkout -q a",
    "git apply ../nothere; echo nonsense | git apply; git apply ../p; git apply ../p",
  ],
  "cherry-pick, revert, rebase": [
    "seq 9 > a; git add a; git commit -qm base; git checkout -q -b topic; sed -i '2s/.*/two/' a; git commit -qam 'change two'; sed -i '8s/.*/eight/' a; git commit -qam 'change eight'; git checkout -q master",
    "git cherry-pick topic; cat a; git log --format='%s %an'; git status -s",
    "git cherry-pick topic~1; git revert --no-edit HEAD~1; cat a; git log --format='%s%n%b'",
    "git cherry-pick -x topic 2>/dev/null; git log -1 --format=%B",
    "sed -i '2s/.*/mine/' a; git commit -qam mine; git revert HEAD~1 --no-edit >/dev/null 2>&1; git cherry-pick topic~1 2>/dev/null; cat a",
    "git cherry-pick --abort; cat a; git cherry-pick topic~1 >/dev/null 2>&1; sed -i '/^[<=>]/d; s/^mine$/both/; /^two$/d' a; git add a; git cherry-pick --continue 2>&1 >/dev/null; git log -1 --format='%s %an'; cat a",
    "git cherry-pick --continue 2>/dev/null; git revert -n HEAD; git status -s; git reset -q --hard",
    "git checkout -q -b feature topic; echo f > f; git add f; git commit -qm feature; git rebase topic; git checkout -q topic; echo t > t; git add t; git commit -qm t; git checkout -q feature; git rebase topic 2>/dev/null; git log --format=%s; git status -s; git rev-parse --abbrev-ref HEAD",
    "git rebase master >/dev/null 2>&1; git rebase --abort; git log --format=%s; git rev-parse --abbrev-ref HEAD; git status -s",
    "git rebase --continue",
  ],
  "clean and merge": [
    "echo a > a; echo '*.o' > .gitignore; git add .; git commit -qm a; touch u x.o; mkdir d; touch d/v; git clean; git clean -n; git clean -nd; git clean -fd; ls; git clean -fx; ls",
    "git checkout -q -b t; echo t > t; git add t; git commit -qm t; git checkout -q master; git merge t",
    "git checkout -q -b u HEAD~1; echo u > u; git add u; git commit -qm u; git merge t -m merged 2>&1; git log --oneline | wc -l; git log --no-merges --format=%s; git log --merges --format=%s; git log --first-parent --format=%s",
  ],
  lists: [
    "echo a > a; git add a; git commit -qm a; git tag v1; git tag v2; git tag w1; git branch topic",
    "git tag -l 'v*'; git tag -l x; git tag",
    "git checkout -q --detach topic; git rev-parse --abbrev-ref HEAD; git checkout -q master",
    "git branch --list 't*'; git branch --list nothing; git branch",
  ],
  "trees, index and commits for scripts": [
    "echo a > a; mkdir d; echo b > d/b; git add .; git write-tree",
    "git commit-tree -m by-hand $(git write-tree); echo text | git commit-tree HEAD^{tree}",
    "git update-ref refs/heads/made $(git commit-tree -m by-hand $(git write-tree)); git log --format='%h %t %s' made",
    "git symbolic-ref HEAD; git symbolic-ref --short HEAD; git symbolic-ref HEAD refs/heads/made; git status -s; git symbolic-ref -q refs/heads/made",
    "git update-ref refs/heads/made HEAD 1234567; git update-ref -d refs/heads/made nothing; git update-ref refs/heads/other HEAD; git show-ref",
    "git show-ref --verify refs/heads/nothing; git show-ref -q --verify refs/heads/other; git show-ref --heads --hash; git update-ref -d refs/heads/other; git show-ref other",
    "git hash-object a; echo x | git hash-object --stdin -w; git cat-file -p $(echo x | git hash-object --stdin)",
    "printf 'HEAD\\nHEAD:a\\nHEAD:d\\nnothing\\n' | git cat-file --batch-check; printf 'HEAD:a\\nnothing\\n' | git cat-file --batch; git cat-file -e HEAD:none 2>/dev/null",
    "git rev-parse HEAD^{tree} HEAD: HEAD:d HEAD:d/b :a HEAD^{commit} HEAD^{}; git cat-file tree HEAD^{tree} | wc -c; git cat-file -t HEAD:d",
    "echo more >> a; git diff-files; git diff-index HEAD; git diff-index --quiet HEAD; git diff-index --name-only HEAD --; git add a; git diff-index --cached HEAD; git diff-files --quiet",
    "git commit -qm two; git diff-tree -r HEAD; git diff-tree --no-commit-id --name-only -r HEAD; git diff-tree -r HEAD~1 HEAD; git diff --raw HEAD~1 HEAD",
    "git read-tree HEAD~1; git status -s; git read-tree HEAD; git status -s; rm a; git checkout-index a; git status -s; git checkout-index -f -a; git checkout-index none",
    "echo n > n; git update-index --add n; git ls-files -s; git update-index --force-remove n; git ls-files; git update-index --add --cacheinfo 100755,$(git rev-parse HEAD:a),x; git ls-files -s x; git update-index --cacheinfo 100644 $(git rev-parse HEAD:a) x; git reset -q --hard; ls",
    "git worktree list --porcelain | sed 's/^worktree .*/worktree/'; git count-objects | wc -l; git rev-parse --git-path hooks --git-common-dir --is-shallow-repository --git-dir --short=5 HEAD; (cd d; git rev-parse --git-common-dir)",
  ],
  "refs in formats, decorations and dates": [
    "echo a > a; git add .; git commit -qm 'one' -m 'body text'; git tag v1.10.0; git tag v1.9.0; git tag -a v2.0.0 -m two; git branch topic; echo b > b; git add b; git commit -qm two",
    "git for-each-ref; git for-each-ref --format='%(refname:short)|%(objectname:short)|%(objecttype)|%(subject)|%(HEAD)' --sort=-refname; git for-each-ref refs/heads --format='%(refname)' --count=1",
    "git for-each-ref --sort=-v:refname --format='%(refname:strip=2) %(creatordate:iso-strict) %(authorname)' refs/tags; git for-each-ref --points-at=v2.0.0 --format='%(refname)'; git for-each-ref 'refs/tags/v1*' --format='%(refname)'",
    "git tag --sort=v:refname; git tag --sort=-v:refname -l 'v1*'; git tag --points-at HEAD~1; git tag --merged HEAD; git tag --contains HEAD; git tag --no-merged HEAD~1",
    "git log --decorate --format='%h%d'; git log --decorate=full -1; git log --oneline --decorate; git log --format='%D|%s|%b'; git log -1 --format=format:%h; echo; git log --format=format:%h",
    "git log --date=iso --format='%ad|%cd|%ai|%cI|%as|%aD|%at'; git log --date=short; git log -1 --date=unix --format=%ad; git log -1 --date=raw --format=%cd; git log -1 --format='%x41%x00%Cred%h%Creset%C(auto)%T %aN %aE %G?' | od -c",
    "git log topic..HEAD --format=%s; git log topic...HEAD --format=%s; git log ..topic --format=%s; git log --tags --format=%s; git log -z --format=%s | od -c; git rev-list --max-parents=0 HEAD; git rev-list --count --left-right topic...HEAD; git rev-list HEAD -- b",
    "git describe --tags; git describe; git describe --tags --abbrev=0; git describe --match 'v1.9*' --tags --long; git describe --exclude 'v2*' --tags --abbrev=0; git describe --exact-match HEAD~1; git describe --abbrev=10; git describe --exact-match 2>/dev/null",
    "git branch -v; git branch --format='%(refname:short) %(objectname:short)'; git branch --contains HEAD; git branch --merged topic; git branch -a --no-color; git -c core.abbrev=40 branch -v; git -c core.abbrev=12 log --oneline",
    "git branch -u topic; git status -sb; git branch -vv; git branch -v; git rev-parse --abbrev-ref @{u}; git rev-parse --abbrev-ref master@{upstream} --symbolic-full-name @{u}; git for-each-ref --format='%(upstream:short)' refs/heads/master; git branch --unset-upstream; git rev-parse --abbrev-ref @{u}",
    "git rev-parse --symbolic-full-name HEAD topic v1.9.0; git rev-parse --abbrev-ref refs/heads/topic",
  ],
  "commits in parts": [
    "echo a > a; echo b > b; git add .; git commit -qm one; echo 2 >> a; echo 2 >> b; git add b; git commit -qm only-a a; git status -s; git show --name-only --format=%s; git commit -qm none nothing",
    "git commit -qn -m 'with author' --author='X Y <x@y.z>' --date='1600000000 +0200'; git log -1 --format='%an %ae %ad'; git commit -q --allow-empty -s -m signed; git log -1 --format=%B",
    "git log --format=%s --author=X; git merge HEAD~1 master; git fetch; git log -1 --stat=200,150; git show --stat=40 --format=%s HEAD~1",
  ],
  "stash for scripts": [
    "echo a > a; git add .; git commit -qm one; git stash create; echo b >> a; git stash create; git stash list; git diff --stat",
    "git stash store -m 'a message' $(git stash create); git stash list; git stash list -z --format='%gd|%gs|%s' | od -c; git stash store; git rev-parse stash@{0} stash@{1} 2>/dev/null",
    "git checkout -q -- a; git stash apply -q --index stash@{0}; cat a; git stash drop -q stash@{0}; git stash list",
  ],
  pathspecs: [
    "mkdir -p d/e; touch a.js b.ts d/c.js d/e/f.js .gitignore; echo '*.log' > .gitignore; touch x.log; git add .; git commit -qm one; echo 1 > a.js; touch new.js; rm b.ts",
    "git ls-files '*.js'; git ls-files ':(glob)*.js'; git ls-files ':(glob)**/*.js' ':!d/e'; (cd d; git ls-files ':/*.ts'; git ls-files --full-name); git ls-files -t --others --exclude-standard --cached -- ':(glob)**/a.js' ':(glob)**/new.js'",
    "git ls-files --error-unmatch a.js none; git ls-files -d; git ls-files -m -z | od -c; git diff --name-only -- '*.js'; git diff --raw -z -- a.js | od -c; git status --porcelain -uno; git status -s -uall; git status --porcelain --untracked-files=all --null | od -c",
    "git check-ignore x.log a.js none.log; git check-ignore -q a.js; printf 'x.log\\n' | git check-ignore --stdin; git ls-tree -r -t --name-only HEAD; git ls-tree -d HEAD; git ls-tree -z HEAD d | od -c",
    "seq 1 12 > n; git add n; git commit -qm n; sed -i '2s/$/x/; 11d' n; git diff -U0 -- n; git diff --unified=1 n; git diff --output=../p --binary --src-prefix=a/ --dst-prefix=b/ -U0 n; cat ../p; git checkout -q n; git apply --whitespace=nowarn --recount --unidiff-zero ../p; git diff --stat; git grep -n 1; git grep -l -e x -e 7; git grep nothing; git grep -c '^1' HEAD -- n",
  ],
  hooks: [
    "mkdir -p .git/hooks; printf '#!/bin/sh\\necho pre; test ! -f stop\\n' > .git/hooks/pre-commit; printf '#!/bin/sh\\necho msg $1; echo more >> $1\\n' > .git/hooks/commit-msg; printf '#!/bin/sh\\necho post\\n' > .git/hooks/post-commit; chmod +x .git/hooks/*",
    "echo a > a; git add a; git commit -qm one; git log -1 --format=%B; touch stop; git commit --allow-empty -qm two; git log --format=%s; git commit --allow-empty -qn -m three; git log -1 --format=%s",
    "mkdir h; printf '#!/bin/sh\\necho other $GIT_INDEX_FILE; exit 3\\n' > h/pre-commit; git config core.hooksPath h; git commit --allow-empty -qm four 2>&1 | head -1; chmod +x h/pre-commit; git commit --allow-empty -qm five 2>&1 | sed 's/ .*index/ index/'",
  ],
  "configuration files": [
    "git config a.b one; git config a.c 'two # words'; git config --get a.c; git config --add a.b other; git config --get-all a.b; git config a.b x; git config --unset a.b; git config --list --local | grep '^a'",
    "git config --get-regexp '^a\\.'; git config --name-only --get-regexp '^a'; git config --null --get-regexp '^a' | od -c; git config --unset-all a.b; git config --get a.b; git config --show-origin --get a.c; git config --local --list --show-scope | grep a.c",
    "git config s.On.v yes; git config --bool s.On.v; git config --type=bool s.on.v; git config --get --default none s.x; git config x.size 2k; git config --int x.size; git config nosection; git config -f own.ini p.q 1; cat own.ini; git config -f own.ini --list; git config --unset p.q; git config -f own.ini --unset p.q; cat own.ini; sed -n '/^.a/,$p' .git/config",
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
