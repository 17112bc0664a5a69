/** Owns calls: of what a filter defines, of what is native, and of those that need more than values. */
import { natives } from "./builtins.js";
import type { Evaluator } from "./evaluate.js";
import type { Filter } from "./filter.js";
import { plain, type Found } from "./found.js";
import { print, type Json, type JsonObject } from "./json.js";
import { getPath, JqError } from "./operations.js";
import { fail } from "./tokens.js";
import { Scope, type Callable } from "./scope.js";

/** Functions that need more than values: the input's path, or the host. */
export const specials: ReadonlySet<string> = new Set(
  "empty/0 path/1 getpath/1 error/0 input/0 inputs/0 debug/0 stderr/0 env/0 input_line_number/0 _range/3".split(
    " ",
  ),
);

export function* call(
  evaluator: Evaluator,
  filter: Extract<Filter, { kind: "call" }>,
  input: Found,
  scope: Scope,
): Generator<Found> {
  const { name, args } = filter;
  const key = `${name}/${args.length}`;
  const callable = scope.callable(key);
  if (callable !== undefined) {
    if (callable.kind === "closure")
      return yield* evaluator.run(callable.filter, input, callable.scope);
    return yield* invoke(evaluator, callable, args, 0, input, scope, new Scope(callable.scope));
  }
  switch (key) {
    case "empty/0":
      return;
    case "path/1":
      for (const path of evaluator.paths(args[0]!, input.value, scope)) yield plain(input, path);
      return;
    case "getpath/1":
      for (const path of evaluator.values(args[0]!, input.value, scope)) {
        if (!Array.isArray(path)) throw new JqError("Path must be specified as an array");
        const value = getPath(input.value, path);
        yield input.path === undefined
          ? { path: undefined, value }
          : { path: [...input.path, ...path], value };
      }
      return;
    case "error/0":
      throw new JqError(input.value);
    case "input/0":
    case "inputs/0": {
      for (;;) {
        const next = evaluator.host.nextInput();
        if (next === undefined) {
          if (name === "input") throw new JqError("No more inputs");
          return;
        }
        yield plain(input, next);
        if (name === "input") return;
      }
    }
    case "debug/0":
      evaluator.host.debug(print(["DEBUG:", input.value]));
      yield input;
      return;
    case "stderr/0":
      evaluator.host.debug(print(input.value));
      yield input;
      return;
    case "env/0":
      yield plain(input, envObject(evaluator.host.env));
      return;
    case "input_line_number/0":
      yield plain(input, 0);
      return;
    // A recursive definition would be as deep as it is long.
    case "_range/3":
      for (const bounds of cartesian(evaluator, args, 2, input.value, scope))
        for (const value of range(bounds)) yield plain(input, value);
      return;
  }
  const native = natives.get(key);
  if (native === undefined) throw fail(`${key} is not defined at <top-level>, line 1:\n${name}`);
  for (const values of cartesian(evaluator, args, args.length - 1, input.value, scope)) {
    yield plain(input, native(input.value, ...values));
  }
}

function* range([from, to, by]: Json[]): Generator<number> {
  if (typeof from !== "number" || typeof to !== "number" || typeof by !== "number")
    throw new JqError("Range bounds must be numeric");
  if (by > 0) for (let at = from; at < to; at += by) yield at;
  else if (by < 0) for (let at = from; at > to; at += by) yield at;
}

function* cartesian(
  evaluator: Evaluator,
  args: Filter[],
  at: number,
  input: Json,
  scope: Scope,
): Generator<Json[]> {
  if (at < 0) {
    yield [];
    return;
  }
  for (const value of evaluator.values(args[at]!, input, scope)) {
    for (const before of cartesian(evaluator, args, at - 1, input, scope)) yield [...before, value];
  }
}

function* invoke(
  evaluator: Evaluator,
  callable: Extract<Callable, { kind: "function" }>,
  args: Filter[],
  at: number,
  input: Found,
  caller: Scope,
  inner: Scope,
): Generator<Found> {
  const parameter = callable.definition.parameters[at];
  if (parameter === undefined) return yield* evaluator.run(callable.definition.body, input, inner);
  if (!parameter.startsWith("$")) {
    const next = new Scope(
      inner,
      new Map([[`${parameter}/0`, { kind: "closure", filter: args[at]!, scope: caller }]]),
    );
    return yield* invoke(evaluator, callable, args, at + 1, input, caller, next);
  }
  const name = parameter.slice(1);
  for (const value of evaluator.values(args[at]!, input.value, caller)) {
    const closure: Callable = {
      kind: "closure",
      filter: { kind: "literal", value },
      scope: caller,
    };
    const next = new Scope(inner, new Map([[`${name}/0`, closure]]), new Map([[name, value]]));
    yield* invoke(evaluator, callable, args, at + 1, input, caller, next);
  }
}

export function envObject(env: Record<string, string | undefined>): JsonObject {
  return new Map(
    Object.entries(env).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, value] as const],
    ),
  );
}
