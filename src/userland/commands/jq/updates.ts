/** Owns assignments: `=`, `|=` and the operators that end in `=`. */
import type { Evaluator } from "./evaluate.js";
import type { Filter } from "./filter.js";
import type { Json } from "./json.js";
import { binary, deletePaths, getPath, setPath, truthy, type Path } from "./operations.js";
import type { Scope } from "./scope.js";

export function* update(
  evaluator: Evaluator,
  filter: Extract<Filter, { kind: "update" }>,
  input: Json,
  scope: Scope,
): Generator<Json> {
  const { operator, left, right } = filter;
  if (operator === "|=") {
    let result = input;
    const removed: Path[] = [];
    for (const path of Array.from(evaluator.paths(left, input, scope))) {
      const step = evaluator.values(right, getPath(result, path), scope).next();
      if (step.done) removed.push(path);
      else result = setPath(result, path, step.value);
    }
    yield deletePaths(result, removed);
    return;
  }
  for (const value of evaluator.values(right, input, scope)) {
    let result = input;
    for (const path of Array.from(evaluator.paths(left, input, scope))) {
      const before = operator === "=" ? null : getPath(result, path);
      const next =
        operator === "="
          ? value
          : operator === "//="
            ? truthy(before)
              ? before
              : value
            : binary(operator.slice(0, -1), before, value);
      result = setPath(result, path, next);
    }
    yield result;
  }
}
