/** Owns running a filter: each is a generator of values, or of paths with their values. */
import { print, typeOf, type Json, type JsonObject } from "./json.js";
import type { Definition, Filter, Pattern } from "./filter.js";
import { fail, FilterParser } from "./parser.js";
import { natives } from "./builtins.js";
import { formats } from "./formats.js";
import {
  binary,
  deletePaths,
  described,
  getPath,
  indexOf,
  JqError,
  setPath,
  sliceOf,
  truthy,
  type Path,
} from "./operations.js";
import { prelude } from "./prelude.js";
import { Scope, type Callable } from "./scope.js";

class Break extends Error {
  constructor(readonly label: object) {
    super("break");
  }
}

/** Undefined path: only values are wanted. */
type Found = { path: Path | undefined; value: Json };

const maxDepth = 3000;

/** Functions that need more than values: the input's path, or the host. */
export const specials: ReadonlySet<string> = new Set(
  "empty/0 path/1 getpath/1 error/0 input/0 inputs/0 debug/0 stderr/0 env/0 input_line_number/0".split(
    " ",
  ),
);

export interface Host {
  nextInput(): Json | undefined;
  env: Record<string, string | undefined>;
  debug(text: string): void;
}

export class Evaluator {
  #depth = 0;
  readonly root: Scope;

  constructor(readonly host: Host) {
    this.root = new Scope(undefined);
    for (const definition of new FilterParser(prelude).definitions())
      this.#define(this.root, definition);
  }

  #define(scope: Scope, definition: Definition): void {
    scope.functions.set(`${definition.name}/${definition.parameters.length}`, {
      kind: "function",
      definition,
      scope,
    });
  }

  *values(filter: Filter, input: Json, scope: Scope): Generator<Json> {
    for (const { value } of this.run(filter, { path: undefined, value: input }, scope)) yield value;
  }

  *paths(filter: Filter, input: Json, scope: Scope): Generator<Path> {
    for (const { path } of this.run(filter, { path: [], value: input }, scope)) {
      if (path === undefined) throw new JqError("Invalid path expression");
      yield path;
    }
  }

  /** The value must stay where it is found: used where paths are wanted but a plain value came. */
  #plain(input: Found, value: Json): Found {
    return { path: input.path === undefined ? undefined : noPath, value };
  }

  #child(of: Found, key: Json, value: Json): Found {
    if (of.path === noPath)
      throw new JqError(`Invalid path expression with result ${print(of.value).slice(0, 30)}`);
    return { path: of.path === undefined ? undefined : [...of.path, key], value };
  }

  *run(filter: Filter, input: Found, scope: Scope): Generator<Found> {
    if (++this.#depth > maxDepth) throw new JqError("Stack overflow");
    try {
      yield* this.#run(filter, input, scope);
    } finally {
      this.#depth--;
    }
  }

  *#run(filter: Filter, input: Found, scope: Scope): Generator<Found> {
    switch (filter.kind) {
      case "identity":
        yield input;
        return;
      case "literal":
        yield this.#plain(input, filter.value);
        return;
      case "recurse":
        yield* this.#recurse(input);
        return;
      case "string":
        for (const text of this.#interpolate(filter.parts, 0, filter.format, input.value, scope))
          yield this.#plain(input, text);
        return;
      case "format":
        yield this.#plain(input, formatted(filter.name, input.value));
        return;
      case "variable":
        yield this.#plain(input, this.#variable(filter.name, scope));
        return;
      case "index":
        for (const of of this.run(filter.of, input, scope)) {
          for (const key of this.values(filter.key, input.value, scope)) {
            const value = step(filter, () => indexOf(of.value, key));
            if (value !== undefined) yield this.#child(of, key, value);
          }
        }
        return;
      case "slice":
        yield* this.#slice(filter, input, scope);
        return;
      case "iterate":
        for (const of of this.run(filter.of, input, scope)) {
          if (filter.optional && !iterable(of.value)) continue;
          yield* this.#iterate(of);
        }
        return;
      case "pipe":
        for (const left of this.run(filter.left, input, scope))
          yield* this.run(filter.right, left, scope);
        return;
      case "comma":
        yield* this.run(filter.left, input, scope);
        yield* this.run(filter.right, input, scope);
        return;
      case "and":
      case "or":
        for (const left of this.values(filter.left, input.value, scope)) {
          if (truthy(left) === (filter.kind === "or"))
            yield this.#plain(input, filter.kind === "or");
          else
            for (const right of this.values(filter.right, input.value, scope))
              yield this.#plain(input, truthy(right));
        }
        return;
      case "alternative":
        yield* this.#alternative(filter, input, scope);
        return;
      case "binary":
        for (const right of this.values(filter.right, input.value, scope)) {
          for (const left of this.values(filter.left, input.value, scope))
            yield this.#plain(input, binary(filter.operator, left, right));
        }
        return;
      case "negate":
        for (const value of this.values(filter.of, input.value, scope)) {
          if (typeof value !== "number") throw new JqError(`${described(value)} cannot be negated`);
          yield this.#plain(input, -value);
        }
        return;
      case "update":
        for (const value of this.#update(filter, input.value, scope))
          yield this.#plain(input, value);
        return;
      case "array":
        yield this.#plain(
          input,
          filter.of === undefined ? [] : [...this.values(filter.of, input.value, scope)],
        );
        return;
      case "object":
        for (const object of this.#object(filter.entries, 0, input.value, scope))
          yield this.#plain(input, object);
        return;
      case "if":
        for (const test of this.values(filter.test, input.value, scope)) {
          const chosen = truthy(test) ? filter.yes : filter.no;
          if (chosen === undefined) yield input;
          else yield* this.run(chosen, input, scope);
        }
        return;
      case "try":
        yield* this.#try(filter, input, scope);
        return;
      case "reduce": {
        let state: Json | undefined;
        for (const first of this.values(filter.initial, input.value, scope)) state = first;
        for (const value of this.values(filter.source, input.value, scope)) {
          for (const inner of this.#match(filter.pattern, value, scope)) {
            const before: Json = state ?? null;
            state = undefined;
            for (const next of this.values(filter.update, before, inner)) state = next;
          }
        }
        yield this.#plain(input, state ?? null);
        return;
      }
      case "foreach":
        for (const first of this.values(filter.initial, input.value, scope)) {
          let state = first;
          for (const value of this.values(filter.source, input.value, scope)) {
            for (const inner of this.#match(filter.pattern, value, scope)) {
              for (const next of this.values(filter.update, state, inner)) {
                state = next;
                if (filter.extract === undefined) yield this.#plain(input, next);
                else
                  for (const out of this.values(filter.extract, next, inner))
                    yield this.#plain(input, out);
              }
            }
          }
        }
        return;
      case "bind":
        for (const value of this.values(filter.source, input.value, scope)) {
          yield* this.#bind(filter, 0, value, input, scope);
        }
        return;
      case "label": {
        const label = {};
        try {
          yield* this.run(
            filter.body,
            input,
            new Scope(scope, undefined, undefined, new Map([[filter.name, label]])),
          );
        } catch (error) {
          if (!(error instanceof Break) || error.label !== label) throw error;
        }
        return;
      }
      case "break": {
        const label = scope.label(filter.name);
        if (label === undefined)
          throw fail(`$*label-${filter.name} is not defined at <top-level>, line 1:`);
        throw new Break(label);
      }
      case "define": {
        const inner = new Scope(scope);
        this.#define(inner, filter.definition);
        yield* this.run(filter.body, input, inner);
        return;
      }
      case "call":
        yield* this.#call(filter, input, scope);
    }
  }

  #variable(name: string, scope: Scope): Json {
    if (name === "ENV") return envObject(this.host.env);
    const value = scope.variable(name);
    if (value === undefined) throw fail(`$${name} is not defined at <top-level>, line 1:`);
    return value;
  }

  *#recurse(of: Found): Generator<Found> {
    yield of;
    if (typeof of.value === "object" && of.value !== null) {
      for (const child of this.#iterate(of)) yield* this.#recurse(child);
    }
  }

  *#iterate(of: Found): Generator<Found> {
    const { value } = of;
    if (Array.isArray(value)) {
      for (let at = 0; at < value.length; at++) yield this.#child(of, at, value[at]!);
    } else if (value instanceof Map) {
      for (const [key, item] of value) yield this.#child(of, key, item);
    } else throw new JqError(`Cannot iterate over ${described(value)}`);
  }

  *#slice(
    filter: Extract<Filter, { kind: "slice" }>,
    input: Found,
    scope: Scope,
  ): Generator<Found> {
    const bound = (part: Filter | undefined) =>
      part === undefined ? [null] : [...this.values(part, input.value, scope)];
    for (const of of this.run(filter.of, input, scope)) {
      for (const to of bound(filter.to)) {
        for (const from of bound(filter.from)) {
          const key: JsonObject = new Map<string, Json>([
            ["start", from],
            ["end", to],
          ]);
          const value = step(filter, () => sliceOf(of.value, from, to));
          if (value !== undefined) yield this.#child(of, key, value);
        }
      }
    }
  }

  *#alternative(
    filter: { left: Filter; right: Filter },
    input: Found,
    scope: Scope,
  ): Generator<Found> {
    let some = false;
    try {
      for (const left of this.run(filter.left, input, scope)) {
        if (!truthy(left.value)) continue;
        some = true;
        yield left;
      }
    } catch (error) {
      if (!(error instanceof JqError)) throw error;
    }
    if (!some) yield* this.run(filter.right, input, scope);
  }

  *#try(filter: Extract<Filter, { kind: "try" }>, input: Found, scope: Scope): Generator<Found> {
    const generator = this.run(filter.body, input, scope);
    for (;;) {
      let step: IteratorResult<Found>;
      try {
        step = generator.next();
      } catch (error) {
        if (!(error instanceof JqError)) throw error;
        if (error.value instanceof Map && error.value.get("__jq") === 0) throw error;
        if (filter.handler !== undefined)
          yield* this.run(filter.handler, this.#plain(input, error.value), scope);
        return;
      }
      if (step.done) return;
      yield step.value;
    }
  }

  *#interpolate(
    parts: (string | Filter)[],
    at: number,
    format: string,
    input: Json,
    scope: Scope,
  ): Generator<string> {
    const part = parts[at];
    if (part === undefined) {
      yield "";
      return;
    }
    for (const rest of this.#interpolate(parts, at + 1, format, input, scope)) {
      if (typeof part === "string") yield part + rest;
      else
        for (const value of this.values(part, input, scope))
          yield formatted(format || "@text", value) + rest;
    }
  }

  *#object(
    entries: { key: Filter; value: Filter }[],
    at: number,
    input: Json,
    scope: Scope,
  ): Generator<JsonObject> {
    const entry = entries[at];
    if (entry === undefined) {
      yield new Map();
      return;
    }
    for (const key of this.values(entry.key, input, scope)) {
      if (typeof key !== "string") throw new JqError(`Object keys must be strings`);
      for (const value of this.values(entry.value, input, scope)) {
        for (const rest of this.#object(entries, at + 1, input, scope)) {
          const object: JsonObject = new Map([[key, value]]);
          for (const [name, item] of rest) object.set(name, item);
          yield object;
        }
      }
    }
  }

  *#match(pattern: Pattern, value: Json, scope: Scope): Generator<Scope> {
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
          ...this.#match(item, (value as Json[] | null)?.[at] ?? null, each),
        ]);
      });
    } else {
      for (const entry of pattern.entries) {
        scopes = scopes.flatMap((each) =>
          [...this.values(entry.key, value, each)].flatMap((key) => {
            const item = indexOf(value, key);
            const inner = entry.variable === undefined ? each : each.with(entry.variable, item);
            return entry.pattern === undefined
              ? [inner]
              : [...this.#match(entry.pattern, item, inner)];
          }),
        );
      }
    }
    yield* scopes;
  }

  *#bind(
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
      for (const inner of this.#match(filter.patterns[at]!, value, base))
        yield* this.run(filter.body, input, inner);
    } catch (error) {
      if (!(error instanceof JqError) || at + 1 >= filter.patterns.length) throw error;
      yield* this.#bind(filter, at + 1, value, input, scope);
    }
  }

  *#update(
    filter: Extract<Filter, { kind: "update" }>,
    input: Json,
    scope: Scope,
  ): Generator<Json> {
    const { operator, left, right } = filter;
    if (operator === "|=") {
      let result = input;
      const removed: Path[] = [];
      for (const path of Array.from(this.paths(left, input, scope))) {
        const step = this.values(right, getPath(result, path), scope).next();
        if (step.done) removed.push(path);
        else result = setPath(result, path, step.value);
      }
      yield deletePaths(result, removed);
      return;
    }
    for (const value of this.values(right, input, scope)) {
      let result = input;
      for (const path of Array.from(this.paths(left, input, scope))) {
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

  *#call(filter: Extract<Filter, { kind: "call" }>, input: Found, scope: Scope): Generator<Found> {
    const { name, args } = filter;
    const key = `${name}/${args.length}`;
    const callable = scope.callable(key);
    if (callable !== undefined) {
      if (callable.kind === "closure")
        return yield* this.run(callable.filter, input, callable.scope);
      return yield* this.#invoke(callable, args, 0, input, scope, new Scope(callable.scope));
    }
    switch (key) {
      case "empty/0":
        return;
      case "path/1":
        for (const path of this.paths(args[0]!, input.value, scope)) yield this.#plain(input, path);
        return;
      case "getpath/1":
        for (const path of this.values(args[0]!, input.value, scope)) {
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
          const next = this.host.nextInput();
          if (next === undefined) {
            if (name === "input") throw new JqError("No more inputs");
            return;
          }
          yield this.#plain(input, next);
          if (name === "input") return;
        }
      }
      case "debug/0":
        this.host.debug(print(["DEBUG:", input.value]));
        yield input;
        return;
      case "stderr/0":
        this.host.debug(print(input.value));
        yield input;
        return;
      case "env/0":
        yield this.#plain(input, envObject(this.host.env));
        return;
      case "input_line_number/0":
        yield this.#plain(input, 0);
        return;
    }
    const native = natives.get(key);
    if (native === undefined) throw fail(`${key} is not defined at <top-level>, line 1:\n${name}`);
    for (const values of this.#cartesian(args, args.length - 1, input.value, scope)) {
      yield this.#plain(input, native(input.value, ...values));
    }
  }

  *#cartesian(args: Filter[], at: number, input: Json, scope: Scope): Generator<Json[]> {
    if (at < 0) {
      yield [];
      return;
    }
    for (const value of this.values(args[at]!, input, scope)) {
      for (const before of this.#cartesian(args, at - 1, input, scope)) yield [...before, value];
    }
  }

  *#invoke(
    callable: Extract<Callable, { kind: "function" }>,
    args: Filter[],
    at: number,
    input: Found,
    caller: Scope,
    inner: Scope,
  ): Generator<Found> {
    const parameter = callable.definition.parameters[at];
    if (parameter === undefined) return yield* this.run(callable.definition.body, input, inner);
    if (!parameter.startsWith("$")) {
      const next = new Scope(
        inner,
        new Map([[`${parameter}/0`, { kind: "closure", filter: args[at]!, scope: caller }]]),
      );
      return yield* this.#invoke(callable, args, at + 1, input, caller, next);
    }
    const name = parameter.slice(1);
    for (const value of this.values(args[at]!, input.value, caller)) {
      const closure: Callable = {
        kind: "closure",
        filter: { kind: "literal", value },
        scope: caller,
      };
      const next = new Scope(inner, new Map([[`${name}/0`, closure]]), new Map([[name, value]]));
      yield* this.#invoke(callable, args, at + 1, input, caller, next);
    }
  }
}

/** Stands for the path of a value that is nowhere in the input. */
const noPath: Path = [];

const iterable = (value: Json) => Array.isArray(value) || value instanceof Map;

/** What one step finds; nothing where it fails and is optional. */
function step(filter: { optional?: boolean }, find: () => Json): Json | undefined {
  try {
    return find();
  } catch (error) {
    if (filter.optional && error instanceof JqError) return undefined;
    throw error;
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

function envObject(env: Record<string, string | undefined>): JsonObject {
  return new Map(
    Object.entries(env).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, value] as const],
    ),
  );
}

function formatted(name: string, value: Json): string {
  const format = formats.get(name);
  if (format === undefined) throw fail(`${name.slice(1)} is not a valid format`);
  return format(value);
}
