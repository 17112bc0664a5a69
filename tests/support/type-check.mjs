// What the compiler that builds this package says of files as a strict project of somebody else's has them.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

/**
 * @param {readonly string[]} files absolute paths
 * @param {{ year?: string, lib?: readonly string[], flags?: readonly string[], types?: readonly string[] }} [options]
 * `lib`: libraries beside those of the year; `types`: packages of types, which the compiler takes none of by itself
 */
export function typeCheck(
  files,
  { year = "es2023", lib = [], flags = ["--exactOptionalPropertyTypes"], types = ["node"] } = {},
) {
  const { status, stdout, error } = spawnSync(
    process.execPath,
    [
      join(root, "node_modules/typescript/bin/tsc"),
      "--ignoreConfig",
      "--noEmit",
      "--strict",
      ...flags,
      "--module",
      "nodenext",
      "--target",
      year,
      "--lib",
      [year, "esnext.disposable", ...lib].join(),
      ...types.flatMap((name) => ["--types", name]),
      ...files,
    ],
    { cwd: root, encoding: "utf8", timeout: 120_000 },
  );
  if (error !== undefined) throw error;
  return { status, stdout };
}
