/** Owns destructuring: what the patterns behind `as` bind. */
import type { Evaluator } from "./evaluate.js";
import type { Filter, Pattern } from "./filter.js";
import type { Found } from "./found.js";
import { typeOf, type Json } from "./json.js";
import { indexOf, JqError } from "./operations.js";
import type { Scope } from "./scope.js";

/** The scopes in which the names of `pattern` are bound to parts of `value`. */
export function* match(
  evaluator: Evaluator,
  pattern: Pattern,
  value: Json,
  scope: Scope,
): Generator<Scope> {
  if (pattern.kind === "name") {
    yield scope.with(pattern.name, value);
    return;
  }
  let scopes: Scope[] = [scope];
  if (pattern.kind === "list") {
    if (value !== null && !Array.isArray(value))
      throw new JqError(`Cannot index ${typeOf(value)} with number`);
    pattern.items.forEach((item, at) => {
      scopes = scopes.flatMap((each) => [
        ...match(evaluator, item, (value as Json[] | null)?.[at] ?? null, each),
      ]);
    });
  } else {
    for (const entry of pattern.entries) {
      scopes = scopes.flatMap((each) =>
        [...evaluator.values(entry.key, value, each)].flatMap((key) => {
          const item = indexOf(value, key);
          const inner = entry.variable === undefined ? each : each.with(entry.variable, item);
          return entry.pattern === undefined
            ? [inner]
            : [...match(evaluator, entry.pattern, item, inner)];
        }),
      );
    }
  }
  yield* scopes;
}

/** `source as $pattern | body`, from the alternative `at` on. */
export function* bind(
  evaluator: Evaluator,
  filter: Extract<Filter, { kind: "bind" }>,
  at: number,
  value: Json,
  input: Found,
  scope: Scope,
): Generator<Found> {
  // With alternatives, variables of the patterns not taken are null.
  let base = scope;
  if (filter.patterns.length > 1)
    for (const name of filter.patterns.flatMap(namesIn)) base = base.with(name, null);
  try {
    for (const inner of match(evaluator, filter.patterns[at]!, value, base))
      yield* evaluator.run(filter.body, input, inner);
  } catch (error) {
    if (!(error instanceof JqError) || at + 1 >= filter.patterns.length) throw error;
    yield* bind(evaluator, filter, at + 1, value, input, scope);
  }
}

function namesIn(pattern: Pattern): string[] {
  if (pattern.kind === "name") return [pattern.name];
  if (pattern.kind === "list") return pattern.items.flatMap(namesIn);
  return pattern.entries.flatMap((entry) => [
    ...(entry.variable === undefined ? [] : [entry.variable]),
    ...(entry.pattern === undefined ? [] : namesIn(entry.pattern)),
  ]);
}
