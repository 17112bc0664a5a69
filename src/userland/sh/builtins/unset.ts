/** `unset`, `shift` and `let`. */
import { evaluateArithmetic } from "../arithmetic.js";
import { arithmeticScope, elementKey } from "../parameters.js";
import { elementName, validName } from "../variables.js";
import type { Builtin, BuiltinCall } from "./builtin.js";

async function unset(call: BuiltinCall): Promise<number> {
  const { env, shell } = call;
  const { flags, operands } = call.options(shell.bash ? "fvn" : "fv");
  if (shell.bash && flags.has("f") && flags.has("v")) {
    return call.complain("cannot simultaneously unset a function and a variable");
  }
  let status = 0;
  for (const operand of operands) {
    const element = elementName.exec(operand);
    if (flags.has("f")) status = (await unsetFunction(call, operand)) || status;
    else if (flags.has("n")) env.variables.unsetOwn(operand);
    else if (element !== null) unsetElement(call, element[1]!, element[2]!);
    else if (!validName.test(operand)) {
      if (shell.bash && !flags.has("v")) {
        status = (await unsetFunction(call, operand)) || status;
      } else if (shell.bash) {
        status = await call.complain(`\`${operand}': not a valid identifier`);
      } else call.fail(`${operand}: bad variable name`);
    } else if (shell.bash && !flags.has("v") && env.variables.own(operand) === undefined) {
      status = (await unsetFunction(call, operand)) || status;
    } else status = (await unsetVariable(call, operand)) || status;
  }
  return status;
}

async function unsetFunction(call: BuiltinCall, name: string): Promise<number> {
  const { functions } = call.env;
  if (functions.get(name)?.readonly === true) {
    return call.complain(`${name}: cannot unset: readonly function`);
  }
  functions.delete(name);
  return 0;
}

async function unsetVariable(call: BuiltinCall, name: string): Promise<number> {
  const { env, shell } = call;
  const referenced = env.variables.referencedElement(name);
  if (referenced !== undefined) unsetElement(call, referenced[1]!, referenced[2]!);
  else if (shell.bash && env.variables.get(name)?.readonly === true) {
    return call.complain(`${name}: cannot unset: readonly variable`);
  } else env.variables.unset(name);
  return 0;
}

function unsetElement(call: BuiltinCall, name: string, key: string): void {
  const { variables } = call.env;
  const variable = variables.get(name);
  if (variable?.readonly === true) {
    call.fail(`${name}: is read only`, 2, { message: `${name}: cannot unset: readonly variable` });
  }
  const array = variable?.array;
  if (array === undefined) {
    if (variable !== undefined && key !== "0") {
      call.fail(`${name}: not an array variable`, 1);
    }
    if (key === "0") variables.unset(name);
  } else if ((key === "@" || key === "*") && !array.associative) array.clear();
  else if (key === "@" || key === "*") variables.unset(name);
  else array.delete(elementKey(call.env, name, key));
}

async function shift(call: BuiltinCall): Promise<number> {
  const { args, env, shell } = call;
  const count = args[0] === undefined ? 1 : call.number(args[0]);
  if (count > env.positional.length) {
    if (!shell.bash) call.fail("can't shift that many");
    if (!env.shellOptions.has("shift_verbose")) return 1;
    return call.complain(`${args[0] ?? 1}: shift count out of range`);
  }
  env.positional = env.positional.slice(count);
  return 0;
}

function evaluate(call: BuiltinCall): number {
  if (call.args.length === 0) call.fail("expression expected", 2, { status: 1 });
  let value = 0n;
  for (const text of call.args) value = evaluateArithmetic(text, arithmeticScope(call.env, true));
  return value === 0n ? 1 : 0;
}

export const unsetBuiltins: Record<string, Builtin> = {
  unset: { special: true, run: unset },
  shift: { special: true, run: shift },
  let: { run: evaluate },
};
