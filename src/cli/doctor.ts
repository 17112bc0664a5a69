/**
 * Owns `secure-exec doctor`: what this host offers, layer by layer, and whether
 * a program runs. Exit code 1 when a required layer is missing or the test fails.
 * Untrusted: nothing; the probe is our own code in our own engine.
 */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { engineVersion, findEngine } from "../launcher/engine.js";
import { cgroupEnvironment } from "../sdk/cgroup-environment.js";
import type { NodeRuntimeIsolationLayer } from "../sdk/isolation.js";
import { failure, SecureExecError } from "../sdk/errors.js";
import { UsageError } from "./arguments.js";
import type { Arguments } from "./arguments.js";
import { examineFleet, textOfFleet } from "./doctor-fleet.js";
import type { FleetReport } from "./doctor-fleet.js";
import { serverOptions, serversOf } from "./fleet.js";
import { makeMachine } from "./make-machine.js";
import { parseArguments } from "./options.js";
import { table } from "./table.js";
import type { ParsedFleetServers } from "../sdk/fleet/options.js";
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
    { env: cgroupEnvironment(), timeout: probeTimeoutMs, encoding: "utf8" },
  );
  return JSON.parse(stdout) as LayerReport[];
}

function describe(error: unknown): string {
  if (!SecureExecError.isSecureExecError(error))
    return error instanceof Error ? error.message : String(error);
  const stderr = typeof error.details?.stderr === "string" ? error.details.stderr.trimEnd() : "";
  return `${error.message} [${error.code}]${stderr === "" ? "" : `\n${stderr}`}`;
}

function savingRows(saved: Savings) {
  const { compiledModules, contiguousHeap, hugeTextPages, hugeHeapPages } = saved;
  const { inheritedTexts, pagesAhead } = saved;
  const rows: [saving: string, here: string, what: string][] = [
    compiledModules > 0
      ? ["compiled modules", "yes", `${compiledModules} modules that a zygote need not compile`]
      : [
          "compiled modules",
          "no",
          "no /proc/self/mem, or another engine than the package was built with",
        ],
    contiguousHeap
      ? ["contiguous heap", "yes", "V8's chunks share page tables"]
      : ["contiguous heap", "no", "no address space to set aside (ulimit -v?) or no /proc"],
    hugeTextPages > 0
      ? ["engine text", "yes", `${hugeTextPages} huge pages`]
      : ["engine text", "no", "no transparent huge pages, or no executable anonymous memory"],
    hugeHeapPages > 0
      ? ["heaps", "yes", `${hugeHeapPages} huge pages`]
      : ["heaps", "no", "no huge pages for the engine's text, or Linux is older than 6.1"],
    inheritedTexts > 0
      ? ["other text", "yes", `page tables of ${inheritedTexts} files' text come with a fork`]
      : [
          "other text",
          "no",
          "no /proc/self/pagemap, or a security module keeps text from being writable",
        ],
    pagesAhead > 0
      ? ["pages ahead", "yes", `${pagesAhead} pages copied while a guest waits`]
      : ["pages ahead", "no", "/proc/self/pagemap cannot be read, or Linux is older than 5.14"],
  ];
  // The last of them: where it is there, the others were looked at.
  if (pagesAhead > 0) return rows;
  const busy = "; or the machine was too busy to tell in time";
  return rows.map(([name, here, what]) => [name, here, here === "no" ? `${what}${busy}` : what]);
}

async function selfTest(): Promise<{ saved: Savings; layers: NodeRuntimeIsolationLayer[] }> {
  const runtime = await makeMachine();
  try {
    const { value, exitCode, stderr } = await runtime.run("__return(1 + 1);", {
      timeout: selfTestTimeoutMs,
    });
    if (value !== 2)
      throw new Error(`expected 2, got ${String(value)} with exit code ${exitCode}\n${stderr}`);
    const { savings } = await import("../sdk/savings.js");
    return { saved: await savings(), layers: await runtime.isolation() };
  } finally {
    await runtime.dispose();
  }
}

interface Report {
  healthy: boolean;
  host: { version: string; platform: string; arch: string };
  engine: { path: string; version: string; overridden: boolean } | { problem: string };
  /** The command that repairs the installation, where one does. */
  repair?: string;
  layers: (LayerReport & { required: boolean })[];
  selfTest?: { passed: true; layers: NodeRuntimeIsolationLayer[]; savings: Savings };
  /** Where a broker was named. */
  fleet?: FleetReport;
  problems: string[];
}

async function examine(): Promise<Report> {
  const { version, platform, arch } = process;
  const report: Report = {
    healthy: false,
    host: { version, platform, arch },
    engine: { problem: "" },
    layers: [],
    problems: [],
  };
  const engine = findEngine();
  if ("problem" in engine) {
    const problem = describe(failure(engine.problem, { why: engine.why }));
    const { repair } = engine;
    return {
      ...report,
      engine: { problem },
      problems: [problem],
      ...(repair !== undefined && { repair }),
    };
  }
  report.engine = engine;
  try {
    report.layers = (await probe(engine.path)).map((layer) => ({
      ...layer,
      required: requiredLayers.includes(layer.layer),
    }));
    const present = new Set(
      report.layers.filter(({ available }) => available).map(({ layer }) => layer),
    );
    const missing = requiredLayers.filter((layer) => !present.has(layer));
    if (missing.length > 0)
      report.problems.push(
        `Missing and required: ${missing.join(", ")}. Programs will not be run.`,
      );
  } catch (error) {
    report.problems.push(`The isolation probe failed: ${describe(error)}`);
  }
  try {
    const { saved, layers } = await selfTest();
    report.selfTest = { passed: true, layers, savings: saved };
  } catch (error) {
    report.problems.push(`self test    failed: ${describe(error)}`);
  }
  return { ...report, healthy: report.problems.length === 0 };
}

function textOf(report: Report): string {
  const { host, engine, layers, selfTest: passed, problems, repair, fleet } = report;
  const lines = [`host node    ${host.version} (${host.platform} ${host.arch})\n`];
  if ("problem" in engine) lines.push(`engine       missing: ${engine.problem}\n`);
  else {
    const version = engine.overridden ? `overridden, wanted ${engineVersion}` : engine.version;
    lines.push(`engine       ${engine.path} (${version})\n\n`);
    if (layers.length > 0) {
      const rows = layers.map(({ layer, available, required, why }) => [
        layer,
        available ? "yes" : "no",
        required ? "required" : "optional",
        why,
      ]);
      lines.push(table([["LAYER", "AVAILABLE", "NEED", "WHY"], ...rows]));
    }
    lines.push(...problems.map((problem) => `\n${problem}\n`));
  }
  if (repair !== undefined) lines.push(`repair       ${repair}\n`);
  if (passed !== undefined) {
    lines.push("\nself test    passed\n\n");
    const rows = passed.layers.map(({ layer, active, why }) => [layer, active ? "yes" : "no", why]);
    lines.push(table([["layer", "around programs", "why"], ...rows]), "\n");
    lines.push(table([["saving", "here", "what it is"], ...savingRows(passed.savings)]));
  }
  if (fleet !== undefined) lines.push(textOfFleet(fleet));
  return lines.join("");
}

async function withFleet(report: Report, servers: ParsedFleetServers): Promise<Report> {
  try {
    return { ...report, fleet: await examineFleet(servers) };
  } catch (error) {
    const problems = [...report.problems, `fleet        failed: ${describe(error)}`];
    return { ...report, healthy: false, problems };
  }
}

/** Prints the report, as JSON if asked; resolves with the exit code. Throws `UsageError` and INVALID_OPTION. */
export async function doctor({ given, rest, words }: Arguments): Promise<number> {
  if (rest.length > 0) throw new UsageError("doctor takes no arguments");
  const servers = serverOptions.some((name) => given.has(name))
    ? serversOf(parseArguments(words, { values: serverOptions, flags: ["json"] }))
    : undefined;
  const examined = await examine();
  const report = servers === undefined ? examined : await withFleet(examined, servers);
  process.stdout.write(given.has("json") ? `${JSON.stringify(report, null, 2)}\n` : textOf(report));
  return report.healthy ? 0 : 1;
}
