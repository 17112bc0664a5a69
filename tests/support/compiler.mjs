// Where the TypeScript compiler with a JavaScript API is: the one that this package is built with has none.
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";

function found() {
  const { SECURE_EXEC_TYPESCRIPT } = process.env;
  if (SECURE_EXEC_TYPESCRIPT !== undefined && existsSync(SECURE_EXEC_TYPESCRIPT))
    return SECURE_EXEC_TYPESCRIPT;
  try {
    return dirname(createRequire(import.meta.url).resolve("typescript-5/package.json"));
  } catch {
    return undefined;
  }
}

export const compilerDir = found();
/** For the option `skip` of a test. */
export const noCompiler =
  compilerDir === undefined && "the development dependency typescript-5 is not installed";
