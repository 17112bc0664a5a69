/** Owns the compilation of patterns by the options and the locale of an environment. */
import type { Environment } from "./environment.js";
import { isByteLocale } from "./locale.js";
import type { Pattern } from "./pattern.js";
import { compilePattern } from "./pattern.js";

/** `condition`: inside `[[ … ]]`, where `@(…)` always counts. */
export function patternOf(env: Environment, pattern: string, condition = false): Pattern {
  const { bash } = env.shell;
  return compilePattern(pattern, {
    extended: bash && (condition || env.shellOptions.has("extglob")),
    ignoreCase: env.shellOptions.has("nocasematch"),
    bytes: isByteLocale(env),
  });
}
