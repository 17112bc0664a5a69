// Host tools as system calls: what goes to the host and what does not, what is on the bill, whose a stream is.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Errno } from "../../../dist/abi/errno.js";
import { Deferred } from "../../../dist/kernel/io/deferred.js";
import { limits } from "../../../dist/kernel/limits.js";
import { ToolRegistry } from "../../../dist/kernel/tools/registry.js";
import { executorTool, hostCommandLimits } from "../../../dist/protocol/host-commands.js";
import { ToolForm } from "../../../dist/protocol/tool-values.js";
import { mostToolBytes } from "../../../dist/protocol/tools.js";
import { callerOf, seen } from "./callers.mjs";

const descriptor = (name, aliases = []) => ({ name, aliases, description: `does ${name}` });
const valueBytes = 1024;
const executor = { name: executorTool, aliases: [], description: "" };

/** A caller in a machine with tools; `put` is what has gone to the host. */
function withTools(given = {}, tools = [descriptor("add", ["plus"]), descriptor("list")]) {
  const put = [];
  const ask = (what) => {
    const answer = new Deferred();
    answer.onCancel(() => (put.find((one) => one.answer === answer).cancelled = true));
    put.push({ ...what, answer });
    return answer;
  };
  const made = callerOf({
    ...given,
    own: { toolStreams: new Set(), ended: false, ...given.own },
    machine: () => {
      const registry = new ToolRegistry();
      registry.register(tools);
      return {
        limits: { valueBytes },
        tools: registry,
        callTool: (name, input) => ask({ name, input: Buffer.from(input).toString() }),
        nextOfTool: (stream, stop) => ask({ stream, stop }),
        endOfTool: (stream) => put.push({ ended: stream }),
      };
    },
  });
  return { ...made, put };
}
const input = Buffer.from("{}");
const textOf = ({ json }) => JSON.parse(Buffer.from(json));

test("a call goes to the host by the tool's name, and is on the bill until it is over", () => {
  const { caller, call, put } = withTools();
  const waiting = call("callTool", { name: "plus", parts: 0, input });
  const answers = seen(waiting);
  assert.deepEqual([put[0].name, put[0].input, answers], ["add", "{}", []]);
  put[0].answer.settle({ id: 1, ok: true, json: Buffer.from("5") });
  assert.equal(textOf(answers[0]), 5);
  assert.equal(caller.bill.usage(0).toolCalls, 1);
});

test("a tool that is not there, or too long an input, is answered without the host", () => {
  const { call, put } = withTools();
  assert.equal(
    textOf(call("callTool", { name: "none", parts: 0, input })).code,
    "ERR_TOOL_NOT_FOUND",
  );
  const long = Buffer.alloc(mostToolBytes(valueBytes) + 1);
  assert.equal(
    textOf(call("callTool", { name: "add", parts: 0, input: long })).code,
    "ERR_TOOL_LIMIT",
  );
  assert.deepEqual(put, []);
});

test("no input leaves before the tool scope has allowed the call, by the tool's own name", () => {
  const { call, put } = withTools({ policies: { tool: "deny" } });
  assert.match(
    call("callTool", { name: "plus", parts: 0, input }),
    /^EACCES: permission denied, .*add/,
  );
  assert.deepEqual(put, []);
  assert.deepEqual(textOf(call("describeTools", { name: "" })), []);
});

test("who gives up the call ends it at the host", () => {
  const { call, put } = withTools();
  call("callTool", { name: "add", parts: 0, input }).cancel();
  assert.equal(put[0].cancelled, true);
});

test("descriptions: of all, of one by name or alias, and none of one that is not there", () => {
  const { call } = withTools();
  const names = (name) => textOf(call("describeTools", { name })).map((tool) => tool.name);
  assert.deepEqual([names(""), names("plus")], [["add", "list"], ["add"]]);
  assert.equal(call("describeTools", { name: "none" }), -Errno.ENOENT);
});

/** A result that is stream `id`. */
const stream = (id) => ({ id, ok: true, json: Uint8Array.of(ToolForm.stream) });

test("a stream belongs to the process that called, until its end, a failure, or it stops", () => {
  const { caller, call, put } = withTools();
  const answers = seen(call("callTool", { name: "list", parts: 0, input }));
  put[0].answer.settle(stream(77));
  assert.equal(Buffer.from(answers[0].json).readUInt32LE(1), 77);
  assert.equal(call("toolNext", { stream: 78, stop: false }), -Errno.EBADF);
  const next = seen(call("toolNext", { stream: 77, stop: false }));
  put[1].answer.settle({ id: 2, ok: true, json: Buffer.from("1") });
  assert.equal(textOf(next[0]), 1);
  seen(call("toolNext", { stream: 77, stop: false }));
  put[2].answer.settle({ id: 3, ok: true, json: Uint8Array.of(ToolForm.ended) });
  assert.equal(call("toolNext", { stream: 77, stop: false }), -Errno.EBADF);
  caller.toolStreams.add(80);
  assert.ok(call("toolNext", { stream: 80, stop: true }) instanceof Deferred);
  assert.equal(call("toolNext", { stream: 80, stop: true }), -Errno.EBADF);
});

test("one stream too many, or one for a process that has ended, is ended at the host", () => {
  const { caller, call, put } = withTools();
  for (let id = 0; id < limits.toolStreams; id++) caller.toolStreams.add(1000 + id);
  const answers = seen(call("callTool", { name: "list", parts: 0, input }));
  put[0].answer.settle(stream(77));
  assert.equal(textOf(answers[0]).code, "ERR_TOOL_LIMIT");
  assert.deepEqual(put[1], { ended: 77 });
  caller.toolStreams.clear();
  seen(call("callTool", { name: "list", parts: 0, input }));
  caller.ended = true;
  put[2].answer.settle(stream(78));
  assert.deepEqual(put[3], { ended: 78 });
  assert.equal(caller.toolStreams.size, 0);
});

test("a command of the host's: which one it is was fixed when the process was made", () => {
  const start = { mode: "host", image: "make", argv: ["make", "all"], cwd: "/w", env: { A: "1" } };
  const { call, put } = withTools({ own: { startOptions: start } }, [executor]);
  const nothing = Buffer.alloc(0);
  seen(call("hostCommand", { step: 0, data: nothing }));
  const { id, ...order } = JSON.parse(put[0].input);
  assert.deepEqual(order, {
    step: 0,
    command: "make",
    args: ["make", "all"],
    cwd: "/w",
    env: { A: "1" },
  });
  seen(call("hostCommand", { step: 2, data: Buffer.from("hi") }));
  const second = JSON.parse(put[1].input);
  assert.equal(second.id, id);
  const tooLong = Buffer.alloc(hostCommandLimits.pieceBytes + 1);
  assert.equal(call("hostCommand", { step: 2, data: tooLong }), -Errno.EINVAL);
  assert.equal(call("hostCommand", { step: 99, data: nothing }), -Errno.EINVAL);
  // Another program of the machine is none.
  const plain = withTools({ own: { startOptions: { ...start, mode: "program" } } }, [executor]);
  assert.equal(plain.call("hostCommand", { step: 0, data: nothing }), -Errno.EPERM);
  const without = withTools({ own: { startOptions: start } });
  assert.equal(without.call("hostCommand", { step: 0, data: nothing }), -Errno.EPERM);
});
