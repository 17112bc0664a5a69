/**
 * Owns how a host reads the figures of its kernels, as Prometheus text.
 *
 * Invariant: asking starts no kernel; one that is lost while it is asked has no figures.
 * Untrusted: nothing.
 */
import { MetricsText, kernelMetricsTo } from "../protocol/metrics.js";
import type { KernelMetrics } from "../protocol/metrics.js";
import type { KernelConnection } from "./kernel-connection.js";

async function figuresOf(kernel: KernelConnection): Promise<KernelMetrics[]> {
  try {
    const { json } = await kernel.call("metrics", {});
    return [JSON.parse(json) as KernelMetrics];
  } catch (error) {
    if (kernel.alive) throw error;
    return [];
  }
}

/** Adds the figures of kernels to a text. */
export async function addKernels(
  text: MetricsText,
  kernels: readonly KernelConnection[],
): Promise<void> {
  kernelMetricsTo(text, (await Promise.all(kernels.map(figuresOf))).flat());
}

export async function metricsOf(kernels: readonly KernelConnection[]): Promise<string> {
  const text = new MetricsText();
  await addKernels(text, kernels);
  return text.toString();
}
