// Secrets that servers repeat: written over wherever a stream is cut, and nothing else.
import assert from "node:assert/strict";
import { test } from "node:test";
import { formsOf, Redactor, redactText } from "../../dist/border/redact.js";

/** What comes out of `chunks`, and how much had come out before the end. */
async function through(secrets, chunks) {
  const redactor = new Redactor(secrets);
  const parts = [];
  redactor.on("data", (part) => parts.push(part));
  for (const chunk of chunks) await new Promise((done) => redactor.write(chunk, done));
  const before = Buffer.concat(parts).length;
  await new Promise((done) => redactor.end(done));
  return { text: Buffer.concat(parts).toString("latin1"), before };
}

test("a header's value is known whole, without its scheme, and as part of a URL", () => {
  assert.deepEqual(formsOf("Bearer abc/def+12"), [
    "Bearer abc/def+12",
    "Bearer%20abc%2Fdef%2B12",
    "abc/def+12",
  ]);
  // Too short to be told from what is no secret.
  assert.deepEqual(formsOf("12345"), []);
  assert.deepEqual(formsOf("Basic 123"), ["Basic 123", "Basic%20123"]);
});

test("a text keeps its length", () => {
  assert.equal(redactText("a=secret&b=secret2", ["secret"]), "a=******&b=******2");
});

test("a secret is found wherever the stream is cut", async () => {
  const whole = "before secret-key after secret-key";
  const right = "before ********** after **********";
  for (let cut = 0; cut <= whole.length; cut++) {
    const chunks = [whole.slice(0, cut), whole.slice(cut)].filter((part) => part !== "");
    const { text } = await through(["secret-key"], chunks);
    assert.equal(text, right, String(cut));
  }
  const { text } = await through(["secret-key"], [...whole]);
  assert.equal(text, right);
});

test("no more is held back than may become a secret, and that comes at the end", async () => {
  const { text, before } = await through(["secret-key"], ["hello sec"]);
  assert.deepEqual([text, before], ["hello sec", "hello ".length]);
  const none = await through(["secret-key"], ["hello"]);
  assert.equal(none.before, "hello".length);
});

test("what is read elsewhere stays as it was", async () => {
  const chunk = Buffer.from("a secret-key");
  const { text } = await through(["secret-key"], [chunk]);
  assert.equal(text, "a **********");
  assert.equal(chunk.toString(), "a secret-key");
});

test("secrets that overlap are both gone", async () => {
  const { text } = await through(["abcdef", "defghi"], ["abcdefghi defghi"]);
  assert.ok(!text.includes("abcdef") && !text.includes("defghi"), text);
  assert.equal(text.length, "abcdefghi defghi".length);
});
