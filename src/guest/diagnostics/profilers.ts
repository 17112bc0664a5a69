/**
 * Owns coverage, CPU and heap profiles that the command line or the environment asks for,
 * and the functions of the `profiler` binding: what src/inspector_profiler.cc does from
 * C++, over an in-process connection to the same V8 domains. Results go to the machine's
 * file system under the rules of every other write.
 */
import { engineOption } from "../engine-options.js";
import type { OptionValue } from "../engine-options.js";
import { diagnosticName, makeDirectories, writeTextFile } from "./files.js";
import type { EngineTools } from "../environment.js";
import type { EngineModule } from "../engine-types.js";

/** How something told the engine to end; src/inspector_profiler.cc has the same words. */
type Reply = { result?: EngineModule; error?: { message: string } };

class Domain {
  readonly #connection: EngineModule;
  #reply: Reply | undefined;
  #id = 0;

  constructor(env: EngineTools) {
    const { Connection } = env.internalBinding("inspector");
    this.#connection = new Connection((text: string) => {
      const message = JSON.parse(text);
      if (message.id !== undefined) this.#reply = message as Reply;
    });
  }

  post(method: string, params: object = {}): EngineModule {
    this.#connection.dispatch(JSON.stringify({ id: ++this.#id, method, params }));
    if (this.#reply?.error !== undefined) throw new Error(this.#reply.error.message);
    return this.#reply?.result;
  }

  end(): void {
    this.#connection.disconnect();
  }
}

interface CoverageState {
  /** As C++ would have its connection: from the start of the process, or never. */
  begun: boolean;
  domain: Domain | undefined;
  directory: string;
  sourceMaps: (() => unknown) | undefined;
}

const coverage: CoverageState = {
  begun: false,
  domain: undefined,
  directory: "",
  sourceMaps: undefined,
};

const threadOf = (env: EngineTools): number => env.internalBinding("worker").threadId as number;

/** The functions that Node's JavaScript calls, in the binding and where they were copied to. */
export function coverageFunctions(env: EngineTools) {
  return {
    setCoverageDirectory(directory: string): void {
      coverage.directory = directory;
    },
    setSourceMapCacheGetter(getter: () => unknown): void {
      coverage.sourceMaps = getter;
    },
    startCoverage(): void {
      if (!coverage.begun || coverage.domain !== undefined) return;
      const domain = new Domain(env);
      domain.post("Profiler.enable");
      domain.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
      coverage.domain = domain;
    },
    takeCoverage: () => takeCoverage(env),
    stopCoverage(): void {
      takeCoverage(env);
      stopCoverage();
    },
    endCoverage(): void {
      takeCoverage(env);
      stopCoverage();
    },
  };
}

function stopCoverage(): void {
  coverage.domain?.post("Profiler.stopPreciseCoverage");
  coverage.domain?.end();
  coverage.domain = undefined;
}

function takeCoverage(env: EngineTools): void {
  if (coverage.domain === undefined || coverage.directory === "") return;
  const { result } = coverage.domain.post("Profiler.takePreciseCoverage") as {
    result: { url: unknown }[];
  };
  const maps = coverage.sourceMaps?.();
  const now = Date.now();
  const text = JSON.stringify({
    // The modules that make this process a guest are none of the program's.
    result: result.filter(({ url }) => !String(url).startsWith("node:internal/secure-exec/")),
    timestamp: performance.now() * 1000,
    ...(maps !== undefined && { "source-map-cache": maps }),
  });
  makeDirectories(env, coverage.directory);
  const name = `coverage-${process.pid}-${now}-${threadOf(env)}.json`;
  writeTextFile(env, `${coverage.directory}/${name}`, text);
}

/** Counts from now on; somebody says later where it is to be written, or nobody does. */
export function beginCoverage(env: EngineTools): void {
  coverage.begun = true;
  coverageFunctions(env).startCoverage();
}

/** Sets the variable to an absolute path, as children are to find it, and begins. */
export function startCoverageFor(env: EngineTools, directory: string, counts = true): void {
  const { setupCoverageHooks } = env.requireBuiltin("internal/util");
  process.env["NODE_V8_COVERAGE"] = setupCoverageHooks(directory) as string;
  if (counts) beginCoverage(env);
}

export function finishCoverage(env: EngineTools): void {
  takeCoverage(env);
}

interface Profile {
  option: string;
  kind: string;
  ending: string;
  defaultInterval: number;
  start(domain: Domain, interval: number): void;
  stop(domain: Domain): unknown;
}

/** By option; `-dir`, `-name` and `-interval` belong to each. */
const profiles: readonly Profile[] = [
  {
    option: "--cpu-prof",
    kind: "CPU",
    ending: "cpuprofile",
    defaultInterval: 1000,
    start(domain, interval) {
      domain.post("Profiler.enable");
      domain.post("Profiler.setSamplingInterval", { interval });
      domain.post("Profiler.start");
    },
    stop: (domain) => domain.post("Profiler.stop").profile,
  },
  {
    option: "--heap-prof",
    kind: "Heap",
    ending: "heapprofile",
    defaultInterval: 512 * 1024,
    start(domain, samplingInterval) {
      domain.post("HeapProfiler.enable");
      domain.post("HeapProfiler.startSampling", { samplingInterval });
    },
    stop: (domain) => domain.post("HeapProfiler.stopSampling").profile,
  },
];

/** What is wrong with the options of profiles, or undefined. */
export function profileError(given: ReadonlyMap<string, OptionValue>): string | undefined {
  for (const { option } of profiles) {
    if (engineOption(option) === true) continue;
    // Node hands the interval down to children that it starts itself, with and without profiles.
    const alone = ["name", "dir"].find((part) => given.has(`${option}-${part}`));
    if (alone !== undefined) return `${option}-${alone} must be used with ${option}`;
  }
  return undefined;
}

let sequence = 0;

/** Where `--heapsnapshot-signal` puts its next snapshot. */
export function heapSnapshotName(env: EngineTools, directory: unknown): string {
  const name = diagnosticName("Heap", "heapsnapshot", threadOf(env), ++sequence);
  return typeof directory === "string" && directory !== "" ? `${directory}/${name}` : name;
}

/** Begins the profiles that were asked for; answers what ends and writes them. */
export function startProfiles(env: EngineTools): (() => void)[] {
  const { resolve } = env.requireBuiltin("path");
  return profiles
    .filter(({ option }) => engineOption(option) === true)
    .map((profile) => {
      const text = (part: string): string =>
        String(engineOption(`${profile.option}-${part}`) ?? "");
      const directory = resolve(text("dir") || String(engineOption("--diagnostic-dir") || "."));
      const interval = Number(engineOption(`${profile.option}-interval`));
      const domain = new Domain(env);
      profile.start(domain, interval > 0 ? interval : profile.defaultInterval);
      return () => {
        const found = JSON.stringify(profile.stop(domain));
        domain.end();
        const named = text("name").replaceAll("${pid}", String(process.pid));
        const name =
          named !== ""
            ? named
            : diagnosticName(profile.kind, profile.ending, threadOf(env), ++sequence);
        makeDirectories(env, directory);
        writeTextFile(env, `${directory}/${name}`, found);
      };
    });
}
