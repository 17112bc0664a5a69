// Names that are bytes and no UTF-8: made, listed, opened, renamed and removed as on Linux, by Node, the shell, commands and the host.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs, { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { machine } from "../support/machines.mjs";

const name = (...bytes) => Buffer.from(bytes);
const bash = async (rt, script, more = {}) => {
  const { stdout, stderr } = await rt.execCommand("bash", ["-c", script], {
    cwd: "/tmp",
    timeout: 30_000,
    ...more,
  });
  assert.equal(stderr, "");
  return stdout;
};
const program = async (rt, lines) => {
  const { value, stderr } = await rt.run(
    `import fs from "node:fs"; import { execFileSync } from "node:child_process";
    const hex = (list) => list.map((one) => Buffer.from(one).toString("hex")).sort();
    const codeOf = (call) => { try { return String(call()); } catch (error) { return error.code; } };
    ${lines}`,
  );
  assert.equal(stderr, "");
  return value;
};

const rt = await machine();
const temporary = mkdtempSync(join(tmpdir(), "secure-exec-names-"));
after(() => rmSync(temporary, { recursive: true, force: true }));

test("Node has them as Buffers, and strings as Node decodes them", async () => {
  assert.deepEqual(
    await program(
      rt,
      `const at = (...bytes) => Buffer.concat([Buffer.from("/tmp/n/"), Buffer.from(bytes)]);
      fs.mkdirSync("/tmp/n");
      fs.writeFileSync(at(0x66, 0xff), "one");
      fs.writeFileSync(at(0x66, 0xfe), "two");
      // A string never is a byte: a lone surrogate is U+FFFD on Node.
      fs.writeFileSync("/tmp/n/\\udcff", "three");
      const listed = hex(fs.readdirSync("/tmp/n", "buffer"));
      const strings = fs.readdirSync("/tmp/n").sort();
      const latin1 = fs.readdirSync("/tmp/n", "latin1").sort();
      const dirents = hex(fs.readdirSync("/tmp/n", { encoding: "buffer", withFileTypes: true }).map((one) => one.name));
      const read = [at(0x66, 0xff), at(0x66, 0xfe), "/tmp/n/\\ufffd", "/tmp/n/f\\ufffd"].map((path) => codeOf(() => fs.readFileSync(path, "utf8")));
      let said; try { fs.statSync(at(0xfd)); } catch (error) { said = [error.message, error.path]; }
      fs.renameSync(at(0x66, 0xff), at(0xf0));
      fs.symlinkSync(Buffer.from([0xf0]), at(0x6c));
      const link = [fs.readlinkSync(at(0x6c), "buffer").toString("hex"), fs.readlinkSync(at(0x6c)), fs.readFileSync(at(0x6c), "utf8")];
      fs.mkdirSync(at(0xe2, 0x82));
      const real = fs.realpathSync.native(at(0xe2, 0x82), "buffer").subarray(7).toString("hex");
      fs.rmSync(at(0xe2, 0x82), { recursive: true });
      fs.unlinkSync(at(0x66, 0xfe));
      __return({ listed, strings, latin1, dirents, read, said, link, real, left: hex(fs.readdirSync("/tmp/n", "buffer")) });`,
    ),
    {
      listed: ["66fe", "66ff", "efbfbd"],
      strings: ["f\ufffd", "f\ufffd", "\ufffd"],
      latin1: ["f\xfe", "f\xff", "\xef\xbf\xbd"],
      dirents: ["66fe", "66ff", "efbfbd"],
      read: ["one", "two", "three", "ENOENT"],
      said: ["ENOENT: no such file or directory, stat '/tmp/n/\ufffd'", "/tmp/n/\ufffd"],
      link: ["f0", "\ufffd", "one"],
      real: "e282",
      left: ["6c", "efbfbd", "f0"],
    },
  );
});

test("the shell and commands have each byte", async () => {
  const dump = "od -An -tx1";
  const lines = async (script) => (await bash(rt, script)).split("\n").slice(0, -1);
  assert.deepEqual(
    await lines(`mkdir s; cd s; touch $'a\\xff' $'b\\xfe' é; ls | ${dump}
      for f in a*; do printf %s "$f" | ${dump}; done
      find . -type f -print0 | sort -z | xargs -0 ls | ${dump}
      mv $'a\\xff' $'c\\xc3'; cp $'c\\xc3' d; find . -name $'*\\xc3' | ${dump}; find . -type f -name '?' | sort
      find . -type f -print0 | xargs -0 rm; ls -A | wc -l`),
    [
      " 61 ff 0a 62 fe 0a c3 a9 0a",
      " 61 ff",
      " 2e 2f 61 ff 0a 2e 2f 62 fe 0a 2e 2f c3 a9 0a",
      " 2e 2f 63 c3 0a",
      "./d",
      "./é",
      "0",
    ],
  );
  assert.deepEqual(
    await lines(`mkdir t; cd t; mkdir $'d\\xff'; echo x > $'d\\xff/e\\xfe'; ln -s $'e\\xfe' $'d\\xff/l'
      tar cf t.tar $'d\\xff'; rm -r $'d\\xff'; tar xf t.tar; tar tf t.tar; cat $'d\\xff'/e*; readlink $'d\\xff/l' | ${dump}
      cd $'d\\xff'; pwd | tail -c 3 | ${dump}; /bin/pwd | tail -c 3 | ${dump}; rm $'\\xfd' 2>&1; printf %d "'"$'\\xff'`),
    [
      "d\\377/",
      "d\\377/e\\376",
      "d\\377/l",
      "x",
      " 65 fe 0a",
      " 64 ff 0a",
      " 64 ff 0a",
      "rm: cannot remove ''$'\\375': No such file or directory",
    ],
  );
  // A name has 255 bytes, whatever they are.
  assert.deepEqual(
    await lines(
      `mkdir m; cd m; n=$(printf '\\xff%.0s' {1..255}); touch "$n"; ls | wc -c; touch "\${n}x" 2>&1 | tail -c 20`,
    ),
    ["256", " File name too long"],
  );
});

test("arguments and variables are bytes on their way through shells, and text for Node", async () => {
  assert.equal(
    await bash(
      rt,
      `X=$'q\\xff' bash -c 'printf %s "$X$0" | od -An -tx1' $'z\\xfe'
      X=$'q\\xff' node -p 'JSON.stringify([process.env.X, process.argv[1]])' $'a\\xe2\\x82b'
      node -e 'require("child_process").execFileSync("sh", ["-c", "printf %s \\"$0\\" | od -An -tx1", "\\udcff"], { stdio: "inherit" })'`,
    ),
    ' 71 ff 7a fe\n["q\ufffd","a\ufffdb"]\n ef bf bd\n',
  );
});

test("a snapshot has them, and the host's own calls", async () => {
  const one = await machine();
  await bash(
    one,
    `mkdir v; echo x > $'v/\\xff'; ln -s $'\\xfe' $'v/l'; echo y > v/$'${"\\xfe".repeat(120)}'`,
  );
  const parts = [];
  for await (const part of await one.snapshot()) parts.push(part);
  const again = await machine({ snapshot: Buffer.concat(parts) });
  assert.equal(
    await bash(again, "cat v/$'\\xff'; readlink v/l | od -An -tx1; ls v | wc -c"),
    "x\n fe 0a\n125\n",
  );
  // A byte that is no UTF-8 is U+DC00 and the byte.
  const names = await again.readDir("/tmp/v");
  assert.ok(names.includes("\udcff"));
  assert.equal(Buffer.from(await again.readFile("/tmp/v/\udcff")).toString(), "x\n");
  const out = join(temporary, "out");
  await again.copyOut("/tmp/v", out);
  const listed = fs.readdirSync(out, "buffer").map((bytes) => bytes.toString("hex"));
  assert.deepEqual(listed.sort(), ["fe".repeat(120), "ff"]);
  const back = await machine();
  await back.copyIn(out, "/tmp/v");
  assert.equal(await bash(back, "cat v/$'\\xff'; ls v | wc -c"), "x\n123\n");
});

test("files of a mounted directory have the host's names", async () => {
  const top = join(temporary, "mount");
  fs.mkdirSync(top);
  const at = (bytes) => Buffer.concat([Buffer.from(`${top}/`), bytes]);
  fs.writeFileSync(at(name(0x61, 0xff)), "host");
  fs.mkdirSync(at(name(0x64, 0xfe)));
  fs.symlinkSync(name(0x61, 0xff), at(name(0x6c)));
  const rw = await machine({ mounts: [{ hostPath: top, guestPath: "/m", readOnly: false }] });
  assert.equal(
    await bash(
      rw,
      `cd /m; ls | od -An -tx1; cat $'a\\xff' l; echo; echo new > $'d\\xfe/\\xfd'; mv $'a\\xff' $'b\\xc3'; mkdir $'\\xf8'; rmdir $'\\xf8'`,
    ),
    " 61 ff 0a 64 fe 0a 6c 0a\nhosthost\n",
  );
  assert.equal(fs.readFileSync(at(name(0x64, 0xfe, 0x2f, 0xfd)), "utf8"), "new\n");
  assert.deepEqual(
    fs
      .readdirSync(top, "buffer")
      .map((bytes) => bytes.toString("hex"))
      .sort(),
    ["62c3", "64fe", "6c"],
  );
  // And over it, where changes stay in memory.
  const over = await machine({ mounts: [{ guestPath: "/m", overlay: { lower: top } }] });
  assert.equal(
    await bash(
      over,
      "cd /m; echo more >> $'b\\xc3'; rm -r $'d\\xfe'; touch $'\\xf1'; ls | od -An -tx1",
    ),
    " 62 c3 0a 6c 0a f1 0a\n",
  );
  assert.equal(fs.readFileSync(at(name(0x62, 0xc3)), "utf8"), "host");
});

test("a rule is not dodged by other bytes for the same name, nor by names that only look like it", async () => {
  const rules = [
    { mode: "deny", paths: ["/w/é", "/w/\ufffd", "/w/closed/**", "/w/*.key"] },
    { mode: "allow", paths: ["/**"] },
  ];
  const guarded = await machine({
    files: {
      "/w/é": "accent",
      "/w/\ufffd": "replaced",
      "/w/closed/a": "closed",
      "/w/open": "open",
    },
    permissions: { fs: { default: "deny", rules } },
  });
  assert.deepEqual(
    await program(
      guarded,
      `const read = (...bytes) => codeOf(() => fs.readFileSync(Buffer.concat([Buffer.from("/w/"), Buffer.from(bytes)]), "utf8"));
      const found = {
        itself: read(0xc3, 0xa9), decomposed: read(0x65, 0xcc, 0x81),
        replaced: read(0xef, 0xbf, 0xbd), surrogate: codeOf(() => fs.readFileSync("/w/\\udcff", "utf8")),
        byte: read(0xff), encodedSurrogate: read(0xed, 0xb3, 0xbf), halves: [read(0xc3), read(0xa9)],
        overlongSlash: read(...Buffer.from("closed"), 0xc0, 0xaf, 0x61), overlongDots: read(0xc0, 0xae, 0xc0, 0xae, 0x2f, ...Buffer.from("w/closed/a")),
        through: read(0xff, ...Buffer.from("/../closed/a")),
        made: codeOf(() => fs.writeFileSync(Buffer.from([...Buffer.from("/w/"), 0xff, ...Buffer.from(".key")]), "")),
        below: codeOf(() => fs.writeFileSync(Buffer.from([...Buffer.from("/w/closed/"), 0xff]), "")),
      };
      // A link whose text leads there by parts.
      fs.symlinkSync(Buffer.from([0xc3, 0xa9]), "/w/link");
      found.link = codeOf(() => fs.readFileSync("/w/link", "utf8"));
      fs.mkdirSync(Buffer.from([...Buffer.from("/w/"), 0xfe]));
      found.move = codeOf(() => fs.renameSync("/w/é", Buffer.from([...Buffer.from("/w/"), 0xfe, 0x2f, 0x78])));
      found.cwd = codeOf(() => execFileSync("bash", ["-c", "cd /w/$'\\\\xfe'; cat ../$'\\\\xc3'$'\\\\xa9' 2>&1; cat '../é' 2>&1; true"], { encoding: "utf8" }).match(/denied/g).length);
      __return(found);`,
    ),
    {
      itself: "EACCES",
      decomposed: "ENOENT",
      replaced: "EACCES",
      surrogate: "EACCES",
      byte: "ENOENT",
      encodedSurrogate: "ENOENT",
      halves: ["ENOENT", "ENOENT"],
      overlongSlash: "ENOENT",
      overlongDots: "ENOENT",
      through: "EACCES",
      made: "EACCES",
      below: "EACCES",
      link: "EACCES",
      move: "EACCES",
      cwd: "2",
    },
  );
});

test("what the host serves itself has no such names: its own code would take them for U+FFFD", async () => {
  const asked = [];
  const served = await machine({
    mounts: [
      {
        guestPath: "/p",
        readOnly: false,
        provider: {
          lstat: (path) => {
            asked.push(path);
            if (path === "/\ufffd") return { isDirectory: false, size: 6 };
            throw Object.assign(new Error("none"), { code: "ENOENT" });
          },
          readdir: () => ["\ufffd"],
          readFile: () => "served",
          writeFile: (path) => void asked.push(path),
          mkdir: (path) => void asked.push(path),
          rename: (from, to) => void asked.push(from, to),
        },
      },
    ],
  });
  assert.deepEqual(
    await program(
      served,
      `const at = Buffer.from([...Buffer.from("/p/"), 0xff]);
      __return([codeOf(() => fs.readFileSync(at, "utf8")), codeOf(() => fs.writeFileSync(at, "")), codeOf(() => fs.mkdirSync(at)),
        codeOf(() => fs.renameSync("/p/\\ufffd", at)), codeOf(() => fs.readFileSync("/p/\\ufffd", "utf8"))]);`,
    ),
    ["ENOENT", "EILSEQ", "EILSEQ", "EILSEQ", "served"],
  );
  assert.ok(asked.length > 0 && asked.every((path) => path.isWellFormed?.() ?? true));
});

test("plain Node on this host says the same of a Buffer's path", () => {
  const script = `const fs = require("fs"); process.chdir(process.argv[1]);
    fs.writeFileSync(Buffer.from([0x66, 0xff]), "one"); fs.writeFileSync("\\udcff", "");
    console.log(JSON.stringify([fs.readdirSync(".", "buffer").map((one) => one.toString("hex")).sort(), fs.readdirSync(".", "latin1").sort()]));`;
  const folder = join(temporary, "plain");
  fs.mkdirSync(folder);
  const said = execFileSync(process.execPath, ["-e", script, folder], { encoding: "utf8" });
  assert.deepEqual(JSON.parse(said), [
    ["66ff", "efbfbd"],
    ["f\xff", "\xef\xbf\xbd"],
  ]);
});
