/** Owns the names that a jq filter sees: functions, variables and labels, from the innermost out. */
import type { Definition, Filter } from "./filter.js";
import type { Json } from "./json.js";

export type Callable =
  | { kind: "closure"; filter: Filter; scope: Scope }
  | { kind: "function"; definition: Definition; scope: Scope };

export class Scope {
  constructor(
    readonly parent: Scope | undefined,
    readonly functions: Map<string, Callable> = new Map(),
    readonly variables: Map<string, Json> = new Map(),
    readonly labels: Map<string, object> = new Map(),
  ) {}

  with(name: string, value: Json): Scope {
    return new Scope(this, undefined, new Map([[name, value]]));
  }

  variable(name: string): Json | undefined {
    return walkUp<Json>(this, (scope) => scope.variables.get(name));
  }

  callable(key: string): Callable | undefined {
    return walkUp<Callable>(this, (scope) => scope.functions.get(key));
  }

  label(name: string): object | undefined {
    return walkUp<object>(this, (scope) => scope.labels.get(name));
  }
}

/** With a loop: scopes nest as deep as a filter recurses. */
function walkUp<T>(from: Scope | undefined, find: (scope: Scope) => T | undefined): T | undefined {
  for (let scope = from; scope !== undefined; scope = scope.parent) {
    const found = find(scope);
    if (found !== undefined) return found;
  }
  return undefined;
}
