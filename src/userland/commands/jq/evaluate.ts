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

type Of<K extends Filter["kind"]> = Extract<Filter, { kind: K }>;
/** Of "pipe", "comma", "and" and "or". */
type Sides = Pick<Of<"binary">, "left" | "right"> & { kind: string };

/** Values that are at no path of the input. */
function* plainly(input: Found, values: Iterable<Json>): Generator<Found> {
  for (const value of values) yield plain(input, value);
}

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

  /** What a filter finds: a list where that is known at once, and otherwise a generator. */
  #run(filter: Filter, input: Found, scope: Scope): Iterable<Found> {
    switch (filter.kind) {
      case "identity":
        return [input];
      case "literal":
        return [plain(input, filter.value)];
      case "recurse":
        return this.#recurse(input);
      case "string":
        return plainly(
          input,
          this.#interpolate(filter.parts, 0, filter.format, input.value, scope),
        );
      case "format":
        return [plain(input, formatted(filter.name, input.value))];
      case "variable":
        return [plain(input, this.#variable(filter.name, scope))];
      case "index":
        return this.#index(filter, input, scope);
      case "slice":
        return this.#slice(filter, input, scope);
      case "iterate":
        return this.#iterateAll(filter, input, scope);
      case "pipe":
        return this.#pipe(filter, input, scope);
      case "comma":
        return this.#comma(filter, input, scope);
      case "and":
      case "or":
        return this.#logical(filter, input, scope);
      case "alternative":
        return this.#alternative(filter, input, scope);
      case "binary":
        return this.#binary(filter, input, scope);
      case "negate":
        return this.#negate(filter.of, input, scope);
      case "update":
        return plainly(input, update(this, filter, input.value, scope));
      case "array":
        return [
          plain(
            input,
            filter.of === undefined ? [] : [...this.values(filter.of, input.value, scope)],
          ),
        ];
      case "object":
        return plainly(input, this.#object(filter.entries, 0, input.value, scope));
      case "if":
        return this.#if(filter, input, scope);
      case "try":
        return this.#try(filter, input, scope);
      case "reduce":
        return [plain(input, this.#reduce(filter, input, scope))];
      case "foreach":
        return this.#foreach(filter, input, scope);
      case "bind":
        return this.#bind(filter, input, scope);
      case "label":
        return this.#label(filter, input, scope);
      case "break":
        throw this.#break(filter.name, scope);
      case "define": {
        const inner = new Scope(scope);
        this.#define(inner, filter.definition);
        return this.run(filter.body, input, inner);
      }
      case "call":
        return call(this, filter, input, scope);
    }
  }

  *#index(filter: Of<"index">, input: Found, scope: Scope): Generator<Found> {
    for (const of of this.run(filter.of, input, scope)) {
      for (const key of this.values(filter.key, input.value, scope)) {
        const value = step(filter, () => indexOf(of.value, key));
        if (value !== undefined) yield child(of, key, value);
      }
    }
  }

  *#iterateAll(filter: Of<"iterate">, input: Found, scope: Scope): Generator<Found> {
    for (const of of this.run(filter.of, input, scope)) {
      if (filter.optional && !iterable(of.value)) continue;
      yield* this.#iterate(of);
    }
  }

  *#pipe({ left, right }: Sides, input: Found, scope: Scope): Generator<Found> {
    for (const found of this.run(left, input, scope)) yield* this.run(right, found, scope);
  }

  *#comma({ left, right }: Sides, input: Found, scope: Scope): Generator<Found> {
    yield* this.run(left, input, scope);
    yield* this.run(right, input, scope);
  }

  *#logical({ kind, left, right }: Sides, input: Found, scope: Scope): Generator<Found> {
    const decides = kind === "or";
    for (const first of this.values(left, input.value, scope)) {
      if (truthy(first) === decides) yield plain(input, decides);
      else
        for (const second of this.values(right, input.value, scope))
          yield plain(input, truthy(second));
    }
  }

  *#binary(filter: Of<"binary">, input: Found, scope: Scope): Generator<Found> {
    for (const right of this.values(filter.right, input.value, scope)) {
      for (const left of this.values(filter.left, input.value, scope))
        yield plain(input, binary(filter.operator, left, right));
    }
  }

  *#negate(of: Filter, input: Found, scope: Scope): Generator<Found> {
    for (const value of this.values(of, input.value, scope)) {
      if (typeof value !== "number") throw new JqError(`${described(value)} cannot be negated`);
      yield plain(input, -value);
    }
  }

  *#if(filter: Of<"if">, input: Found, scope: Scope): Generator<Found> {
    for (const test of this.values(filter.test, input.value, scope)) {
      const chosen = truthy(test) ? filter.yes : filter.no;
      if (chosen === undefined) yield input;
      else yield* this.run(chosen, input, scope);
    }
  }

  #reduce(filter: Of<"reduce">, { value: input }: Found, scope: Scope): Json {
    let state: Json | undefined;
    for (const first of this.values(filter.initial, input, scope)) state = first;
    for (const value of this.values(filter.source, input, scope)) {
      for (const inner of match(this, filter.pattern, value, scope)) {
        const before: Json = state ?? null;
        state = undefined;
        for (const next of this.values(filter.update, before, inner)) state = next;
      }
    }
    return state ?? null;
  }

  *#foreach(filter: Of<"foreach">, input: Found, scope: Scope): Generator<Found> {
    for (const first of this.values(filter.initial, input.value, scope)) {
      let state = first;
      for (const value of this.values(filter.source, input.value, scope)) {
        for (const inner of match(this, filter.pattern, value, scope)) {
          for (const next of this.values(filter.update, state, inner)) {
            state = next;
            if (filter.extract === undefined) yield plain(input, next);
            else
              for (const out of this.values(filter.extract, next, inner)) yield plain(input, out);
          }
        }
      }
    }
  }

  *#bind(filter: Of<"bind">, input: Found, scope: Scope): Generator<Found> {
    for (const value of this.values(filter.source, input.value, scope))
      yield* bind(this, filter, 0, value, input, scope);
  }

  *#label({ name, body }: Of<"label">, input: Found, scope: Scope): Generator<Found> {
    const label = {};
    const labelled = new Scope(scope, undefined, undefined, new Map([[name, label]]));
    try {
      yield* this.run(body, input, labelled);
    } catch (error) {
      if (!(error instanceof Break) || error.label !== label) throw error;
    }
  }

  #break(name: string, scope: Scope): Error {
    const label = scope.label(name);
    return label === undefined
      ? fail(`$*label-${name} is not defined at <top-level>, line 1:`)
      : new Break(label);
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
