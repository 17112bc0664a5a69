// What a policy is asked about is what the call then touches, on random trees with links, mounts and "..".
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { FileSystem } from "../../../dist/kernel/fs/index.js";
import { admit } from "../../../dist/kernel/policy/admission.js";
import { systemCalls } from "../../../dist/kernel/syscalls/table.js";
import { noLimit } from "../../../dist/abi/resources.js";
import { DescriptorTable } from "../../../dist/kernel/process/descriptors.js";
import { Deferred } from "../../../dist/kernel/io/deferred.js";
import { Account } from "../../../dist/kernel/machine/account.js";
import { Random } from "../../fuzz/random.mjs";

const root = { uid: 0, gid: 0, umask: 0o022, cwd: "/" };
const O_WRONLY = 1;
const O_CREAT = 0o100;
const O_EXCL = 0o200;
const O_NOFOLLOW = 0o400000;

/** The same run for the same seed. */
function randomOf(seed) {
  const random = new Random(seed);
  const below = (n) => Math.floor(random.fraction() * n);
  return { below, pick: (list) => list[below(list.length)] };
}

const names = ["a", "b", "c", "d", "m", "l", "k"];
function randomPath({ below, pick }) {
  const parts = Array.from({ length: 1 + below(4) }, () =>
    pick([...names, "..", ".", "l", "k", ""]),
  );
  return `${pick(["/", "", "", "/m/"])}${parts.join("/")}${pick(["", "", "", "/", "/."])}` || "a";
}

function makeTree(random, hostPath) {
  const fs = new FileSystem();
  for (let at = 0; at < 10; at++) fs.mkdir(root, randomPath(random), 0o777);
  mkdirSync(join(hostPath, "a", "b"), { recursive: true });
  writeFileSync(join(hostPath, "a", "c"), "host");
  symlinkSync(random.pick(["a", "a/b", "../m/a", "nowhere", "/a", ".."]), join(hostPath, "l"));
  symlinkSync(random.pick(["b", "c", "../l", "..", "k"]), join(hostPath, "a", "k"));
  assert.equal(
    fs.mount({
      guestPath: "/m",
      hostPath,
      readOnly: false,
      executable: false,
      uid: 1000,
      gid: 1000,
    }),
    0,
  );
  for (let at = 0; at < 12; at++) fs.mkdir(root, randomPath(random), 0o777);
  for (let at = 0; at < 10; at++)
    fs.writeFile(root, randomPath(random), `f${at}`, O_WRONLY | O_CREAT, 0o666);
  for (let at = 0; at < 16; at++) fs.symlink(root, randomPath(random), randomPath(random));
  return fs;
}

/** What calls remove comes back somewhere; `now` is what there is. */
function refill(fs, random, now) {
  const directories = [...now].filter(([, { type }]) => type === 0o040000);
  const somewhere = () => `${random.pick(directories)[0]}/${random.pick(names)}`;
  fs.mkdir(root, `${somewhere()}.empty`, 0o777);
  fs.mkdir(root, somewhere(), 0o777);
  fs.symlink(root, randomPath(random), somewhere());
  for (let at = 0; at < 2; at++)
    fs.writeFile(root, somewhere(), `again ${at}`, O_WRONLY | O_CREAT, 0o666);
}

/** Every entry by its one path without links: what it is, and what is in it. */
function snapshot(fs) {
  const seen = new Map();
  const visit = (path) => {
    const stat = fs.stat(root, path, false);
    assert.equal(typeof stat, "object", `${path}: ${stat}`);
    const type = stat.mode & 0o170000;
    const content = type === 0o100000 ? String(fs.readFile(root, path)) : "";
    seen.set(path, { ino: `${stat.dev} ${stat.ino}`, is: `${stat.mode} ${content}`, type });
    if (type !== 0o040000) return;
    for (const { name } of fs.readdir(root, path)) visit(`${path === "/" ? "" : path}/${name}`);
  };
  visit("/");
  return seen;
}

/** Paths that are not what they were. */
function changes(before, after) {
  const changed = [];
  for (const path of new Set([...before.keys(), ...after.keys()])) {
    const [was, is] = [before.get(path), after.get(path)];
    if (was?.ino !== is?.ino || was?.is !== is?.is) changed.push(path);
  }
  return changed;
}

const calls = {
  stat: (random, { path }) => ({ path: path(), follow: random.below(2) === 0 }),
  realpath: (random, { path }) => ({ path: path() }),
  readdir: (random, { path }) => ({ path: path(), start: 0 }),
  writeFile: (random, { path, mark }) => ({
    path: path(),
    data: Buffer.from(mark),
    flags: random.pick([
      O_WRONLY | O_CREAT,
      O_WRONLY,
      O_WRONLY | O_CREAT | O_EXCL,
      O_WRONLY | O_NOFOLLOW,
    ]),
    mode: 0o666,
    more: false,
  }),
  copyFile: (random, { path, file }) => ({
    from: file(),
    to: path(),
    mode: random.below(2),
  }),
  mkdir: (random, { path }) => ({ path: path(), mode: 0o777, recursive: random.below(2) === 0 }),
  mkdtemp: (random, { path }) => ({ prefix: path() }),
  rmdir: (random, { path }) => ({ path: `${path()}${random.pick(["", ".empty"])}` }),
  unlink: (random, { path }) => ({ path: path() }),
  rm: (random, { path }) => ({
    path: path(),
    recursive: random.below(2) === 0,
    force: random.below(2) === 0,
  }),
  rename: (random, { path }) => ({ from: path(), to: path() }),
  link: (random, { path, file }) => ({ from: file(), to: path() }),
  symlink: (random, { path }) => ({ target: path(), path: path() }),
  chmod: (random, { path }) => ({ path: path(), mode: random.pick([0o700, 0o755, 0o777]) }),
};

/** Runs one call as a guest's is run, and answers what the policy was asked and what came of it. */
async function run(fs, cwd, name, args) {
  const asked = [];
  const caller = {
    pid: 2,
    fs,
    credentials: { ...root, cwd },
    account: new Account(),
    descriptors: new DescriptorTable(16),
    fileBytes: noLimit,
    openTerminal: () => undefined,
    policy: {
      allowsAll: () => false,
      onlyNotes: () => false,
      hasRules: () => false,
      judgeAll: (requests) => {
        asked.push(...requests);
        return 0;
      },
    },
  };
  const answer = admit(caller, systemCalls[name], args, (given) =>
    systemCalls[name].run(caller, given),
  );
  const result =
    answer instanceof Deferred ? await new Promise((done) => answer.whenSettled(done)) : answer;
  assert.equal(caller.credentials.walks, undefined);
  return { asked: asked.filter(({ scope }) => scope === "fs"), result };
}

test("the policy's view of a path is the path that was touched", async () => {
  const base = mkdtempSync(join(tmpdir(), "located-"));
  const done = Object.fromEntries(Object.keys(calls).map((name) => [name, 0]));
  try {
    for (let seed = 1; seed <= 30; seed++) {
      const random = randomOf(seed);
      const hostPath = mkdtempSync(join(base, "mount-"));
      const fs = makeTree(random, hostPath);
      let now = snapshot(fs);
      for (let turn = 0; turn < 40; turn++) {
        const name = random.pick(Object.keys(calls));
        refill(fs, random, now);
        const before = snapshot(fs);
        const directories = [...before].filter(([, { type }]) => type === 0o040000);
        const [cwd] = random.pick(directories);
        // Anything, or something that is there, by way of something else.
        const detour = () => random.pick(["", "", "/m/..", `${random.pick(directories)[0]}/../.`]);
        const path = () =>
          random.below(2) === 0 ? randomPath(random) : detour() + random.pick([...before.keys()]);
        const files = [...before.keys()].filter((one) => before.get(one).type === 0o100000);
        const file = () => detour() + random.pick(files);
        const args = calls[name](random, { path, file, mark: `mark ${seed} ${turn}` });
        const { asked, result } = await run(fs, cwd, name, args);
        const after = snapshot(fs);
        now = after;
        const what = `seed ${seed}.${turn}: ${name} ${JSON.stringify(args)} in ${cwd} asked ${JSON.stringify(asked)} got ${JSON.stringify(result)}`;
        const paths = new Set(asked.map(({ path }) => path));
        const inodes = new Set(
          [...paths].flatMap((path) => [before.get(path)?.ino, after.get(path)?.ino]),
        );
        inodes.delete(undefined);
        const to = name === "rename" ? asked.at(-1)?.path : undefined;
        const changed = changes(before, after);
        for (const path of changed) {
          const { ino } = after.get(path) ?? before.get(path);
          const known = paths.has(path) || inodes.has(ino) || path.startsWith(`${to}/`);
          assert.ok(known, `${what}\nchanged ${path}`);
        }
        if (typeof result === "number") continue;
        done[name]++;
        if (name === "stat") {
          const ino = `${result.values[0]} ${result.values[7]}`;
          assert.equal(after.get(asked[0].path)?.ino, ino, what);
        } else if (name === "realpath") assert.equal(result.path, asked[0].path, what);
        else if (name === "readdir") {
          const listed = fs.readdir(root, asked[0].path).map((entry) => entry.name);
          assert.deepEqual(result.names, listed.sort(), what);
        } else if (name === "writeFile") {
          assert.ok(after.get(asked[0].path)?.is.includes("mark "), what);
        } else if (name === "mkdtemp") assert.ok(changed.includes(asked[0].path), what);
        else if (name === "mkdir") assert.equal(after.get(asked.at(-1).path)?.type, 0o040000, what);
        else if (name === "unlink" || name === "rmdir" || name === "symlink")
          assert.deepEqual(changed, [asked[0].path], what);
      }
      fs.dispose();
    }
  } finally {
    rmSync(base, { recursive: true });
  }
  const total = Object.values(done).reduce((sum, count) => sum + count, 0);
  assert.ok(total >= 300, `only ${total} calls succeeded`);
  for (const [name, count] of Object.entries(done))
    assert.ok(count >= 1, `${name} succeeded only ${count} times`);
});

test("a judged call walks each of its paths once, and goes nowhere else", async () => {
  for (const [name, args, steps] of [
    ["readFile", { path: "/l", flags: 0 }, 3],
    ["readFile", { path: "/a/f", flags: 0 }, 2],
    ["stat", { path: "/l", follow: true }, 3],
    ["rename", { from: "/a/f", to: "/a/g" }, 4],
    ["readPackage", { path: "/a/f" }, 2],
  ]) {
    for (const [walkSteps, enough] of [
      [steps, true],
      [steps - 1, false],
    ]) {
      const fs = new FileSystem({ walkSteps });
      fs.mkdir(root, "/a", 0o755);
      fs.writeFile(root, "/a/f", "content", O_WRONLY | O_CREAT, 0o644);
      fs.symlink(root, "/a/f", "/l");
      const { result } = await fs.bounded(() => run(fs, "/", name, args));
      const done = typeof result === "object" && result.found !== false;
      assert.equal(done, enough, `${name} in ${walkSteps} steps: ${JSON.stringify(result)}`);
    }
  }
  // A handler that went somewhere else than it said would get nothing.
  assert.equal(new FileSystem().stat({ ...root, walks: [] }, "/", true), -13);
});
