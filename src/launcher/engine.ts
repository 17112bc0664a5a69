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

/** `problem` is a name in the SDK's error table, `why` one sentence for its message. */
export type EngineSearch =
  | { path: string; version: string; overridden: boolean }
  | { problem: "ENGINE_MISSING" | "UNSUPPORTED_PLATFORM"; why: string };

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
  const name = `node-${platform}-${arch}`;
  let manifest: string;
  let version: unknown;
  try {
    manifest = createRequire(import.meta.url).resolve(`${name}/package.json`);
    version = (JSON.parse(readFileSync(manifest, "utf8")) as { version?: unknown }).version;
  } catch {
    return { problem: "ENGINE_MISSING", why: `the package ${name} is not installed` };
  }
  if (version !== engineVersion) {
    return {
      problem: "ENGINE_MISSING",
      why: `the package ${name} is ${String(version)}, not ${engineVersion}`,
    };
  }
  const path = join(dirname(manifest), "bin/node");
  return executable(path)
    ? { path, version: engineVersion, overridden: false }
    : { problem: "ENGINE_MISSING", why: `the package ${name} holds no executable bin/node` };
}
