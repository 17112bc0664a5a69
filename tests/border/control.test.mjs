// The border's conversation with the kernel, over sockets of the test.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { createInterface } from "node:readline";
import { after, test } from "node:test";
import { Control, readFirstLine } from "../../dist/border/control.js";

/** Two ends of one connection. */
async function pair() {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const one = connect(server.address().port, "127.0.0.1");
  const [other] = await once(server, "connection");
  server.close();
  after(() => (one.destroy(), other.destroy()));
  return { one, other };
}

const question = (pair) => ({
  pair,
  host: "a.example",
  secure: true,
  method: "GET",
  path: "/",
  headers: [],
});

test("the first line is handed over, and what follows it is read by who comes next", async () => {
  const { one, other } = await pair();
  const line = new Promise((resolve) => readFirstLine(other, resolve));
  one.write('{"pair":');
  one.write("1}\nrest");
  assert.equal(await line, '{"pair":1}');
  assert.equal(other.isPaused(), true);
  const [rest] = await once(other.resume(), "data");
  assert.equal(String(rest), "rest");
});

test("answers find their questions, in whatever order they come", async () => {
  const { one, other } = await pair();
  // Without the kernel the border's program ends itself; here it may go on.
  const control = new Control(other);
  after(() => other.removeAllListeners("close"));
  const asked = [];
  const heard = new Promise((resolve) => {
    createInterface({ input: one }).on("line", (line) => {
      asked.push(JSON.parse(line));
      if (asked.length === 2) resolve();
    });
  });
  one.write(`${JSON.stringify({ setting: { authority: {}, ca: ["x"] } })}\n`);
  assert.deepEqual(await control.setting, { authority: {}, ca: ["x"] });
  const answers = [control.ask(question(1)), control.ask(question(2))];
  await heard;
  assert.deepEqual(
    asked.map(({ pair }) => pair),
    [1, 2],
  );
  const refused = { allow: false, status: 403, text: "no" };
  const allowed = { allow: true, headers: [["a", "b"]], query: [] };
  one.write(`${JSON.stringify({ answer: asked[1].ask, ...allowed })}\n`);
  one.write(`${JSON.stringify({ answer: asked[0].ask, ...refused })}\n`);
  const [first, second] = await Promise.all(answers);
  assert.deepEqual(
    [first.allow, first.status, second.allow, second.headers],
    [false, 403, true, [["a", "b"]]],
  );
});
