// The way of every call: judged before it runs, run again when an answer was late, counted when it moved something.
import assert from "node:assert/strict";
import { test } from "node:test";
import { O_CREAT, O_RDONLY, O_RDWR, O_WRONLY } from "../../../dist/abi/fcntl.js";
import { Deferred } from "../../../dist/kernel/io/deferred.js";
import { systemCalls } from "../../../dist/kernel/syscalls/table.js";
import { callerOf, seen } from "./callers.mjs";

const rules = { default: "allow", rules: [{ mode: "deny", patterns: ["/vault/**"] }] };
const write = { flags: O_WRONLY | O_CREAT, mode: 0o644, more: false };

test("a denied call says by which policy, and has no effect", () => {
  const { caller, call } = callerOf({ uid: 0, policies: { fs: rules } });
  caller.fs.mkdir({ ...caller.credentials }, "/vault", 0o755);
  assert.match(
    call("writeFile", { path: "/vault/f", data: Buffer.from("x"), ...write }),
    /^EACCES: permission denied, \/vault\/f: blocked by fs\.write policy/,
  );
  assert.match(call("stat", { path: "/vault", follow: true }), /blocked by fs\.stat policy/);
  assert.deepEqual(caller.fs.readdir(caller.credentials, "/vault"), []);
  assert.equal(caller.descriptors.size, 0);
});

test("a second name is judged by where it leads", () => {
  const { caller, call } = callerOf({ uid: 0, policies: { fs: rules } });
  caller.fs.mkdir(caller.credentials, "/vault", 0o755);
  caller.fs.symlink(caller.credentials, "/vault", "/alias");
  assert.match(call("readdir", { path: "/alias", start: 0 }), /, \/alias: blocked by fs\.readdir/);
  assert.deepEqual(call("readlink", { path: "/alias" }), { target: "/vault" });
});

test("a call whose judgement takes time keeps its bytes, and runs when it is allowed", () => {
  const questions = [];
  const ask = (scope, requests) => {
    const answer = new Deferred();
    questions.push({ scope, paths: requests.map(({ path }) => path), answer });
    return answer;
  };
  const { caller, call } = callerOf({ uid: 0, policies: { fs: "ask" }, ask });
  const frame = Buffer.from("kept");
  const outcome = seen(call("writeFile", { path: "/f", data: frame, ...write }));
  assert.deepEqual(outcome, []);
  assert.deepEqual(questions[0].paths, ["/f"]);
  // The frame that carried it is used for others by then.
  frame.fill("?");
  questions[0].answer.settle([{ allow: true }]);
  assert.deepEqual(outcome, [{ fd: -1 }]);
  const buffer = Buffer.alloc(10);
  const file = caller.fs.open(caller.credentials, "/f", O_RDONLY, 0);
  assert.equal(buffer.toString("utf8", 0, file.read(buffer, 0)), "kept");

  const refused = seen(call("unlink", { path: "/f" }));
  questions[1].answer.settle([{ allow: false, reason: "not today" }]);
  assert.match(refused[0], /blocked by fs\.rm policy: not today$/);
  assert.deepEqual(
    caller.fs.readdir(caller.credentials, "/").map(({ name }) => String(name)),
    ["f"],
  );
});

test("what a call has moved is on the bill of its process", () => {
  const { caller, call } = callerOf({ uid: 0 });
  const { fd } = call("open", { path: "/f", flags: O_RDWR | O_CREAT, mode: 0o644 });
  call("write", { fd, data: Buffer.alloc(100), position: -1 });
  call("read", { fd, length: 60, position: 0 });
  call("stat", { path: "/f", follow: true });
  const { bytesRead, bytesWritten, bytesReceived } = caller.bill.usage(0);
  assert.deepEqual(
    { bytesRead, bytesWritten, bytesReceived },
    {
      bytesRead: 60,
      bytesWritten: 100,
      bytesReceived: 0,
    },
  );
});

test("a row that demands something says so in words, and one that does not has none", () => {
  for (const [name, row] of Object.entries(systemCalls)) {
    const demands =
      row.demand !== undefined || row.requests !== undefined || row.found !== undefined;
    if (demands) assert.equal(typeof row.asks, "string", name);
  }
});
