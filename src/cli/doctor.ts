/**
 * Owns `secure-exec doctor`: what this host offers, layer by layer, and whether
 * a program runs. Exit code 1 when a required layer is missing or the test fails.
 * Untrusted: nothing; the probe is our own code in our own engine.
 */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { engineVersion, findEngine } from "../launcher/engine.js";
import type { NodeRuntimeIsolationLayer } from "../sdk/isolation.js";
import { failure, SecureExecError } from "../sdk/errors.js";
import { NodeRuntime } from "../sdk/runtime.js";
import { savings } from "../sdk/savings.js";
import type { Savings } from "../sdk/savings.js";

/** Without these no program is run. */
const requiredLayers: readonly string[] = ["seccomp", "no_new_privs"];
const probeTimeoutMs = 30_000;
const selfTestTimeoutMs = 30_000;

interface LayerReport {
  layer: string;
  available: boolean;
  why: string;
}

async function probe(engine: string): Promise<LayerReport[]> {
  const url = new URL("../sandbox/probe.js", import.meta.url).href;
  const program = `import { probeIsolation } from ${JSON.stringify(url)};
console.log(JSON.stringify(probeIsolation()));`;
  const { stdout } = await promisify(execFile)(
    engine,
    ["--no-warnings", "--input-type=module", "-e", program],
    { env: {}, timeout: probeTimeoutMs, encoding: "utf8" },
  );
  return JSON.parse(stdout) as LayerReport[];
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map(
      (row) =>
        row
          .map((cell, column) => cell.padEnd(widths[column]!))
          .join("  ")
          .trimEnd() + "\n",
    )
    .join("");
}

function describe(error: unknown): string {
  if (!SecureExecError.isSecureExecError(error))
    return error instanceof Error ? error.message : String(error);
  const stderr = typeof error.details?.stderr === "string" ? error.details.stderr.trimEnd() : "";
  return `${error.message} [${error.code}]${stderr === "" ? "" : `\n${stderr}`}`;
}

function savingRows({ contiguousHeap, hugeTextPages, pagesAhead }: Savings) {
  return [
    contiguousHeap
      ? ["contiguous heap", "yes", "V8's chunks share page tables"]
      : ["contiguous heap", "no", "no address space to set aside (ulimit -v?) or no /proc"],
    hugeTextPages > 0
      ? ["engine text", "yes", `${hugeTextPages} huge pages`]
      : ["engine text", "no", "no transparent huge pages, or no executable anonymous memory"],
    pagesAhead > 0
      ? ["pages ahead", "yes", `${pagesAhead} pages copied while a guest waits`]
      : ["pages ahead", "no", "/proc/self/pagemap cannot be read, or Linux is older than 5.14"],
  ];
}

async function selfTest(): Promise<{ saved: Savings; layers: NodeRuntimeIsolationLayer[] }> {
  const runtime = await NodeRuntime.create();
  try {
    const { value, exitCode, stderr } = await runtime.run("__return(1 + 1);", {
      timeout: selfTestTimeoutMs,
    });
    if (value !== 2)
      throw new Error(`expected 2, got ${String(value)} with exit code ${exitCode}\n${stderr}`);
    return { saved: await savings(), layers: await runtime.isolation() };
  } finally {
    await runtime.dispose();
  }
}

/** Prints the report; resolves with the exit code. */
export async function doctor(): Promise<number> {
  const print = (text: string): boolean => process.stdout.write(text);
  print(`host node    ${process.version} (${process.platform} ${process.arch})\n`);
  const engine = findEngine();
  if ("problem" in engine) {
    print(`engine       missing: ${describe(failure(engine.problem, { why: engine.why }))}\n`);
    return 1;
  }
  const version = engine.overridden ? `overridden, wanted ${engineVersion}` : engine.version;
  print(`engine       ${engine.path} (${version})\n\n`);

  let healthy = true;
  try {
    const layers = await probe(engine.path);
    const rows = layers.map(({ layer, available, why }) => [
      layer,
      available ? "yes" : "no",
      requiredLayers.includes(layer) ? "required" : "optional",
      why,
    ]);
    print(table([["LAYER", "AVAILABLE", "NEED", "WHY"], ...rows]));
    const present = new Set(layers.filter(({ available }) => available).map(({ layer }) => layer));
    const missing = requiredLayers.filter((layer) => !present.has(layer));
    if (missing.length > 0) {
      print(`\nMissing and required: ${missing.join(", ")}. Programs will not be run.\n`);
      healthy = false;
    }
  } catch (error) {
    print(`The isolation probe failed: ${describe(error)}\n`);
    healthy = false;
  }

  try {
    const { saved, layers } = await selfTest();
    print("\nself test    passed\n\n");
    const rows = layers.map(({ layer, active, why }) => [layer, active ? "yes" : "no", why]);
    print(table([["layer", "around programs", "why"], ...rows]) + "\n");
    print(table([["saving", "here", "what it is"], ...savingRows(saved)]));
  } catch (error) {
    print(`\nself test    failed: ${describe(error)}\n`);
    healthy = false;
  }
  return healthy ? 0 : 1;
}
