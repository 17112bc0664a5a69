// The heap that a guest inherits grows as a fresh process's does: no full collection that plain Node would not have.
import assert from "node:assert/strict";
import { accessSync, constants } from "node:fs";
import { test } from "node:test";
import { sharedConnection } from "../../dist/sdk/kernel-group.js";
import { until } from "../support/processes.mjs";
import { machine } from "../support/machines.mjs";

const runtime = await machine();
/** Without it the zygote does not say when it is warm. */
const tells = (() => {
  try {
    accessSync("/proc/self/pagemap", constants.R_OK);
    return true;
  } catch {
    return false;
  }
})();

/** Garbage collections of a program that keeps some 70 MB; 4 is a full one, as `constants` of perf_hooks have it. */
const program = `
  import { PerformanceObserver, constants } from "node:perf_hooks";
  const kinds = [];
  const note = (list) => kinds.push(...list.getEntries().map(({ detail }) => detail.kind));
  const observer = new PerformanceObserver(note);
  observer.observe({ entryTypes: ["gc"] });
  const points = [];
  for (let i = 0; i < 700_000; i++) points.push({ x: i, y: -i, next: points[i >> 1] });
  await new Promise((resolve) => setImmediate(resolve));
  note({ getEntries: () => observer.takeRecords() });
  const full = kinds.filter((kind) => kind === constants.NODE_PERFORMANCE_GC_MAJOR).length;
  __return({ all: kinds.length, full });`;

test(
  "a program has young collections and no full one",
  { timeout: 60_000, skip: tells ? false : "/proc/self/pagemap is not to be had here" },
  async () => {
    await runtime.run("");
    const connection = await sharedConnection();
    let pagesAhead = 0;
    // The zygote's last collection, whose survivors the limit is made of, comes before that.
    await until(() => {
      void connection.call("stats", {}).then(({ json }) => {
        pagesAhead = JSON.parse(json).savings.pagesAhead;
      });
      return pagesAhead > 0;
    });
    const { value, stderr } = await runtime.run(program);
    assert.equal(stderr, "");
    assert.ok(value.all > 0, JSON.stringify(value));
    assert.equal(value.full, 0);
  },
);
