/** Owns which file is a package's main for the ES module loader. */
import type { GuestEnvironment } from "../environment.js";
import { loaderStat } from "./fs-loading.js";
import { codedError } from "./fs-runner.js";
import type { Operation } from "./fs-runner.js";

/** File name endings that a package's main is tried with; the index is what the loader expects back. */
const mainEndings = [
  "",
  ".js",
  ".json",
  ".node",
  "/index.js",
  "/index.json",
  "/index.node",
] as const;
const indexEndings = ["index.js", "index.json", "index.node"] as const;

/** Which of a package's possible main files exists, as an index the ES module loader knows. */
export function* resolveMain(
  env: GuestEnvironment,
  packagePath: string,
  main: unknown,
  base: unknown,
): Operation<number> {
  const path = env.requireBuiltin("path");
  let initial: string | undefined;
  if (typeof main === "string") {
    initial = path.resolve(packagePath, main) as string;
    for (let index = 0; index < mainEndings.length; index++) {
      if ((yield* loaderStat(`${initial}${mainEndings[index]!}`)) === 0) return index;
    }
  }
  for (let index = 0; index < indexEndings.length; index++) {
    const candidate = path.resolve(packagePath, indexEndings[index]!) as string;
    if ((yield* loaderStat(candidate)) === 0) return mainEndings.length + index;
  }
  if (typeof base !== "string") {
    const { ERR_INVALID_ARG_TYPE } = env.requireBuiltin("internal/errors").codes;
    throw new ERR_INVALID_ARG_TYPE("base", ["string", "URL"], base);
  }
  const importer = base.startsWith("file:")
    ? (env.requireBuiltin("internal/url").fileURLToPath(base) as string)
    : base;
  const missing = initial ?? (path.resolve(packagePath, "index.js") as string);
  throw codedError(
    "ERR_MODULE_NOT_FOUND",
    `Cannot find package '${missing}' imported from ${importer}`,
  );
}
