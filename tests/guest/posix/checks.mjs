/**
 * What a file system that calls itself POSIX has to answer. Runs below `root`,
 * which is empty, in a guest and on the host alike; the answers are compared.
 * Inode numbers, times and free space differ by nature and are not answered.
 */
import fs from "node:fs";
import { once } from "node:events";
import { join } from "node:path";

export async function answers(root) {
  const at = (...names) => join(root, ...names);
  const put = (name, data = "") => (fs.writeFileSync(at(name), data), at(name));
  const codeOf = (call) => {
    try {
      call();
      return "no error";
    } catch (error) {
      return `${error.code} ${error.errno} ${error.syscall} ${error.message.replaceAll(root, "ROOT")}`;
    }
  };
  const text = (name) => fs.readFileSync(at(name), "utf8");
  const mode = (name) => (fs.lstatSync(at(name)).mode & 0o7777).toString(8);
  const using = (path, flags, work) => {
    const fd = fs.openSync(path, flags);
    try {
      return work(fd);
    } finally {
      fs.closeSync(fd);
    }
  };
  const tick = async (stamp) => {
    // Until the clock that stamps files has moved on.
    const probe = put("clock");
    const before = fs.statSync(probe).mtimeMs;
    do fs.writeFileSync(probe, "x");
    while (fs.statSync(probe).mtimeMs <= Math.max(before, stamp));
  };

  const checks = {
    "hard links are one file"() {
      fs.linkSync(put("one", "1"), at("two"));
      fs.appendFileSync(at("two"), "2");
      const [a, b] = [fs.statSync(at("one")), fs.statSync(at("two"))];
      fs.unlinkSync(at("one"));
      return [text("two"), a.nlink, a.ino === b.ino, fs.statSync(at("two")).nlink];
    },
    "a directory has no second name"() {
      fs.mkdirSync(at("directory"));
      return codeOf(() => fs.linkSync(at("directory"), at("again")));
    },
    "a link to itself"() {
      fs.symlinkSync("self", at("self"));
      return [codeOf(() => fs.statSync(at("self"))), fs.readlinkSync(at("self"))];
    },
    "forty links are followed, one more is not"() {
      put("end", "reached");
      for (let i = 0; i <= 41; i++) fs.symlinkSync(i === 0 ? "end" : `hop${i - 1}`, at(`hop${i}`));
      return [text("hop39"), codeOf(() => fs.readFileSync(at("hop40")))];
    },
    "relative links start where they are"() {
      fs.mkdirSync(at("links/inner"), { recursive: true });
      put("links/target", "t");
      fs.symlinkSync("../target", at("links/inner/link"));
      const real = fs.realpathSync.native(at("links/inner/link")) === at("links/target");
      return [text("links/inner/link"), real, fs.existsSync(at("links/inner/link/"))];
    },
    "a dangling link"() {
      fs.symlinkSync("not-there", at("dangling"));
      const exclusive = codeOf(() => fs.openSync(at("dangling"), "wx"));
      fs.writeFileSync(at("dangling"), "made through it");
      return [exclusive, text("not-there")];
    },
    "an unlinked file lives while it is open"() {
      return using(put("gone", "hello"), "r+", (fd) => {
        fs.unlinkSync(at("gone"));
        fs.writeSync(fd, "J", 0);
        const data = Buffer.alloc(9);
        const size = fs.readSync(fd, data, 0, 9, 0);
        return [data.toString("utf8", 0, size), fs.fstatSync(fd).nlink, fs.existsSync(at("gone"))];
      });
    },
    "an open file follows its name's moves"() {
      return using(put("moving", "abc"), "r+", (fd) => {
        fs.renameSync(at("moving"), at("moved"));
        fs.writeSync(fd, "!", 3);
        return [text("moved"), fs.existsSync(at("moving"))];
      });
    },
    "a replaced file stays what it was for who has it open"() {
      put("new", "new");
      return using(put("old", "old"), "r", (fd) => {
        fs.renameSync(at("new"), at("old"));
        return [fs.readFileSync(fd, "utf8"), text("old")];
      });
    },
    "two descriptors of one file"() {
      const path = put("shared");
      return using(path, "w", (w) =>
        using(path, "r", (r) => {
          fs.writeSync(w, "live");
          return fs.readFileSync(r, "utf8");
        }),
      );
    },
    "renames between kinds"() {
      fs.mkdirSync(at("full/inside"), { recursive: true });
      fs.mkdirSync(at("empty"));
      put("plain");
      return [
        codeOf(() => fs.renameSync(at("empty"), at("full"))),
        codeOf(() => fs.renameSync(at("full"), at("full/inside/deeper"))),
        codeOf(() => fs.renameSync(at("plain"), at("empty"))),
        codeOf(() => fs.renameSync(at("empty"), at("plain"))),
        codeOf(() => fs.renameSync(at("nothing"), at("plain"))),
        codeOf(() => fs.renameSync(at("plain"), at("plain/x"))),
        codeOf(() => fs.renameSync(at("full"), at("empty"))),
        fs.existsSync(at("empty/inside")),
      ];
    },
    "a rename onto another name of the same file"() {
      fs.linkSync(put("h1"), at("h2"));
      fs.renameSync(at("h1"), at("h2"));
      return [fs.existsSync(at("h1")), fs.existsSync(at("h2"))];
    },
    "permission bits count"() {
      const path = put("closed", "x");
      fs.chmodSync(path, 0);
      fs.mkdirSync(at("shut"));
      put("shut/in");
      fs.chmodSync(at("shut"), 0o600);
      const result = [
        codeOf(() => fs.readFileSync(path)),
        codeOf(() => fs.openSync(path, "r+")),
        codeOf(() => fs.accessSync(path, fs.constants.R_OK)),
        codeOf(() => fs.statSync(at("shut/in"))),
        fs.readdirSync(at("shut")).join(),
        mode("closed"),
      ];
      fs.chmodSync(at("shut"), 0o700);
      return result;
    },
    "execution is asked of the bits"() {
      const path = put("script");
      const before = codeOf(() => fs.accessSync(path, fs.constants.X_OK));
      fs.chmodSync(path, 0o755);
      return [before, codeOf(() => fs.accessSync(path, fs.constants.X_OK))];
    },
    "files of others stay theirs"() {
      return [
        codeOf(() => fs.chownSync(put("mine"), 12, 34)),
        codeOf(() => fs.lchownSync(at("mine"), process.getuid(), process.getgid())),
      ];
    },
    "umask and given modes"() {
      const old = process.umask(0o027);
      put("masked");
      fs.mkdirSync(at("masked-dir"));
      fs.writeFileSync(at("asked"), "", { mode: 0o640 });
      process.umask(old);
      fs.chmodSync(at("masked"), 0o751);
      fs.chmodSync(at("masked-dir"), 0o1777);
      return [old, mode("masked"), mode("masked-dir"), mode("asked")];
    },
    holes() {
      return using(at("sparse"), "w+", (fd) => {
        fs.writeSync(fd, "x", 2 ** 30 - 1);
        const { size, blocks } = fs.fstatSync(fd);
        const around = Buffer.alloc(4, 1);
        const count = fs.readSync(fd, around, 0, 4, 2 ** 30 - 3);
        return [size, blocks, count, [...around].join()];
      });
    },
    "beyond four gigabytes"() {
      return using(at("far"), "w+", (fd) => {
        fs.writeSync(fd, "far", 2 ** 32 + 5);
        const data = Buffer.alloc(3);
        fs.readSync(fd, data, 0, 3, 2n ** 32n + 5n);
        return [fs.fstatSync(fd).size, data.toString()];
      });
    },
    "truncation and zeros"() {
      const path = put("cut", "abcdef");
      fs.truncateSync(path, 8);
      const grown = [...fs.readFileSync(path)].join();
      fs.truncateSync(path, 2);
      fs.truncateSync(path, 4);
      return [grown, [...fs.readFileSync(path)].join(), codeOf(() => fs.truncateSync(root, 1))];
    },
    "appending ignores positions"() {
      const path = put("log", "1");
      return using(path, "a", (a) =>
        using(path, "a", (b) => {
          fs.writeSync(a, "2");
          fs.writeSync(b, "3", 0);
          fs.writeSync(a, "4");
          return text("log");
        }),
      );
    },
    "what open refuses"() {
      put("file");
      fs.mkdirSync(at("dir"));
      const { O_DIRECTORY, O_RDONLY, O_NOFOLLOW } = fs.constants;
      fs.symlinkSync("file", at("to-file"));
      return [
        codeOf(() => fs.openSync(at("file"), "wx")),
        codeOf(() => fs.openSync(at("dir"), "w")),
        codeOf(() => fs.openSync(at("file"), O_RDONLY | O_DIRECTORY)),
        codeOf(() => fs.openSync(at("to-file"), O_RDONLY | O_NOFOLLOW)),
        codeOf(() => fs.openSync(at("dir/"), "wx")),
        codeOf(() => fs.openSync(`${at("file")}/`, "r")),
        codeOf(() => fs.openSync(at("no/such"), "w")),
      ];
    },
    "descriptors keep to their mode"() {
      const path = put("oneway", "x");
      return [
        using(path, "w", (fd) => codeOf(() => fs.readSync(fd, Buffer.alloc(1)))),
        using(path, "r", (fd) => codeOf(() => fs.writeSync(fd, "x"))),
        using(path, "r", (fd) => codeOf(() => fs.ftruncateSync(fd, 0))),
        using(root, "r", (fd) => codeOf(() => fs.readSync(fd, Buffer.alloc(1)))),
        codeOf(() => fs.closeSync(9999)),
      ];
    },
    "paths through what is no directory"() {
      put("leaf");
      const long = "n".repeat(256);
      return [
        codeOf(() => fs.statSync(at("leaf/x"))),
        codeOf(() => fs.statSync(`${at("leaf")}/`)),
        codeOf(() => fs.writeFileSync(at(long), "")),
        codeOf(() => fs.statSync(`${root}${"/x".repeat(2100)}`)).slice(0, 30),
        codeOf(() => fs.statSync("")),
      ];
    },
    "removing the wrong kind"() {
      fs.mkdirSync(at("parent/child"), { recursive: true });
      put("single");
      return [
        codeOf(() => fs.unlinkSync(at("parent"))),
        codeOf(() => fs.rmdirSync(at("parent"))),
        codeOf(() => fs.rmdirSync(at("single"))),
        codeOf(() => fs.rmdirSync(`${root}/parent/.`)),
        codeOf(() => fs.rmSync(at("parent"))),
        codeOf(() => fs.rmSync(at("none"))),
        codeOf(() => fs.rmSync(at("none"), { force: true })),
        codeOf(() => fs.mkdirSync(at("single"))),
        codeOf(() => fs.mkdirSync(at("single/x"), { recursive: true })),
      ];
    },
    "directories count their subdirectories"() {
      fs.mkdirSync(at("count/a"), { recursive: true });
      fs.mkdirSync(at("count/b"));
      put("count/file");
      return fs.statSync(at("count")).nlink;
    },
    async "times follow content and attributes"() {
      const path = put("timed", "a");
      const first = fs.statSync(path);
      await tick(first.mtimeMs);
      fs.appendFileSync(path, "b");
      const second = fs.statSync(path);
      await tick(second.ctimeMs);
      fs.chmodSync(path, 0o600);
      const third = fs.statSync(path);
      return [
        second.mtimeMs > first.mtimeMs,
        third.ctimeMs > second.ctimeMs,
        third.mtimeMs === second.mtimeMs,
      ];
    },
    async "a directory's time follows its entries"() {
      fs.mkdirSync(at("stamped"));
      const before = fs.statSync(at("stamped")).mtimeMs;
      await tick(before);
      put("stamped/x");
      const after = fs.statSync(at("stamped")).mtimeMs;
      await tick(after);
      fs.unlinkSync(at("stamped/x"));
      return [after > before, fs.statSync(at("stamped")).mtimeMs > after];
    },
    "times as given"() {
      const path = put("given");
      fs.symlinkSync("given", at("given-link"));
      fs.utimesSync(path, 1.5, new Date(-2250));
      fs.lutimesSync(at("given-link"), 7, 8.125);
      const { atimeNs, mtimeNs } = fs.statSync(path, { bigint: true });
      return [`${atimeNs} ${mtimeNs}`, fs.lstatSync(at("given-link")).mtimeMs];
    },
    listings() {
      fs.mkdirSync(at("list/sub"), { recursive: true });
      put("list/b");
      put("list/sub/c");
      fs.symlinkSync("sub", at("list/link"));
      const kinds = fs.readdirSync(at("list"), { withFileTypes: true });
      const kind = (e) => `${e.name}${e.isDirectory() ? "/" : e.isSymbolicLink() ? "@" : ""}`;
      return [
        kinds.map(kind).sort().join(),
        fs.readdirSync(at("list"), { recursive: true }).sort().join(),
        fs
          .globSync("**/c", { cwd: at("list") })
          .sort()
          .join(),
        codeOf(() => fs.readdirSync(at("list/b"))),
        codeOf(() => fs.opendirSync(at("none"))),
      ];
    },
    async copies() {
      fs.mkdirSync(at("from/deep"), { recursive: true });
      put("from/deep/file", "copied");
      fs.symlinkSync("file", at("from/deep/link"));
      fs.cpSync(at("from"), at("to"), { recursive: true, verbatimSymlinks: true });
      await fs.promises.cp(at("from"), at("to2"), { recursive: true });
      return [
        text("to/deep/file"),
        fs.readlinkSync(at("to/deep/link")),
        text("to2/deep/link"),
        codeOf(() => fs.copyFileSync(at("from"), at("x"))),
        codeOf(() => fs.copyFileSync(at("to/deep/file"), at("to2/deep/file"), 1)),
      ];
    },
    async streams() {
      const out = fs.createWriteStream(at("stream"));
      for (let i = 0; i < 40; i++) out.write(Buffer.alloc(10_000, i));
      out.end();
      await once(out, "close");
      let size = 0;
      for await (const part of fs.createReadStream(at("stream"), { start: 5, end: 300_004 }))
        size += part.length;
      return [fs.statSync(at("stream")).size, size];
    },
    async handles() {
      const handle = await fs.promises.open(at("handle"), "w+");
      await handle.writev([Buffer.from("a"), Buffer.from("bc")]);
      const { bytesRead } = await handle.readv([Buffer.alloc(2), Buffer.alloc(2)], 0);
      await handle.truncate(2);
      const { size } = await handle.stat();
      await handle.datasync();
      await handle.close();
      const late = await handle.read(Buffer.alloc(1)).catch((error) => error.code);
      return [bytesRead, size, late];
    },
    async events() {
      fs.mkdirSync(at("watched"));
      const heard = [];
      const done = new Promise((resolve) => {
        const watcher = fs.watch(at("watched"), (event, name) => {
          heard.push(`${event} ${name}`);
          if (name !== "last") return;
          watcher.close();
          resolve();
        });
      });
      put("watched/x", "1");
      fs.renameSync(at("watched/x"), at("watched/y"));
      fs.unlinkSync(at("watched/y"));
      fs.mkdirSync(at("watched/last"));
      await done;
      return heard;
    },
    "temporary names"() {
      const made = [fs.mkdtempSync(at("tmp-")), fs.mkdtempSync(at("tmp-"))];
      const name = /^tmp-[A-Za-z0-9]{6}$/;
      return [made.every((path) => name.test(path.slice(root.length + 1))), made[0] !== made[1]];
    },
    async "blobs over files"() {
      const blob = await fs.openAsBlob(put("blob", "blob's text"), { type: "text/plain" });
      const clone = codeOf(() => structuredClone(blob));
      return [blob.size, blob.type, await blob.slice(0, 4).text(), clone];
    },
    async "blobs over files that change"() {
      const path = put("blob", "blob's text");
      const blob = await fs.openAsBlob(path);
      const part = blob.slice(2);
      const whole = new Blob(["<", blob, ">"]);
      const read = async () => [
        await blob.text().catch(({ name }) => name),
        await part.text().catch(({ name }) => name),
      ];
      const before = [...(await read()), await whole.text()];
      fs.writeFileSync(path, "another text");
      const after = await read();
      fs.unlinkSync(path);
      return [before, after, await read()];
    },
    "vectors at positions"() {
      return using(at("vector"), "w+", (fd) => {
        const written = fs.writevSync(fd, [Buffer.from("12"), Buffer.from("34")], 3);
        const parts = [Buffer.alloc(4), Buffer.alloc(4)];
        return [written, fs.readvSync(fd, parts, 2), Buffer.concat(parts).toString("hex")];
      });
    },
    "the file system itself"() {
      const { bsize, blocks, bavail } = fs.statfsSync(root);
      return [bsize, blocks > 0, bavail > 0];
    },
  };

  const result = {};
  for (const [name, check] of Object.entries(checks)) {
    try {
      result[name] = await check();
    } catch (error) {
      result[name] =
        `failed: ${error.stack.replaceAll(root, "ROOT").split("\n").slice(0, 2).join()}`;
    }
  }
  return result;
}
