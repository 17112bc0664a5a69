/** Owns running a filter: each is a generator of values, or of paths with their values. */
import { call, envObject } from "./calls.js";
import type { Definition, Filter } from "./filter.js";
import { formats } from "./formats.js";
import { child, plain, type Found } from "./found.js";
import type { Json, JsonObject } from "./json.js";
import { binary, described, indexOf, JqError, sliceOf, truthy, type Path } from "./operations.js";
import { FilterParser } from "./parser.js";
import { bind, match } from "./patterns.js";
import { prelude } from "./prelude.js";
import { Scope } from "./scope.js";
import { fail } from "./tokens.js";
import { update } from "./updates.js";

class Break extends Error {
  constructor(readonly label: object) {
    super("break");
  }
}

const maxDepth = 3000;

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
        yield plain(input, filter.value);
        return;
      case "recurse":
        yield* this.#recurse(input);
        return;
      case "string":
        for (const text of this.#interpolate(filter.parts, 0, filter.format, input.value, scope))
          yield plain(input, text);
        return;
      case "format":
        yield plain(input, formatted(filter.name, input.value));
        return;
      case "variable":
        yield plain(input, this.#variable(filter.name, scope));
        return;
      case "index":
        for (const of of this.run(filter.of, input, scope)) {
          for (const key of this.values(filter.key, input.value, scope)) {
            const value = step(filter, () => indexOf(of.value, key));
            if (value !== undefined) yield child(of, key, value);
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
          if (truthy(left) === (filter.kind === "or")) yield plain(input, filter.kind === "or");
          else
            for (const right of this.values(filter.right, input.value, scope))
              yield plain(input, truthy(right));
        }
        return;
      case "alternative":
        yield* this.#alternative(filter, input, scope);
        return;
      case "binary":
        for (const right of this.values(filter.right, input.value, scope)) {
          for (const left of this.values(filter.left, input.value, scope))
            yield plain(input, binary(filter.operator, left, right));
        }
        return;
      case "negate":
        for (const value of this.values(filter.of, input.value, scope)) {
          if (typeof value !== "number") throw new JqError(`${described(value)} cannot be negated`);
          yield plain(input, -value);
        }
        return;
      case "update":
        for (const value of update(this, filter, input.value, scope)) yield plain(input, value);
        return;
      case "array":
        yield plain(
          input,
          filter.of === undefined ? [] : [...this.values(filter.of, input.value, scope)],
        );
        return;
      case "object":
        for (const object of this.#object(filter.entries, 0, input.value, scope))
          yield plain(input, object);
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
          for (const inner of match(this, filter.pattern, value, scope)) {
            const before: Json = state ?? null;
            state = undefined;
            for (const next of this.values(filter.update, before, inner)) state = next;
          }
        }
        yield plain(input, state ?? null);
        return;
      }
      case "foreach":
        for (const first of this.values(filter.initial, input.value, scope)) {
          let state = first;
          for (const value of this.values(filter.source, input.value, scope)) {
            for (const inner of match(this, filter.pattern, value, scope)) {
              for (const next of this.values(filter.update, state, inner)) {
                state = next;
                if (filter.extract === undefined) yield plain(input, next);
                else
                  for (const out of this.values(filter.extract, next, inner))
                    yield plain(input, out);
              }
            }
          }
        }
        return;
      case "bind":
        for (const value of this.values(filter.source, input.value, scope)) {
          yield* bind(this, filter, 0, value, input, scope);
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
        yield* call(this, filter, input, scope);
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
      for (let at = 0; at < value.length; at++) yield child(of, at, value[at]!);
    } else if (value instanceof Map) {
      for (const [key, item] of value) yield child(of, key, item);
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
          if (value !== undefined) yield child(of, key, value);
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
          yield* this.run(filter.handler, plain(input, error.value), scope);
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
}

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

function formatted(name: string, value: Json): string {
  const format = formats.get(name);
  if (format === undefined) throw fail(`${name.slice(1)} is not a valid format`);
  return format(value);
}
