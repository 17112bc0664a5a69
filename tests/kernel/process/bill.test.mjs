// What a run has used is on its own bill and on its machine's, and nothing of it is taken off.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Bill } from "../../../dist/kernel/process/bill.js";

test("what counts for a run counts for its machine", () => {
  const machine = new Bill();
  const [one, other] = [new Bill(machine), new Bill(machine)];
  one.moved("file", "in", 10);
  one.moved("tcp", "in", 20);
  one.moved("udp", "out", 30);
  one.moved("pipe", "out", 40);
  other.moved("file", "in", 1);
  one.served(0.5, 1);
  one.served(0.25, 0);
  other.count("toolCalls");
  const of = (bill) => {
    const {
      bytesRead,
      bytesWritten,
      bytesSent,
      bytesReceived,
      systemCalls,
      kernelCpuMs,
      toolCalls,
    } = bill.usage(0);
    return [bytesRead, bytesWritten, bytesSent, bytesReceived, systemCalls, kernelCpuMs, toolCalls];
  };
  assert.deepEqual(of(one), [10, 40, 30, 20, 1, 0.75, 0]);
  assert.deepEqual(of(other), [1, 0, 0, 0, 0, 0, 1]);
  assert.deepEqual(of(machine), [11, 40, 30, 20, 1, 0.75, 1]);
});

test("the peak is the largest of all, time of the living is added when it is asked for", () => {
  const machine = new Bill();
  const [one, other] = [new Bill(machine), new Bill(machine)];
  one.reached(100);
  other.reached(70);
  one.reached(90);
  assert.equal(one.usage(0).peakMemoryBytes, 100);
  assert.equal(other.usage(0).peakMemoryBytes, 70);
  assert.equal(machine.usage(0).peakMemoryBytes, 100);
  one.ended(5);
  assert.equal(one.usage(2).cpuMs, 7);
  assert.equal(one.usage(0).cpuMs, 5);
  assert.equal(machine.usage(0).cpuMs, 5);
});
