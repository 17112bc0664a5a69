/**
 * Owns shell variables: values, arrays, attributes and the scopes of functions.
 * A `Variable` record is immutable, so that a subshell's copy of the store is a
 * copy of the map; arrays are copied with it. Names are chosen by scripts: Maps only.
 */
import { ShellError } from "./control.js";
import { limits } from "./limits.js";

export interface Variable {
  /** `undefined` while the name has attributes but no value. */
  readonly value: string | undefined;
  readonly array?: ShellArray;
  readonly exported?: boolean;
  readonly readonly?: boolean;
  readonly integer?: boolean;
  readonly letters?: "lower" | "upper";
}

/** Indexed by non-negative numbers, or by text when associative. */
export class ShellArray {
  readonly #elements: Map<string | number, string>;

  constructor(
    readonly associative: boolean,
    elements?: Iterable<readonly [string | number, string]>,
  ) {
    this.#elements = new Map(elements);
  }

  get size(): number {
    return this.#elements.size;
  }

  get(key: string | number): string | undefined {
    return this.#elements.get(key);
  }

  set(key: string | number, value: string): void {
    if (this.#elements.size >= limits.arrayElements && !this.#elements.has(key)) {
      throw new ShellError("array too large");
    }
    this.#elements.set(key, value);
  }

  delete(key: string | number): void {
    this.#elements.delete(key);
  }

  keys(): (string | number)[] {
    const keys = [...this.#elements.keys()];
    return this.associative ? keys : keys.sort((a, b) => Number(a) - Number(b));
  }

  values(): string[] {
    return this.keys().map((key) => this.#elements.get(key)!);
  }

  /** Where `+=` goes on: one behind the last. */
  nextIndex(): number {
    let next = 0;
    for (const key of this.#elements.keys()) if (Number(key) >= next) next = Number(key) + 1;
    return next;
  }

  copy(): ShellArray {
    return new ShellArray(this.associative, this.#elements);
  }

  entries(): [string | number, string][] {
    return this.keys().map((key) => [key, this.#elements.get(key)!]);
  }
}

export const validName = /^[A-Za-z_]\w*$/;

type Scope = Map<string, Variable | undefined>;

export class VariableStore {
  #variables = new Map<string, Variable>();
  #scopes: Scope[] = [];

  clone(): VariableStore {
    const copy = new VariableStore();
    for (const [name, variable] of this.#variables) {
      const { array } = variable;
      copy.#variables.set(
        name,
        array === undefined ? variable : { ...variable, array: array.copy() },
      );
    }
    copy.#scopes = this.#scopes.map((scope) => new Map(scope));
    return copy;
  }

  get(name: string): Variable | undefined {
    return this.#variables.get(name);
  }

  /** The value of a scalar, or of an array's element 0. */
  value(name: string): string | undefined {
    const variable = this.#variables.get(name);
    if (variable?.array === undefined) return variable?.value;
    return variable.array.get(variable.array.associative ? "0" : 0);
  }

  names(): string[] {
    return [...this.#variables.keys()].sort();
  }

  /** Sets the value and keeps the attributes. */
  set(name: string, value: string): void {
    const old = this.#writable(name);
    if (value.length > limits.textLength) throw new ShellError("value too long");
    if (old?.array !== undefined) old.array.set(old.array.associative ? "0" : 0, value);
    else
      this.#variables.set(
        name,
        old === undefined ? { value } : { ...old, value: cased(old, value) },
      );
  }

  setElement(name: string, key: string | number, value: string): void {
    this.array(name).set(key, value);
  }

  /** The array of that name; a scalar becomes its element 0. */
  array(name: string, associative = false): ShellArray {
    const old = this.#writable(name);
    if (old?.array !== undefined) return old.array;
    const array = new ShellArray(associative);
    if (old?.value !== undefined) array.set(associative ? "0" : 0, old.value);
    this.#variables.set(name, { ...old, value: undefined, array });
    return array;
  }

  setArray(name: string, array: ShellArray): void {
    this.#variables.set(name, { ...this.#writable(name), value: undefined, array });
  }

  setAttributes(name: string, attributes: Partial<Omit<Variable, "value" | "array">>): void {
    this.#variables.set(name, { value: undefined, ...this.#variables.get(name), ...attributes });
  }

  unset(name: string): void {
    if (this.#writable(name) !== undefined) this.#variables.delete(name);
  }

  // --- scopes --------------------------------------------------------------------------------------

  get inFunction(): boolean {
    return this.#scopes.length > 0;
  }

  pushScope(): void {
    this.#scopes.push(new Map());
  }

  /** Restores what `local` and prefix assignments changed. */
  popScope(): void {
    for (const [name, variable] of this.#scopes.pop() ?? []) {
      if (variable === undefined) this.#variables.delete(name);
      else this.#variables.set(name, variable);
    }
  }

  /** Remembers the variable for the end of the innermost scope. */
  local(name: string): void {
    const scope = this.#scopes.at(-1);
    const old = this.#writable(name);
    if (scope === undefined || scope.has(name)) return;
    scope.set(name, old);
    // The shared array must survive what happens to the local one.
    if (old?.array !== undefined) this.#variables.set(name, { ...old, array: old.array.copy() });
  }

  /** A fresh variable, as bash's `local` makes it; dash keeps the outer value. */
  clearLocal(name: string): void {
    const { exported } = this.#variables.get(name) ?? {};
    this.#variables.delete(name);
    if (exported === true) this.setAttributes(name, { exported });
  }

  // --- what children see ---------------------------------------------------------------------------

  exported(): string[] {
    const environment: string[] = [];
    for (const [name, { exported, value }] of this.#variables) {
      if (exported === true && value !== undefined) environment.push(`${name}=${value}`);
    }
    return environment;
  }

  entries(): IterableIterator<[string, Variable]> {
    return this.#variables.entries();
  }

  restore(name: string, variable: Variable): void {
    this.#variables.set(name, variable);
  }

  #writable(name: string): Variable | undefined {
    const variable = this.#variables.get(name);
    if (variable?.readonly === true) throw new ShellError(`${name}: is read only`);
    return variable;
  }
}

function cased(variable: Variable, value: string): string {
  if (variable.letters === undefined) return value;
  return variable.letters === "lower" ? value.toLowerCase() : value.toUpperCase();
}
