/**
 * Owns which options of `node` need an engine that was started with them: what the engine's C++ reads
 * once, what V8 fixes with its heap, and what a module that is loaded before the fork keeps in a constant. A guest whose command line has one asks for an engine of its
 * own; the kernel process starts none with a flag that is not here.
 *
 * Invariant: no flag here names a file, opens a port, or lets the engine write anywhere: they are
 * read before the engine is locked down.
 */

/**
 * Where a program's engine comes from. "forked": from one that is warm, within milliseconds. "dedicated": one
 * that begins for this program alone, with V8's own threads beside it.
 */
export type EngineKind = "forked" | "dedicated";

/** What the starter is told of an engine. */
export interface EngineOrder {
  readonly flags: readonly string[];
  /** What its guest may have in memory. */
  readonly memoryBytes: number;
  /** Whether its guest may load native addons. */
  readonly nativeAddons: boolean;
}

/** "switch": given or negated; "number": with a number; "word": with one of a few letters. */
type Kind = "switch" | "number" | "word";

const table = (kind: Kind, names: string) =>
  names
    .trim()
    .split(/\s+/)
    .map((name) => [`--${name}`, kind] as const);

/** Options of Node, by their canonical names. */
const nodeOptions: ReadonlyMap<string, Kind> = new Map([
  ...table(
    "switch",
    `async-context-frame debug-arraybuffer-allocations experimental-shadow-realm
    force-async-hooks-checks insecure-http-parser trace-uncaught verify-base-objects zero-fill-buffers`,
  ),
  ...table("number", "max-old-space-size-percentage secure-heap secure-heap-min v8-pool-size"),
  ...table("word", "disable-proto"),
]);

/** Flags of V8, among them those that Node lists as its own. */
const v8Options: ReadonlyMap<string, Kind> = new Map([
  ...table(
    "switch",
    `abort-on-uncaught-exception compact compact-on-every-full-gc concurrent-marking
    concurrent-recompilation concurrent-sparkplug concurrent-sweeping
    detect-ineffective-gcs-near-heap-limit disable-optimizing-compilers
    disallow-code-generation-from-strings future gc-global harmony harmony-shadow-realm harmony-struct
    huge-max-alignment incremental-marking interpreted-frames-native-stack jitless lite-mode maglev
    memory-reducer minor-ms optimize-for-size optimize-gc-for-battery parallel-compaction
    parallel-marking parallel-scavenge predictable predictable-gc-schedule scavenger-chaos-mode
    separate-gc-phases single-generation single-threaded single-threaded-gc
    stress-compaction stress-incremental-marking track-heap-objects turbofan verify-heap
    wasm-trap-handler`,
  ),
  ...table(
    "number",
    `concurrent-maglev-max-threads concurrent-turbofan-max-threads gc-interval hash-seed
    heap-growing-percent initial-heap-size initial-old-space-size max-heap-size max-old-space-size
    max-semi-space-size min-semi-space-size random-gc-interval random-seed semi-space-growth-factor
    stack-size wasm-max-mem-pages`,
  ),
]);

/** More would be a mistake, or somebody's wish for work. */
const mostFlags = 64;
/** As the engine reads values; a longer one says nothing that a shorter does not. */
const forms = { number: /^-?\d{1,19}(\.\d{1,19})?$/, word: /^[a-z]{1,16}$/ } as const;

const canonical = (name: string): string => name.replaceAll("_", "-");
const positive = (name: string): string => name.replace(/^--no-?/, "--");

/** Whether the engine must have been started with that option of Node. */
export function isNodeStartOption(name: string): boolean {
  return nodeOptions.has(name);
}

/** Whether V8 must have been started with that flag, as it is written. */
export function isV8StartFlag(flag: string): boolean {
  const name = canonical(flag.split("=", 1)[0]!);
  return v8Options.has(name) || v8Options.has(positive(name));
}

/** The first of `flags` with which no engine is started, or undefined. Each is one text, `--name=value`. */
export function badEngineFlag(flags: readonly string[]): string | undefined {
  if (flags.length > mostFlags) return flags[mostFlags];
  return flags.find((flag) => {
    const equals = flag.indexOf("=");
    const name = canonical(equals < 0 ? flag : flag.slice(0, equals));
    const kind =
      nodeOptions.get(name) ??
      v8Options.get(name) ??
      (equals < 0 ? (nodeOptions.get(positive(name)) ?? v8Options.get(positive(name))) : undefined);
    if (kind === undefined) return true;
    return kind === "switch" ? equals >= 0 : !forms[kind].test(flag.slice(equals + 1));
  });
}
