/** Owns assignments: scalars, elements, and whole arrays, which are expanded before they are stored. */
import type { Assignment } from "./ast.js";
import type { Environment } from "./environment.js";
import { expandCompound, expandText } from "./expansion.js";
import type { CompoundValue } from "./expansion.js";
import type { Interpreter } from "./interpreter.js";
import { elementKey } from "./parameters.js";
import { ShellArray } from "./variables.js";

/** `name=(…)` and `name+=(…)` */
export function assignCompound(env: Environment, name: string, compound: CompoundValue): void {
  const { append, elements } = compound;
  const { variables } = env;
  const associative = variables.get(name)?.array?.associative === true;
  const array = append ? variables.array(name, associative) : new ShellArray(associative, []);
  if (!append) variables.setArray(name, array);
  if (associative && elements.every(({ key }) => key === undefined)) {
    // Keys and values by turns.
    for (let at = 0; at < elements.length; at += 2) {
      env.assignElement(name, elements[at]!.value, elements[at + 1]?.value ?? "");
    }
    return;
  }
  array.assigned = true;
  let next = associative ? 0 : array.nextIndex();
  for (const { key, value, append: adds } of elements) {
    const index = key === undefined ? String(next) : key;
    env.assignElement(name, index, value, adds);
    if (!associative) next = Number(elementKey(env, name, index)) + 1;
  }
}

export async function assign(
  shell: Interpreter,
  env: Environment,
  assignment: Assignment,
): Promise<void> {
  const { name, append, value, index } = assignment;
  if (!("parts" in value)) {
    const compound = await expandCompound(shell, env, value, append);
    return assignCompound(env, name, compound);
  }
  if (index === undefined) return env.assign(name, await expandText(shell, env, value), append);
  const key = await expandText(shell, env, index);
  env.assignElement(name, key, await expandText(shell, env, value), append);
}
