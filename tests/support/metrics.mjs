// Text for Prometheus, read strictly.
import assert from "node:assert/strict";

/** Samples by name and labels; every one has a type, and its name stands in one family. */
export function samplesOf(text) {
  const samples = new Map();
  const typed = new Set();
  for (const line of text.trimEnd().split("\n")) {
    const type = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(line);
    if (type !== null) typed.add(type[1]);
    if (line.startsWith("#")) continue;
    const [, name, labels = "", value] = /^([a-z_]+)(\{[^}]*\})? (\S+)$/.exec(line) ?? [];
    assert.ok(name !== undefined, line);
    assert.ok(typed.has(name) || typed.has(name.replace(/_(bucket|sum|count)$/, "")), line);
    assert.ok(Number.isFinite(Number(value)), line);
    samples.set(name + labels, Number(value));
  }
  return samples;
}
