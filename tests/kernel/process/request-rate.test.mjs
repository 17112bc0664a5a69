import assert from "node:assert/strict";
import { test } from "node:test";
import { RequestRate } from "../../../dist/kernel/process/request-rate.js";

test("a tenth of a second's requests may come at once, and then each waits for its share", (t) => {
  let now = 1000;
  t.mock.method(performance, "now", () => now);
  const rate = new RequestRate(100);
  let atOnce = 0;
  while (rate.pauseMs === 0) {
    rate.served();
    atOnce++;
  }
  assert.ok(atOnce >= 10 && atOnce <= 11, String(atOnce));
  const pause = rate.pauseMs;
  assert.ok(pause > 0 && pause <= 10, String(pause));
  now += pause;
  assert.equal(rate.pauseMs, 0);

  let served = 0;
  for (const end = now + 1000; now < end; now += Math.max(rate.pauseMs, 0.5))
    if (rate.pauseMs === 0) {
      rate.served();
      served++;
    }
  assert.ok(served >= 99 && served <= 111, `${served} in a second`);
});

test("what was not used for long is no more than a tenth of a second's", (t) => {
  let now = 0;
  t.mock.method(performance, "now", () => now);
  const rate = new RequestRate(1000);
  now = 60_000;
  let atOnce = 0;
  while (rate.pauseMs === 0 && atOnce < 1000) {
    rate.served();
    atOnce++;
  }
  assert.ok(atOnce <= 102, String(atOnce));
});
