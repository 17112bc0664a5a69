// node:sqlite over the files of the machine.
import assert from "node:assert/strict";
import { test } from "node:test";
import { distance } from "../../dist/launcher/engine-symbols.js";
import { machine } from "../support/machines.mjs";

const rt = await machine({
  limits: { memoryBytes: 512 * 1024 * 1024 },
  files: {
    "/home/user/not.db": "this is no database at all, and longer than one hundred bytes ".repeat(4),
  },
});

async function prints(expected, source, runtime = rt) {
  const { stdout, stderr, exitCode } = await runtime.execCommand(
    "node",
    ["--expose-gc", "-e", `const { DatabaseSync, backup } = require("node:sqlite");\n${source}`],
    { cwd: "/home/user", timeout: 60_000 },
  );
  assert.equal(stdout, expected, stderr);
  assert.equal(exitCode, 0, stderr);
}

const failure = (call) =>
  `try { ${call}; console.log("done") } catch ({ message, code, errcode }) { console.log(code, errcode, message) }`;

test("a function that the binary does not name is not found", () => {
  assert.equal(distance("no_such_function", "neither_this"), undefined);
});

test("a database in memory computes, sorts beyond memory and joins", async () => {
  await prints(
    "42\n200000 199999\n",
    `const db = new DatabaseSync(":memory:");
     console.log(db.prepare("select 6 * 7 as v").get().v);
     db.exec("pragma temp_store = file; pragma cache_size = 50");
     db.exec("create table t as with recursive n(i) as (select 0 union all select i + 1 from n where i < 199999) select i, printf('%040d', i * 7919 % 200000) as s from n");
     const { c, m } = db.prepare("select count(*) as c, max(i) as m from (select * from t order by s, i desc)").get();
     console.log(c, m);`,
  );
});

test("a database file is one of the machine: journal, reopening, integrity", async () => {
  await prints(
    "true false\n2 /home/user/a.db\nok 1\n",
    `const fs = require("fs");
     const db = new DatabaseSync("a.db");
     db.exec("create table t(a, b)");
     db.exec("begin; insert into t values (1, 'x'), (2, 'y')");
     const during = fs.existsSync("a.db-journal");
     db.exec("commit");
     console.log(during, fs.existsSync("a.db-journal"));
     db.close();
     const again = new DatabaseSync(require("url").pathToFileURL("/home/user/a.db"), { readOnly: true });
     console.log(again.prepare("select count(*) as n from t").get().n, again.location());
     again.close();
     const last = new DatabaseSync("a.db");
     last.exec("begin; delete from t where a = 1");
     last.exec("rollback; begin; delete from t where a = 2; commit");
     console.log(last.prepare("pragma integrity_check").get().integrity_check, last.prepare("select a from t").get().a);`,
  );
  // What a killed writer leaves, the next one rolls back.
  await prints(
    "SIGKILL 1 ok\n",
    `const { spawnSync } = require("child_process");
     const text = "const { DatabaseSync } = require('node:sqlite'); const db = new DatabaseSync('a.db'); db.exec('pragma cache_size = 1; begin immediate'); const s = db.prepare('insert into t values (?, ?)'); for (let i = 0; i < 500; i++) s.run(i, 'z'.repeat(500)); process.kill(process.pid, 'SIGKILL')";
     const { signal } = spawnSync(process.execPath, ["-e", text]);
     const db = new DatabaseSync("a.db");
     console.log(signal, db.prepare("select count(*) as n from t").get().n, db.prepare("pragma integrity_check").get().integrity_check);`,
  );
});

test("connections lock each other out, in one process and across", async () => {
  await prints(
    "ERR_SQLITE_ERROR 5 database is locked\nERR_SQLITE_ERROR 5 database is locked\ndone\nreader ok\nwaited true\n",
    `const { spawn, spawnSync } = require("child_process");
     const one = new DatabaseSync("locks.db");
     one.exec("create table t(a)");
     const two = new DatabaseSync("locks.db");
     one.exec("begin immediate; insert into t values (1)");
     ${failure(`two.exec("insert into t values (2)")`)}
     const child = (text) => spawnSync(process.execPath, ["-e", "const { DatabaseSync } = require('node:sqlite'); " + text], { encoding: "utf8" });
     process.stdout.write(child(${JSON.stringify(failure(`new DatabaseSync("locks.db").exec("insert into t values (3)")`))}).stdout);
     one.exec("commit");
     process.stdout.write(child(${JSON.stringify(failure(`new DatabaseSync("locks.db").exec("insert into t values (3)")`))}).stdout);
     const reader = two.prepare("select * from t").iterate();
     reader.next();
     console.log("reader", child("console.log(new DatabaseSync('locks.db').prepare('select count(*) as n from t').get().n)").stdout.trim() === "2" ? "ok" : "no");
     reader.return();
     // A busy timeout waits until the other process lets go.
     const other = spawn(process.execPath, ["-e", "const { DatabaseSync } = require('node:sqlite'); const db = new DatabaseSync('locks.db'); db.exec('begin exclusive'); console.log('held'); process.stdin.once('data', () => setTimeout(() => { db.exec('commit'); process.exit() }, 50))"], { stdio: ["pipe", "pipe", "inherit"] });
     other.stdout.once("data", () => {
       other.stdin.write("go\\n");
       const patient = new DatabaseSync("locks.db", { timeout: 20000 });
       patient.exec("insert into t values (4)");
       console.log("waited", patient.prepare("select count(*) as n from t").get().n === 3);
     });`,
  );
});

test("what cannot be opened or written fails as SQLite says it", async () => {
  await prints(
    [
      "ERR_SQLITE_ERROR 14 unable to open database file",
      "ERR_SQLITE_ERROR 26 file is not a database",
      "ERR_SQLITE_ERROR 8 attempt to write a readonly database",
      "ERR_LOAD_SQLITE_EXTENSION undefined native extensions cannot be loaded in this virtual machine",
      "",
    ].join("\n"),
    `${failure(`new DatabaseSync("/nowhere/x.db")`)}
     ${failure(`new DatabaseSync("not.db").exec("create table t(a)")`)}
     new DatabaseSync("ro.db").exec("create table t(a)");
     ${failure(`new DatabaseSync("ro.db", { readOnly: true }).exec("insert into t values (1)")`)}
     const open = new DatabaseSync(":memory:", { allowExtension: true });
     ${failure(`open.loadExtension("./x.so")`)}`,
  );
  const small = await machine({ limits: { fileSystemBytes: 8 * 1024 * 1024 } });
  await prints(
    "ERR_SQLITE_ERROR 13 database or disk is full\n0 ok\n",
    `const db = new DatabaseSync("full.db");
     db.exec("create table t(a)");
     ${failure(`db.exec("insert into t with recursive n(i) as (select 0 union all select i + 1 from n where i < 5000) select randomblob(4000) from n")`)}
     console.log(db.prepare("select count(*) as n from t").get().n, db.prepare("pragma integrity_check").get().integrity_check);`,
    small,
  );
  const guarded = await machine({
    permissions: {
      fs: {
        default: "allow",
        rules: [{ mode: "deny", operations: ["*"], paths: ["/tmp/secret/**"] }],
      },
    },
    files: { "/tmp/secret/x.db": "" },
  });
  await prints(
    "ERR_SQLITE_ERROR 14 unable to open database file\n",
    failure(`new DatabaseSync("/tmp/secret/x.db")`),
    guarded,
  );
});

test("backup copies what is committed, a few pages at a time", async () => {
  await prints(
    "true true 3000 ok\nERR_INVALID_ARG_TYPE ERR_SQLITE_ERROR 14\n3000 again\n",
    `(async () => {
       const db = new DatabaseSync("source.db");
       db.exec("create table t(a, b)");
       db.exec("insert into t with recursive n(i) as (select 1 union all select i + 1 from n where i < 3000) select i, hex(randomblob(50)) from n");
       const seen = [];
       const pages = await backup(db, "copy.db", { rate: 10, progress: (state) => seen.push(state) });
       const copy = new DatabaseSync("copy.db");
       console.log(seen.length > 3, seen.every(({ totalPages, remainingPages }) => totalPages === pages && remainingPages > 0 && remainingPages < pages),
         copy.prepare("select count(*) as n from t").get().n, copy.prepare("pragma integrity_check").get().integrity_check);
       let wrong;
       try { backup(db) } catch ({ code }) { wrong = code }
       const failed = await backup(db, "/nowhere/x.db").catch((error) => error);
       console.log(wrong, failed.code, failed.errcode);
       // A connection to the destination sees what was put there.
       copy.exec("delete from t");
       await backup(db, "copy.db");
       console.log(copy.prepare("select count(*) as n from t").get().n, "again");
     })();`,
  );
});

test("sessions, functions and serialized images are the engine's own", async () => {
  await prints(
    "1 6\n2\n",
    `const a = new DatabaseSync("s1.db"), b = new DatabaseSync("s2.db");
     for (const db of [a, b]) db.exec("create table t(id integer primary key, v)");
     const session = a.createSession();
     a.prepare("insert into t values (1, 5)").run();
     b.applyChangeset(session.changeset());
     b.function("inc", (n) => n + 1);
     const { id, v } = b.prepare("select id, inc(v) as v from t").get();
     console.log(id, v);
     a.exec("insert into t values (2, 6)");
     const c = new DatabaseSync(":memory:");
     c.deserialize(a.serialize());
     console.log(c.prepare("select count(*) as n from t").get().n);`,
  );
});

test("collected, abandoned and terminated databases take nothing with them", async () => {
  await prints(
    "collected\nworker 1 /home/user/w.db\nterminated 2\nunlocked\n",
    `for (let i = 0; i < 30; i++) {
       const db = new DatabaseSync("g" + i);
       db.exec("create table if not exists t(a); insert into t values (1)");
       db.prepare("select * from t union all select 2").iterate().next();
     }
     gc(); gc();
     console.log("collected");
     const { Worker } = require("worker_threads");
     new DatabaseSync("w.db").exec("create table t(a); insert into t values (1)");
     const text = \`
       const { DatabaseSync } = require("node:sqlite");
       const db = new DatabaseSync("w.db");
       require("fs").writeSync(1, "worker " + db.prepare("select count(*) as n from t").get().n + " " + db.location() + "\\\\n");
       db.exec("insert into t values (2)");
       db.exec("attach 'other.db' as o; create table o.t(a); begin immediate; insert into t values (3)");
       require("worker_threads").parentPort.postMessage(1);
       setInterval(() => {}, 1000);\`;
     const worker = new Worker(text, { eval: true });
     worker.on("message", () => worker.terminate().then(() => {
       const db = new DatabaseSync("w.db");
       console.log("terminated", db.prepare("select count(*) as n from t").get().n);
       db.exec("begin exclusive; rollback");
       console.log("unlocked");
     }));`,
  );
});

test("workers that are stopped in the middle of their statements take nothing with them", async () => {
  await prints(
    "stopped 12 ok\n",
    `const { Worker } = require("node:worker_threads");
     const source = \`
       const { parentPort } = require("node:worker_threads");
       const { DatabaseSync } = require("node:sqlite");
       const db = new DatabaseSync("busy.db", { timeout: 5000 });
       db.exec("create table if not exists t (n)");
       parentPort.postMessage("begun");
       for (;;) db.exec("insert into t values (1); delete from t");\`;
     let stopped = 0;
     const next = () => {
       if (stopped === 12) {
         const db = new DatabaseSync("busy.db");
         return console.log("stopped", stopped, db.prepare("pragma integrity_check").get().integrity_check);
       }
       const worker = new Worker(source, { eval: true });
       worker.on("message", () => worker.terminate().then(() => { stopped++; next(); }));
     };
     next();`,
  );
});
