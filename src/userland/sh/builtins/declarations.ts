/** Builtins about variables: `export`, `readonly`, `local`, `declare`, `unset`, `shift`, `let`. */
import { evaluateArithmetic } from "../arithmetic.js";
import { arithmeticScope, elementKey } from "../parameters.js";
import type { Variable } from "../variables.js";
import { validName } from "../variables.js";
import type { Builtin, BuiltinCall } from "./builtin.js";
import { quote } from "./builtin.js";

interface Declaration {
  readonly name: string;
  readonly append: boolean;
  readonly value: string | undefined;
}

function parseDeclaration(call: BuiltinCall, text: string): Declaration {
  const equals = text.indexOf("=");
  const append = equals > 0 && text[equals - 1] === "+";
  const name = equals < 0 ? text : text.slice(0, append ? equals - 1 : equals);
  if (!validName.test(name)) call.fail(`${name}: bad variable name`);
  return { name, append, value: equals < 0 ? undefined : text.slice(equals + 1) };
}

function give(call: BuiltinCall, { name, append, value }: Declaration): void {
  if (value === undefined) return;
  const { env } = call;
  const old = env.variables.value(name) ?? "";
  if (env.variables.get(name)?.integer === true) {
    const text = append ? `(${old}) + (${value})` : value;
    env.assign(name, evaluateArithmetic(text, arithmeticScope(env, true)).toString());
  } else env.assign(name, append ? old + value : value);
}

/** `export` and `readonly`. */
function marker(attribute: "exported" | "readonly") {
  return async (call: BuiltinCall): Promise<number> => {
    const { env, name } = call;
    const { flags, operands } = call.options("pnf");
    if (operands.length === 0) {
      const lines = [...env.variables.entries()]
        .filter(([, variable]) => variable[attribute] === true)
        .map(([variable, { value }]) =>
          value === undefined ? `${name} ${variable}\n` : `${name} ${variable}=${quote(value)}\n`,
        );
      return call.print(lines.sort().join(""));
    }
    for (const operand of operands) {
      const declaration = parseDeclaration(call, operand);
      give(call, declaration);
      env.variables.setAttributes(declaration.name, { [attribute]: !flags.has("n") });
    }
    return 0;
  };
}

function local(call: BuiltinCall): number | Promise<number> {
  const { env, shell } = call;
  if (!env.variables.inFunction) {
    return shell.bash
      ? call.complain("can only be used in a function")
      : call.fail("not in a function");
  }
  if (call.args.some((argument) => /^-[A-Za-z]/.test(argument))) return declare(call);
  for (const argument of call.args) {
    if (argument === "-") continue;
    const declaration = parseDeclaration(call, argument);
    env.variables.local(declaration.name);
    if (shell.bash) env.variables.clearLocal(declaration.name);
    give(call, declaration);
  }
  return 0;
}

async function declare(call: BuiltinCall): Promise<number> {
  const { env } = call;
  const { flags, operands } = call.options("aAfFgilnprtux");
  if (flags.has("f") || flags.has("F")) {
    return operands.every((name) => env.functions.has(name)) ? 0 : 1;
  }
  if (flags.has("p") || operands.length === 0) return printDeclarations(call, operands);
  const attributes: Partial<Omit<Variable, "value" | "array">> = {
    ...(flags.has("x") && { exported: true }),
    ...(flags.has("i") && { integer: true }),
    ...(flags.has("l") && { letters: "lower" as const }),
    ...(flags.has("u") && { letters: "upper" as const }),
  };
  for (const operand of operands) {
    const declaration = parseDeclaration(call, operand);
    const { name } = declaration;
    if (env.variables.inFunction && !flags.has("g") && call.name !== "export") {
      env.variables.local(name);
      env.variables.clearLocal(name);
    }
    if (flags.has("a") || flags.has("A")) env.variables.array(name, flags.has("A"));
    env.variables.setAttributes(name, attributes);
    give(call, declaration);
    if (flags.has("r")) env.variables.setAttributes(name, { readonly: true });
  }
  return 0;
}

async function printDeclarations(call: BuiltinCall, names: readonly string[]): Promise<number> {
  const { variables } = call.env;
  let status = 0;
  for (const name of names.length > 0 ? names : variables.names()) {
    const variable = variables.get(name);
    if (variable === undefined) {
      status = await call.complain(`${name}: not found`);
      continue;
    }
    const { array, value } = variable;
    const letters = [
      array && (array.associative ? "A" : "a"),
      variable.integer && "i",
      variable.letters && variable.letters[0],
      variable.readonly && "r",
      variable.exported && "x",
    ];
    const flags = letters.filter(Boolean).join("") || "-";
    const elements = array?.entries().map(([key, text]) => `[${key}]=${double(text)}`);
    // bash leaves a blank behind the last pair of an associative array.
    const inside = elements?.join(" ") + (array?.associative ? " " : "");
    const text =
      elements !== undefined ? `=(${inside})` : value === undefined ? "" : `=${double(value)}`;
    await call.print(`declare -${flags} ${name}${text}\n`);
  }
  return status;
}

function double(text: string): string {
  return `"${text.replace(/["\\$`]/g, "\\$&")}"`;
}

function unset(call: BuiltinCall): number {
  const { env, shell } = call;
  const { flags, operands } = call.options("fv");
  for (const operand of operands) {
    const element = /^([A-Za-z_]\w*)\[(.+)\]$/s.exec(operand);
    if (flags.has("f")) env.functions.delete(operand);
    else if (element !== null) {
      const [, name, key] = element;
      env.variables.get(name!)?.array?.delete(elementKey(env, name!, key!));
    } else if (!validName.test(operand)) {
      if (!shell.bash || !env.functions.delete(operand)) call.fail(`${operand}: bad variable name`);
    } else if (shell.bash && !flags.has("v") && env.variables.get(operand) === undefined) {
      env.functions.delete(operand);
    } else env.variables.unset(operand);
  }
  return 0;
}

function shift(call: BuiltinCall): number {
  const { args, env, shell } = call;
  const count = args[0] === undefined ? 1 : call.number(args[0]);
  if (count > env.positional.length) {
    if (shell.bash) return 1;
    call.fail("can't shift that many");
  }
  env.positional = env.positional.slice(count);
  return 0;
}

function evaluate(call: BuiltinCall): number {
  if (call.args.length === 0) call.fail("expression expected");
  let value = 0n;
  for (const text of call.args) value = evaluateArithmetic(text, arithmeticScope(call.env, true));
  return value === 0n ? 1 : 0;
}

export const declarationBuiltins: Record<string, Builtin> = {
  export: { special: true, run: marker("exported") },
  readonly: { special: true, run: marker("readonly") },
  local: { special: true, run: local },
  declare: { run: declare },
  typeset: { run: declare },
  unset: { special: true, run: unset },
  shift: { special: true, run: shift },
  let: { run: evaluate },
};
