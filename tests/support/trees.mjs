/** Trees of a file system for tests: random ones, and all that a program could tell of one. */
import assert from "node:assert/strict";

export const root = { uid: 0, gid: 0, umask: 0, cwd: "/" };
export const [O_RDWR, O_CREAT, O_TRUNC, O_APPEND] = [2, 0o100, 0o1000, 0o2000];
const S_IFMT = 0o170000;

/** As text; `facts` picks what of a stat counts. */
export function describe(fs, facts = ({ atimeMs: _read, ...rest }) => rest) {
  const lines = [];
  const seen = new Map();
  const visit = (path) => {
    const stat = fs.stat(root, path || "/", false);
    const first = seen.get(stat.ino) ?? path;
    seen.set(stat.ino, first);
    const kind = stat.mode & S_IFMT;
    const content =
      kind === 0o100000
        ? fs.readFile(root, path).toString("latin1")
        : kind === 0o120000
          ? fs.readlink(root, path)
          : "";
    const told = JSON.stringify(facts(stat));
    lines.push(`${path} ${told} ${first} ${content.length}:${content.slice(-40)}`);
    if (kind !== 0o040000) return;
    assert.equal(fs.realpath(root, path || "/"), path || "/");
    for (const { name, type } of fs.readdir(root, path || "/")) {
      assert.equal(type, (fs.stat(root, `${path}/${name}`, false).mode & S_IFMT) >>> 12);
      visit(`${path}/${name}`);
    }
  };
  visit("");
  return lines.join("\n");
}

/** A generator of numbers below a bound that is the same in every run. */
export function numbers(seed) {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const names = ["a", "b", "c", "d/a", "d/b", "d/e/f", "d/e/g", "h", "h/i", "h/n\u00e4me \u{1f600}"];

/** One change of any kind; many fail, which is part of it. */
export function change(fs, random) {
  const path = `/${names[random(names.length)]}`;
  const other = `/${names[random(names.length)]}`;
  const changes = [
    () => fs.mkdir(root, path, 0o755),
    () => fs.mkdir(root, path, 0o755),
    () => fs.writeFile(root, path, "x".repeat(random(200_000)), O_RDWR | O_CREAT | O_TRUNC, 0o644),
    () => fs.writeFile(root, path, `${random(1000)}`, O_RDWR | O_CREAT | O_APPEND, 0o600),
    () => {
      const file = fs.open(root, path, O_RDWR, 0);
      if (typeof file === "number") return file;
      const written = file.write(Buffer.from(`${random(1000)}`), random(150_000));
      file.unref();
      return written;
    },
    () => fs.truncate(root, path, random(100_000)),
    () => fs.unlink(root, path),
    () => fs.rmdir(root, path),
    () => fs.removeTree(root, path),
    () => fs.rename(root, path, other),
    () => fs.link(root, path, other),
    () => fs.symlink(root, other.repeat(1 + random(20)), path),
    () => fs.chmod(root, path, random(0o7777)),
    () => fs.chown(root, path, random(9), random(2 ** 32 - 2), false),
    () => fs.utimes(root, path, random(1e9) + 0.125, random(1e9) / 7, false),
  ];
  changes[random(changes.length)]();
}
