// What goes through a border, counted by host, and its bounds.
import assert from "node:assert/strict";
import { test } from "node:test";
import { HostCounts } from "../../../dist/kernel/border/host-counts.js";

test("bytes before a connection's first request are that request's host's", () => {
  const counts = new HostCounts({ requests: 0, bytes: 0 });
  const meter = counts.meter(() => {});
  assert.equal(meter.count("sent", 300), true);
  assert.equal(counts.request("a.example", meter), undefined);
  meter.count("sent", 10);
  meter.count("received", 5);
  assert.equal(counts.request("a.example", meter), undefined);
  // The connection goes on with another host: what has passed stays the first one's.
  assert.equal(counts.request("b.example", meter), undefined);
  meter.count("received", 7);
  assert.deepEqual(counts.usage(), {
    "a.example": { requests: 2, bytesSent: 310, bytesReceived: 5 },
    "b.example": { requests: 1, bytesSent: 0, bytesReceived: 7 },
  });
});

test("requests up to the bound are counted, the next is refused and not counted", () => {
  const counts = new HostCounts({ requests: 2, bytes: 0 });
  const meters = [0, 1, 2].map(() => counts.meter(() => {}));
  assert.deepEqual(
    meters.map((meter) => counts.request("a.example", meter)),
    [undefined, undefined, "limits.requestsPerHost"],
  );
  assert.equal(counts.usage()["a.example"].requests, 2);
  assert.equal(counts.request("b.example", meters[2]), undefined);
});

test("bytes of all connections to a host count together, and stop each of them", () => {
  const counts = new HostCounts({ requests: 0, bytes: 100 });
  const [one, two] = [counts.meter(() => {}), counts.meter(() => {})];
  counts.request("a.example", one);
  counts.request("a.example", two);
  assert.equal(one.count("sent", 60), true);
  assert.equal(two.count("received", 40), true);
  assert.equal(two.count("received", 1), false);
  assert.equal(one.count("sent", 0), false);
  assert.equal(counts.request("a.example", one), "limits.bytesPerHost");
  // Also before the first request.
  const early = counts.meter(() => {});
  assert.equal(early.count("sent", 101), false);
});

test("who is told of a connection's end is who asked for it", () => {
  let ended = 0;
  const meter = new HostCounts({ requests: 0, bytes: 0 }).meter(() => ended++);
  meter.ended();
  assert.equal(ended, 1);
});
