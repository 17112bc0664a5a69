/**
 * Owns the question what this Linux spares each guest of page faults and page tables.
 * What is missing costs time, never safety.
 */
import type { KernelStats } from "../protocol/host-calls.js";
import { sharedConnection } from "./kernel-group.js";

export type Savings = KernelStats["savings"];

/** A zygote is warm after a second or two without work. */
const warmTimeoutMs = 10_000;
const warmPollMs = 100;

/** Those of the first kernel, once its zygote is warm. */
export async function savings(): Promise<Savings> {
  const connection = await sharedConnection();
  const until = Date.now() + warmTimeoutMs;
  for (;;) {
    const { json } = await connection.call("stats", {});
    const saved = (JSON.parse(json) as KernelStats).savings;
    if (saved.pagesAhead > 0 || Date.now() > until) return saved;
    await new Promise((resolve) => setTimeout(resolve, warmPollMs));
  }
}
