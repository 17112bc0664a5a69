/**
 * Owns shell variables: values, arrays, attributes, name references and the
 * scopes of functions. A `Variable` record is immutable, so that a subshell's copy
 * of the store is a copy of the map; arrays are copied with it. Names are chosen
 * by scripts: Maps only.
 */
import { ShellArray } from "./arrays.js";
import { ShellError } from "./control.js";
import type { DynamicContext, DynamicVariable } from "./dynamic-variables.js";
import { limits } from "./limits.js";

export interface Variable {
  /** `undefined` while the name has attributes but no value. */
  readonly value: string | undefined;
  readonly array?: ShellArray;
  readonly exported?: boolean;
  readonly readonly?: boolean;
  readonly integer?: boolean;
  readonly letters?: "lower" | "upper" | "capital" | "as-is";
  /** `declare -n`: the value names the variable that is meant. */
  readonly reference?: boolean;
  readonly trace?: boolean;
}

export type Attributes = Partial<Omit<Variable, "value" | "array">>;

export { ShellArray };

export const validName = /^[A-Za-z_]\w*$/;
/** `name[key]` */
export const elementName = /^([A-Za-z_]\w*)\[(.+)\]$/s;

/** References that lead to references. */
const REFERENCE_DEPTH = 8;

interface Scope {
  /** False for the assignments in front of a command, which `local` does not belong to. */
  readonly ofFunction: boolean;
  readonly saved: Map<string, Variable | undefined>;
}

export function readonlyError(name: string): ShellError {
  return new ShellError(`${name}: is read only`, 2, { message: `${name}: readonly variable` });
}

export class VariableStore {
  #variables = new Map<string, Variable>();
  #scopes: Scope[] = [];
  #dynamic: ReadonlyMap<string, DynamicVariable> = new Map();
  #context: DynamicContext | undefined;
  /** Dynamic names that a script has unset: ordinary from then on. */
  #plain = new Set<string>();

  /** The variables that bash computes are those of this environment. */
  attach(dynamic: ReadonlyMap<string, DynamicVariable>, context: DynamicContext): void {
    this.#dynamic = dynamic;
    this.#context = context;
  }

  clone(): VariableStore {
    const copy = new VariableStore();
    for (const [name, variable] of this.#variables) {
      const { array } = variable;
      copy.#variables.set(
        name,
        array === undefined ? variable : { ...variable, array: array.copy() },
      );
    }
    copy.#scopes = this.#scopes.map(({ ofFunction, saved }) => ({
      ofFunction,
      saved: new Map(saved),
    }));
    copy.#plain = new Set(this.#plain);
    return copy;
  }

  /** The name that a name reference leads to, or the name itself. */
  target(name: string): string {
    let at = name;
    for (let depth = 0; depth < REFERENCE_DEPTH; depth++) {
      const variable = this.#variables.get(at);
      if (variable?.reference !== true || variable.value === undefined) return at;
      if (!validName.test(variable.value)) return at;
      at = variable.value;
    }
    return name;
  }

  /** The element that a name reference leads to. */
  referencedElement(name: string): RegExpExecArray | undefined {
    const variable = this.#variables.get(this.target(name));
    if (variable?.reference !== true || variable.value === undefined) return undefined;
    return elementName.exec(variable.value) ?? undefined;
  }

  /** The record of the name itself: a name reference is not followed. */
  own(name: string): Variable | undefined {
    const dynamic = this.#dynamic.get(name);
    if (dynamic === undefined || this.#plain.has(name) || this.#context === undefined) {
      return this.#variables.get(name);
    }
    const computed = dynamic.read(this.#context);
    return computed && { ...this.#variables.get(name), ...computed };
  }

  get(name: string): Variable | undefined {
    return this.own(this.target(name));
  }

  /** The value of a scalar, or of an array's element 0. */
  value(name: string): string | undefined {
    const variable = this.get(name);
    if (variable === undefined) return undefined;
    if (variable.array === undefined) return variable.reference ? undefined : variable.value;
    return variable.array.get(variable.array.associative ? "0" : 0);
  }

  names(): string[] {
    const names = new Set(this.#variables.keys());
    for (const name of this.#dynamic.keys()) {
      if (!this.#plain.has(name) && this.own(name) !== undefined) names.add(name);
    }
    return [...names].sort((a, b) => (a < b ? -1 : 1));
  }

  /** Sets the value and keeps the attributes. */
  set(name: string, value: string): void {
    const target = this.target(name);
    const old = this.#writable(target);
    if (value.length > limits.textLength) throw new ShellError("value too long");
    const dynamic = this.#dynamic.get(target);
    if (dynamic !== undefined && !this.#plain.has(target) && this.#context !== undefined) {
      dynamic.write?.(this.#context, value);
    } else if (old?.array !== undefined) {
      old.array.set(old.array.associative ? "0" : 0, cased(old, value));
    } else
      this.#variables.set(
        target,
        old === undefined ? { value } : { ...old, value: cased(old, value) },
      );
  }

  setElement(name: string, key: string | number, value: string): void {
    const array = this.array(name);
    const variable = this.get(name);
    array.set(key, variable === undefined ? value : cased(variable, value));
  }

  /** The array of that name; a scalar becomes its element 0. */
  array(name: string, associative = false): ShellArray {
    const target = this.target(name);
    const old = this.#writable(target);
    const computed = this.own(target)?.array;
    if (computed !== undefined) return computed;
    const array = new ShellArray(associative);
    if (old?.value !== undefined) array.set(associative ? "0" : 0, old.value);
    this.#variables.set(target, { ...old, value: undefined, array });
    return array;
  }

  setArray(name: string, array: ShellArray): void {
    const target = this.target(name);
    this.#variables.set(target, { ...this.#writable(target), value: undefined, array });
  }

  /** Of the name itself: a reference gets attributes, too. */
  setAttributes(name: string, attributes: Attributes): void {
    this.#variables.set(name, { value: undefined, ...this.#variables.get(name), ...attributes });
  }

  unset(name: string): void {
    const target = this.target(name);
    this.unsetOwn(target);
  }

  /** `unset -n` */
  unsetOwn(name: string): void {
    if (this.#variables.get(name)?.readonly === true) {
      throw new ShellError(`${name}: is read only`, 2, {
        message: `${name}: cannot unset: readonly variable`,
      });
    }
    this.#variables.delete(name);
    if (this.#dynamic.has(name)) this.#plain.add(name);
  }

  // --- scopes --------------------------------------------------------------------------------------

  get inFunction(): boolean {
    return this.#scopes.some(({ ofFunction }) => ofFunction);
  }

  pushScope(ofFunction: boolean): void {
    this.#scopes.push({ ofFunction, saved: new Map() });
  }

  /** Restores what `local` and prefix assignments changed. */
  popScope(): void {
    for (const [name, variable] of this.#scopes.pop()?.saved ?? []) {
      if (variable === undefined) this.#variables.delete(name);
      else this.#variables.set(name, variable);
    }
  }

  /** Remembers the variable for the end of the innermost scope, or of the innermost function. */
  local(name: string, ofFunction = false): void {
    const scope = this.#scopes.findLast((one) => one.ofFunction || !ofFunction);
    const old = this.#variables.get(name);
    if (old?.readonly === true && !ofFunction) throw readonlyError(name);
    if (scope === undefined || scope.saved.has(name)) return;
    if (old?.readonly === true) throw readonlyError(name);
    scope.saved.set(name, old);
    // The shared array must survive what happens to the local one.
    if (old?.array !== undefined) this.#variables.set(name, { ...old, array: old.array.copy() });
  }

  /** Whether the innermost function has it as a local variable. */
  isLocal(name: string): boolean {
    return this.#scopes.findLast(({ ofFunction }) => ofFunction)?.saved.has(name) === true;
  }

  /** The local variables of the innermost function. */
  localNames(): string[] {
    const scope = this.#scopes.findLast(({ ofFunction }) => ofFunction);
    return [...(scope?.saved.keys() ?? [])].sort();
  }

  /** A fresh variable, as bash's `local` makes it; dash keeps the outer value. */
  clearLocal(name: string): void {
    const { exported } = this.#variables.get(name) ?? {};
    this.#variables.set(name, { value: undefined, ...(exported === true && { exported }) });
  }

  /** Does something to the variable of that name outside of all functions. */
  globally(name: string, change: () => void): void {
    const scope = this.#scopes.find(({ ofFunction, saved }) => ofFunction && saved.has(name));
    if (scope === undefined) return change();
    const current = this.#variables.get(name);
    const place = (variable: Variable | undefined): void => {
      if (variable === undefined) this.#variables.delete(name);
      else this.#variables.set(name, variable);
    };
    place(scope.saved.get(name));
    try {
      change();
    } finally {
      scope.saved.set(name, this.#variables.get(name));
      place(current);
    }
  }

  // --- what children see ---------------------------------------------------------------------------

  exported(): string[] {
    const environment: string[] = [];
    for (const [name, { exported }] of this.#variables) {
      if (exported !== true) continue;
      const { array, value } = this.own(name) ?? {};
      if (value !== undefined && array === undefined) environment.push(`${name}=${value}`);
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
    if (variable?.readonly === true) throw readonlyError(name);
    return variable;
  }
}

function cased({ letters }: Variable, value: string): string {
  switch (letters) {
    case "lower":
      return value.toLowerCase();
    case "upper":
      return value.toUpperCase();
    case "capital":
      return value.slice(0, 1).toUpperCase() + value.slice(1).toLowerCase();
    default:
      return value;
  }
}
