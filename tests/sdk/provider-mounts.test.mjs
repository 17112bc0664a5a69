/** File systems that code of the host serves: `mounts: [{ guestPath, provider }]` and `rt.mount`. */
import assert from "node:assert/strict";
import { once, EventEmitter } from "node:events";
import fs, { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { createInMemoryFileSystem } from "../../dist/index.js";
import { machine } from "../support/machines.mjs";

const mounted = (provider, more = {}) => ({ mounts: [{ guestPath: "/data", provider, ...more }] });

/** Runs lines of a program, each by itself; what each answers, or the code of its error. */
const tried = async (rt, lines, options) => {
  const { value, stderr } = await rt.run(
    `import fs from "node:fs";
    const found = {};
    ${Object.entries(lines)
      .map(
        ([name, line]) =>
          `try { found.${name} = (await (async () => { ${line} })()) ?? null; } catch (error) { found.${name} = error.code ?? String(error); }`,
      )
      .join("\n")}
    __return(found);`,
    options,
  );
  assert.equal(stderr, "");
  return value;
};

const file = (size, more = {}) => ({ isDirectory: false, size, ...more });
const directory = { isDirectory: () => true };
const error = (code) => Object.assign(new Error(`${code}: made up`), { code });
/** A file system of one level, of an object of texts. */
const flat = (files, more = {}) => ({
  lstat: async (path) => {
    if (!Object.hasOwn(files, path.slice(1))) throw error("ENOENT");
    return file(files[path.slice(1)].length);
  },
  readdir: () => Object.keys(files),
  readFile: (path) => files[path.slice(1)],
  ...more,
});

test("the older generation's file system is one: programs, children, workers, a shell and imports see it", async () => {
  const memory = createInMemoryFileSystem();
  await memory.writeFile("/a/b.txt", "hello");
  await memory.writeFile("/lib/index.mjs", 'export { sum } from "./sum.mjs";');
  await memory.writeFile("/lib/sum.mjs", "export const sum = (a, b) => a + b;");
  await memory.writeFile("/node_modules/pkg/package.json", '{"main":"./main.js"}');
  await memory.writeFile("/node_modules/pkg/main.js", "module.exports = __filename;");
  const rt = await machine(mounted(memory));
  const { value, stderr } = await rt.run(
    `import fs from "node:fs";
    import { execSync, execFileSync } from "node:child_process";
    import { once } from "node:events";
    import { Worker } from "node:worker_threads";
    import { sum } from "./lib/index.mjs";
    import main from "pkg";
    fs.writeFileSync("new.txt", "new");
    fs.appendFileSync("new.txt", " and more");
    fs.mkdirSync("d/e", { recursive: true });
    fs.copyFileSync("new.txt", "d/e/copy.txt");
    fs.cpSync("/data/a", "/tmp/out", { recursive: true });
    fs.cpSync("/tmp/out", "d/in", { recursive: true });
    const handle = await fs.promises.open("a/b.txt", "r+");
    await handle.write("J", 0);
    const worker = new Worker('const fs = require("node:fs"); require("node:worker_threads").parentPort.postMessage(fs.readFileSync("/data/new.txt", "utf8"))', { eval: true });
    const [fromWorker] = await once(worker, "message");
    const seen = fs.readFileSync("/data/a/b.txt", "utf8");
    await handle.close();
    fs.writeFileSync("d/e/gone", "");
    fs.unlinkSync("d/e/gone");
    fs.renameSync("d/e/copy.txt", "moved.txt");
    __return({
      sum: sum(1, 2),
      main,
      fromWorker,
      seen,
      shell: execSync("cat a/b.txt; echo -n of the shell > s.txt; ls").toString(),
      child: execFileSync("node", ["-p", 'require("node:fs").readFileSync("s.txt", "utf8")']).toString(),
      out: fs.readFileSync("/tmp/out/b.txt", "utf8"),
      types: fs.readdirSync("/data", { withFileTypes: true }).map((entry) => [entry.name, entry.isDirectory()]),
      mount: fs.readFileSync("/proc/mounts", "utf8").includes("provider /data provider rw"),
    });`,
    { cwd: "/data" },
  );
  assert.equal(stderr, "");
  assert.deepEqual(value, {
    sum: 3,
    main: "/data/node_modules/pkg/main.js",
    fromWorker: "new and more",
    seen: "Jello",
    shell: "Jelloa\nd\nlib\nmoved.txt\nnew.txt\nnode_modules\ns.txt\n",
    child: "of the shell\n",
    out: "hello",
    types: [
      ["a", true],
      ["d", true],
      ["lib", true],
      ["moved.txt", false],
      ["new.txt", false],
      ["node_modules", true],
      ["s.txt", false],
    ],
    mount: true,
  });
  assert.equal(await memory.readTextFile("/a/b.txt"), "Jello");
  assert.equal(await memory.readTextFile("/d/in/b.txt"), "hello");
  assert.deepEqual(await memory.readDir("/d/e"), []);
  const removed = await rt.execCommand("rm", ["-r", "/data/d"]);
  assert.equal(removed.exitCode, 0, removed.stderr);
  assert.equal(await memory.exists("/d"), false);
});

test("the host's own file calls go to the provider, too, and are answered when it has stored", async () => {
  const memory = createInMemoryFileSystem();
  const rt = await machine();
  await rt.mount({ guestPath: "/data", provider: memory });
  await rt.writeFile("/data/x/y.txt", "of the host");
  assert.equal(await memory.readTextFile("/x/y.txt"), "of the host");
  assert.equal(await rt.readFile("/data/x/y.txt", "utf8"), "of the host");
  assert.equal((await rt.stat("/data/x/y.txt")).size, 11);
  await rt.rename("/data/x/y.txt", "/data/z.txt");
  await rt.mkdir("/data/x/m");
  assert.deepEqual(await rt.readDir("/data"), ["x", "z.txt"]);
  const big = Buffer.alloc(9 * 1024 * 1024 + 5, "0123456789abcdef");
  await rt.writeFile("/data/big", big);
  assert.ok(Buffer.from(await memory.readFile("/big")).equals(big));
  assert.ok(Buffer.from(await rt.readFile("/data/big")).equals(big));
  await rt.fs.truncate("/data/big", 3);
  assert.equal(await memory.readTextFile("/big"), "012");
  await rt.rm("/data/x", { recursive: true });
  assert.deepEqual(await memory.readDir("/"), ["big", "z.txt"]);
  await assert.rejects(rt.readFile("/data/none"), { code: "ERR_SECURE_EXEC_NO_SUCH_FILE" });
  const clone = await rt.clone();
  await clone.writeFile("/data/of-clone", "");
  await rt.unmount("/data");
  assert.equal(await rt.exists("/data/z.txt"), false);
  assert.deepEqual(await clone.readDir("/data"), ["big", "of-clone", "z.txt"]);
  await clone.dispose();
});

test("node:fs/promises of a directory is a provider, links and modes included", async () => {
  const top = mkdtempSync(join(os.tmpdir(), "secure-exec-provider-"));
  after(() => rmSync(top, { recursive: true, force: true }));
  const below = {};
  for (const name of [
    "lstat",
    "readdir",
    "readlink",
    "readFile",
    "writeFile",
    "mkdir",
    "unlink",
    "rmdir",
    "chmod",
    "utimes",
  ])
    below[name] = (path, ...rest) => fs.promises[name](join(top, path), ...rest);
  below.symlink = (target, path) => fs.promises.symlink(target, join(top, path));
  for (const name of ["rename", "link"])
    below[name] = (from, to) => fs.promises[name](join(top, from), join(top, to));
  const rt = await machine(mounted(below));
  const found = await tried(rt, {
    write: `fs.writeFileSync("/data/a", "text", { mode: 0o640 })`,
    mode: `return fs.statSync("/data/a").mode.toString(8)`,
    chmod: `fs.chmodSync("/data/a", 0o600)`,
    times: `fs.utimesSync("/data/a", 1, 2); return fs.statSync("/data/a").mtimeMs`,
    link: `fs.linkSync("/data/a", "/data/b"); return fs.readFileSync("/data/b", "utf8")`,
    symlink: `fs.symlinkSync("a", "/data/s"); return [fs.readlinkSync("/data/s"), fs.readFileSync("/data/s", "utf8"), fs.realpathSync("/data/s")]`,
    // A link is text that is walked in the machine, wherever the host would go.
    out: `fs.symlinkSync("/etc/hostname", "/data/out"); return fs.readFileSync("/data/out", "utf8").length > 0`,
    up: `fs.symlinkSync("../../../../../../etc/shadow", "/data/up"); return fs.readFileSync("/data/up", "utf8")`,
    rmdir: `fs.mkdirSync("/data/d"); fs.writeFileSync("/data/d/x", ""); fs.rmdirSync("/data/d")`,
    full: `fs.rmSync("/data/d", { recursive: true }); return fs.existsSync("/data/d")`,
    chown: `fs.chownSync("/data/a", 0, 0)`,
    exdev: `fs.renameSync("/data/a", "/tmp/a")`,
    acrossLink: `fs.linkSync("/data/a", "/tmp/a")`,
    exists: `fs.writeFileSync("/data/a", "", { flag: "wx" })`,
  });
  assert.deepEqual(found, {
    write: null,
    mode: "100640",
    chmod: null,
    times: 2000,
    link: "text",
    symlink: ["a", "text", "/data/a"],
    out: true,
    up: "ENOENT",
    rmdir: "ENOTEMPTY",
    full: false,
    chown: "EPERM",
    exdev: "EXDEV",
    acrossLink: "EXDEV",
    exists: "EEXIST",
  });
  assert.equal(fs.statSync(join(top, "a")).mode & 0o777, 0o600);
});

test("what a provider lacks is EROFS where it can change nothing, ENOSYS otherwise; readOnly is EROFS", async () => {
  const write = `fs.writeFileSync("/data/a", "x")`;
  const lines = { write, mkdir: `fs.mkdirSync("/data/d")`, readlink: `fs.readlinkSync("/data/a")` };
  const only = await machine(mounted(flat({ a: "text" })));
  assert.deepEqual(await tried(only, lines), {
    write: "EROFS",
    mkdir: "EROFS",
    readlink: "EINVAL",
  });
  const stored = [];
  const writing = flat(
    { a: "text" },
    { writeFile: (path, data) => void stored.push([path, String(data)]) },
  );
  const some = await machine(mounted(writing));
  assert.deepEqual(await tried(some, lines), { write: null, mkdir: "ENOSYS", readlink: "EINVAL" });
  assert.deepEqual(stored, [["/a", "x"]]);
  const shut = await machine(mounted(writing, { readOnly: true }));
  assert.deepEqual(
    await tried(shut, { write, read: `return fs.readFileSync("/data/a", "utf8")` }),
    {
      write: "EROFS",
      read: "text",
    },
  );
  assert.equal(stored.length, 1);
  const refused = (problem) => ({ code: "ERR_SECURE_EXEC_INVALID_OPTION", message: problem });
  await assert.rejects(
    machine(mounted({ readFile() {} })),
    refused(/mounts\[0\]\.provider must have a method stat or lstat/),
  );
  await assert.rejects(machine(mounted("text")), refused(/must be an object/));
  await assert.rejects(machine(mounted(writing, { timeoutMs: 0 })), refused(/timeoutMs/));
  await assert.rejects(
    machine({ ...mounted(writing), deterministic: { seed: 1 } }),
    refused(/deterministic/),
  );
});

test("errors are errnos by their code, and nothing else of them is told", async () => {
  const causes = {
    coded: error("EACCES"),
    worded: new Error("ENOTDIR: says its message"),
    secret: new Error("password 1234"),
    unknown: error("E_OF_MY_OWN"),
    nothing: null,
    text: "ENOSPC",
  };
  const rt = await machine(
    mounted({
      stat: (path) => {
        if (path === "/thrown") throw error("EBUSY");
        return Promise.reject(causes[path.slice(1)]);
      },
    }),
  );
  const names = [...Object.keys(causes), "thrown"];
  const { value } = await rt.run(
    `import fs from "node:fs";
    __return(${JSON.stringify(names)}.map((name) => {
      try { fs.statSync("/data/" + name); } catch (error) { return error.message; }
    }));`,
  );
  assert.deepEqual(value, [
    "EACCES: permission denied, stat '/data/coded'",
    "ENOTDIR: not a directory, stat '/data/worded'",
    ...["secret", "unknown", "nothing", "text"].map(
      (name) => `EIO: i/o error, stat '/data/${name}'`,
    ),
    "EBUSY: resource busy or locked, stat '/data/thrown'",
  ]);
});

test("answers that no file system gives are EIO, and what lies about itself is what it turns out to be", async () => {
  const stats = {
    number: 7,
    empty: null,
    text: "a file",
    negative: file(-1),
    endless: file(Infinity),
    fraction: file(1.5),
    huge: file(2 ** 60),
    mode: file(1, { mode: "rwx" }),
    time: file(1, { mtimeMs: NaN }),
    get getter() {
      return {
        isDirectory: false,
        get size() {
          throw new Error("no");
        },
      };
    },
    longer: file(2),
    shorter: file(10),
    list: directory,
    link: { isDirectory: false, isSymbolicLink: true },
    pipe: { isDirectory: false, isFile: () => false },
    object: file(3),
  };
  const lists = { "/list": ["fine", "../up"] };
  const rt = await machine(
    mounted({
      stat: (path) => {
        if (!Object.hasOwn(stats, path.slice(1))) throw error("ENOENT");
        return stats[path.slice(1)];
      },
      readdir: (path) => lists[path],
      readlink: () => "a\0b",
      readFile: (path) => (path === "/object" ? { length: 3 } : "12345"),
    }),
  );
  const bad = [
    "number",
    "empty",
    "text",
    "negative",
    "endless",
    "fraction",
    "huge",
    "mode",
    "time",
    "getter",
    "link",
  ];
  const lines = Object.fromEntries(
    bad.map((name) => [name, `return fs.statSync("/data/${name}").size`]),
  );
  const found = await tried(rt, {
    ...lines,
    longer: `return fs.readFileSync("/data/longer", "utf8")`,
    shorter: `return fs.readFileSync("/data/shorter", "utf8")`,
    size: `const fd = fs.openSync("/data/shorter"); const { size } = fs.fstatSync(fd); fs.closeSync(fd); return size`,
    list: `return fs.readdirSync("/data/list")`,
    pipe: `return fs.readFileSync("/data/pipe")`,
    object: `return fs.readFileSync("/data/object")`,
  });
  for (const name of bad) assert.equal(found[name], "EIO", name);
  const { longer, shorter, size, list, pipe, object } = found;
  assert.deepEqual(
    { longer, shorter, size, list, pipe, object },
    {
      longer: "12345",
      shorter: "12345",
      size: 5,
      list: "EIO",
      pipe: "ENXIO",
      object: "EIO",
    },
  );
  for (const name of ["", ".", "..", "a/b", "a\0b", "\ud800", "x".repeat(256), 7, null]) {
    lists["/list"] = ["fine", name];
    assert.deepEqual(
      await tried(rt, { list: `return fs.readdirSync("/data/list")` }),
      { list: "EIO" },
      String(name),
    );
  }
  lists["/list"] = [{ name: "d", isDirectory: true }, "fine", "fine"];
  stats["list/fine"] = file(1);
  assert.deepEqual(await tried(rt, { list: `return fs.readdirSync("/data/list")` }), {
    list: ["d", "fine"],
  });
});

test("a provider that never answers costs its caller ETIMEDOUT, and nobody else anything", async () => {
  const never = new Promise(() => {});
  const stuck = { stat: (path) => (path === "/slow" ? never : file(3)), readFile: () => never };
  const rt = await machine({
    mounts: [
      { guestPath: "/stuck", provider: stuck, timeoutMs: 100 },
      { guestPath: "/data", provider: flat({ b: "abc" }) },
    ],
  });
  const other = await machine(mounted(flat({ a: "text" })));
  assert.deepEqual(
    await tried(rt, {
      slow: `fs.statSync("/stuck/slow")`,
      never: `fs.readFileSync("/stuck/never")`,
      others: `const all = await Promise.allSettled([fs.promises.stat("/stuck/slow"), fs.promises.readFile("/data/b", "utf8")]); return all.map(({ value, reason }) => value ?? reason.code)`,
    }),
    { slow: "ETIMEDOUT", never: "ETIMEDOUT", others: ["ETIMEDOUT", "abc"] },
  );
  assert.deepEqual(await tried(other, { read: `return fs.readFileSync("/data/a", "utf8")` }), {
    read: "text",
  });
  await assert.rejects(rt.readFile("/stuck/never"), {
    code: "ERR_SECURE_EXEC_FILE",
    message: /ETIMEDOUT/,
  });
});

test("a machine that is disposed while its provider is asked leaves nothing, and its late answer is nobody's", async () => {
  const asked = new EventEmitter();
  let answer;
  const provider = {
    stat: () => file(3),
    readFile: () => {
      asked.emit("read");
      return new Promise((resolve) => (answer = resolve));
    },
  };
  const rt = await machine(mounted(provider));
  const reading = once(asked, "read");
  const running = rt.exec(`import fs from "node:fs"; fs.readFileSync("/data/a")`);
  const over = assert.rejects(running, { code: "ERR_SECURE_EXEC_DISPOSED" });
  await reading;
  await rt.dispose();
  await over;
  answer("abc");
  // One that ends in the middle of a call, in a machine that goes on.
  const on = await machine(mounted(provider));
  const again = once(asked, "read");
  const program = await on.spawn(`import fs from "node:fs"; fs.readFileSync("/data/a")`);
  await again;
  program.kill("SIGKILL");
  assert.equal(await program.wait(), 137);
  answer("abc");
  assert.equal((await on.run("__return(1)")).value, 1);
});

test("content is the provider's limit, and large files are read in ranges where it can", async () => {
  const size = 5 * 1024 * 1024 + 3;
  const content = Buffer.alloc(size, "abcdefghij");
  const ranges = [];
  const rt = await machine(
    mounted(
      {
        stat: (path) => file(path === "/small" ? 10 : size),
        readFile: (path) =>
          path === "/liar" || path === "/small" ? content : Promise.reject(error("EIO")),
        pread: (path, offset, length) => {
          ranges.push(offset);
          if (path === "/more") return content.subarray(0, length + 1);
          return content.subarray(offset, offset + length);
        },
        writeFile: () => {},
      },
      { maxFileBytes: 2 * 1024 * 1024 },
    ),
  );
  const found = await tried(rt, {
    whole: `const { createHash } = await import("node:crypto"); return createHash("sha256").update(fs.readFileSync("/data/a")).digest("hex")`,
    part: `const fd = fs.openSync("/data/a"); const part = Buffer.alloc(10); fs.readSync(fd, part, 0, 10, 3_000_005); fs.closeSync(fd); return part.toString()`,
    tooMuch: `fs.readFileSync("/data/more")`,
    write: `fs.openSync("/data/a", "r+")`,
    liar: `fs.readFileSync("/data/small")`,
    large: `fs.writeFileSync("/data/new", Buffer.alloc(2 * 1024 * 1024 + 1))`,
    most: `fs.writeFileSync("/data/new", Buffer.alloc(2 * 1024 * 1024))`,
  });
  const { createHash } = await import("node:crypto");
  assert.deepEqual(found, {
    whole: createHash("sha256").update(content).digest("hex"),
    part: "fghijabcde",
    tooMuch: "EIO",
    write: "EFBIG",
    liar: "EFBIG",
    large: "EFBIG",
    most: null,
  });
  assert.ok(ranges.length <= 9, String(ranges));
});

test("answers are kept as long as the provider says, and not beyond a change", async () => {
  const calls = [];
  const files = { a: "text" };
  const provider = (cacheMs) => ({
    cacheMs,
    stat: (path) => {
      calls.push(path);
      const text = files[path.slice(1)];
      return text === undefined ? Promise.reject(error("ENOENT")) : file(text.length);
    },
    readdir: () => {
      calls.push("list");
      return Object.keys(files);
    },
    writeFile: (path, data) => void (files[path.slice(1)] = String(data)),
  });
  const twice = `fs.statSync("/data/a"); fs.statSync("/data/a"); fs.readdirSync("/data"); fs.readdirSync("/data")`;
  const plain = await machine(mounted(provider(0)));
  await tried(plain, { twice });
  assert.deepEqual(calls.splice(0), ["/a", "/a", "list", "/a", "list", "/a"]);
  const kept = await machine(mounted(provider(3_600_000)));
  await tried(kept, { twice });
  assert.deepEqual(calls.splice(0), ["/a", "list"]);
  assert.deepEqual(
    await tried(kept, {
      change: `fs.writeFileSync("/data/a", "longer text"); return fs.statSync("/data/a").size`,
    }),
    { change: 11 },
  );
});

test("the policy judges the entry that was found, once per call; a function may take its time", async () => {
  const memory = createInMemoryFileSystem();
  await memory.writeFile("/open/a", "open");
  await memory.writeFile("/shut/a", "shut");
  const rules = await machine({
    ...mounted(memory),
    files: { "/tmp/unused": "" },
    audit: { all: true },
    permissions: {
      fs: {
        default: "allow",
        rules: [{ mode: "deny", operations: ["read", "write"], paths: ["/data/shut/**"] }],
      },
    },
  });
  const lines = {
    open: `return fs.readFileSync("/data/open/a", "utf8")`,
    shut: `return fs.readFileSync("/data/open/../shut/a", "utf8")`,
    link: `fs.symlinkSync("/data/shut", "/tmp/way"); return fs.readFileSync("/tmp/way/a", "utf8")`,
    write: `fs.writeFileSync("/data/shut/b", "")`,
  };
  const expected = { open: "open", shut: "EACCES", link: "EACCES", write: "EACCES" };
  assert.deepEqual(await tried(rules, lines), expected);
  const decisions = (await rules.audit()).filter(({ resource }) => resource === "/data/open/a");
  assert.equal(decisions.length, 1, JSON.stringify(decisions));
  const asked = [];
  const asking = await machine({
    ...mounted(memory),
    permissions: {
      fs: async (request) => {
        asked.push(request);
        await new Promise((resolve) => setImmediate(resolve));
        return !request.path?.startsWith("/data/shut");
      },
    },
  });
  assert.deepEqual(
    await tried(asking, {
      ...lines,
      fd: `const fd = fs.openSync("/data/open/a", "r+"); fs.writeSync(fd, "O"); fs.ftruncateSync(fd, 2); fs.closeSync(fd)`,
    }),
    {
      ...expected,
      fd: null,
    },
  );
  assert.equal(await memory.readTextFile("/open/a"), "Op");
  assert.equal(
    asked.filter(({ op, path }) => op === "read" && path === "/data/open/a").length >= 1,
    true,
  );
});

test("open files are one file for all: changes are seen before they are stored, and stored once they are closed", async () => {
  const memory = createInMemoryFileSystem();
  const failing = new Set();
  const writeFile = memory.writeFile.bind(memory);
  memory.writeFile = async (path, data) => {
    if (failing.has(path)) throw error("ENOSPC");
    await writeFile(path, data);
  };
  const rt = await machine(mounted(memory));
  failing.add("/full");
  const found = await tried(rt, {
    seen: `const fd = fs.openSync("/data/a", "w"); fs.writeSync(fd, "one");
      const before = [fs.readFileSync("/data/a", "utf8"), fs.statSync("/data/a").size, fs.readdirSync("/data")];
      fs.writeSync(fd, " two"); fs.closeSync(fd); return before`,
    renamed: `const fd = fs.openSync("/data/a", "a"); fs.writeSync(fd, " three"); fs.renameSync("/data/a", "/data/b"); fs.writeSync(fd, " four"); fs.closeSync(fd); return fs.readdirSync("/data")`,
    removed: `const fd = fs.openSync("/data/c", "w"); fs.writeSync(fd, "gone"); fs.unlinkSync("/data/c"); fs.writeSync(fd, " still"); const { size } = fs.fstatSync(fd); fs.closeSync(fd); return [size, fs.existsSync("/data/c")]`,
    synced: `const fd = fs.openSync("/data/d", "w"); fs.writeSync(fd, "sync"); fs.fsyncSync(fd); return fd`,
    full: `fs.writeFileSync("/data/full", "x")`,
    close: `const fd = fs.openSync("/data/full", "w"); fs.writeSync(fd, "x"); fs.closeSync(fd)`,
    after: `return fs.existsSync("/data/full")`,
    exclusive: `fs.closeSync(fs.openSync("/data/e", "wx")); return fs.readFileSync("/data/e", "utf8")`,
  });
  const { seen, renamed, removed, full, close, after: left, exclusive } = found;
  assert.deepEqual(
    { seen, renamed, removed, full, close, left, exclusive },
    {
      seen: ["one", 3, ["a"]],
      renamed: ["b"],
      removed: [10, false],
      full: "ENOSPC",
      close: "ENOSPC",
      left: false,
      exclusive: "",
    },
  );
  assert.equal(await memory.readTextFile("/b"), "one two three four");
  assert.equal(await memory.readTextFile("/d"), "sync");
  assert.deepEqual(await memory.readDir("/"), ["b", "d", "e"]);
});

test("many calls at a time are answered, each with its own, and little of them waits in the kernel", async () => {
  let most = 0;
  let running = 0;
  const rt = await machine(
    mounted({
      stat: async (path) => {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setImmediate(resolve));
        running--;
        return file(Number(path.slice(1)));
      },
    }),
  );
  const { value } = await rt.run(
    `import fs from "node:fs/promises";
    const all = await Promise.all(Array.from({ length: 1000 }, (_, at) => fs.stat("/data/" + at)));
    __return(all.every(({ size }, at) => size === at));`,
  );
  assert.equal(value, true);
  assert.ok(most <= 32, `${most} at a time`);
});
