/** `export`, `readonly`, `local`, `declare` and `typeset`. */
import type { CompoundValue } from "../expansion.js";
import { assignCompound } from "../assignments.js";
import { describeVariable } from "../declarations.js";
import { functionText } from "../unparse.js";
import type { Attributes } from "../variables.js";
import { ShellArray, elementName, readonlyError, validName } from "../variables.js";
import type { Builtin, BuiltinCall } from "./builtin.js";
import { dashQuote } from "./builtin.js";

interface Declaration {
  readonly name: string;
  /** `name[key]=value` */
  readonly key: string | undefined;
  readonly append: boolean;
  readonly value: string | undefined;
  readonly compound: CompoundValue | undefined;
}

/** `undefined` after a complaint. */
async function parseDeclaration(
  call: BuiltinCall,
  text: string,
  compound: CompoundValue | undefined,
): Promise<Declaration | undefined> {
  const match = /^([^=[+]*|[^=]*?)(\[(?:[^\]]|\](?!\+?=|$))*\])?(\+?=)?([^]*)$/.exec(text);
  const [, name = "", key, operator, rest = ""] = match ?? [];
  const whole = operator === undefined ? name + rest : name;
  if (!validName.test(whole)) {
    if (!call.shell.bash) call.fail(`${whole}: bad variable name`);
    await call.complain(`\`${text}': not a valid identifier`);
    return undefined;
  }
  return {
    name: whole,
    key: key?.slice(1, -1),
    append: operator === "+=",
    value: operator === undefined ? undefined : rest,
    compound,
  };
}

function give(call: BuiltinCall, { name, key, append, compound, value }: Declaration): void {
  const { env } = call;
  if (compound !== undefined) assignCompound(env, name, compound);
  else if (value === undefined) return;
  else if (key !== undefined) env.assignElement(name, key, value, append);
  else env.assign(name, value, append);
}

/** `export` and `readonly`. */
function marker(attribute: "exported" | "readonly") {
  return async (call: BuiltinCall): Promise<number> => {
    const { compounds, env, shell } = call;
    const { flags, operands } = call.options(shell.bash ? "pnfaA" : "p");
    if (flags.has("f")) return markFunctions(call, operands, attribute, !flags.has("n"));
    if (operands.length === 0) return listMarked(call, attribute);
    let status = 0;
    const first = call.args.length - operands.length;
    for (const [index, operand] of operands.entries()) {
      const compound = compounds.get(first + index + 1);
      const declaration = await parseDeclaration(call, operand, compound);
      if (declaration === undefined) {
        status = 1;
        continue;
      }
      if (flags.has("a") || flags.has("A")) {
        env.variables.array(declaration.name, flags.has("A"));
      }
      give(call, declaration);
      const target = env.variables.target(declaration.name);
      env.variables.setAttributes(target, { [attribute]: !flags.has("n") });
    }
    return status;
  };
}

async function markFunctions(
  call: BuiltinCall,
  names: readonly string[],
  attribute: "exported" | "readonly",
  on: boolean,
): Promise<number> {
  const { functions } = call.env;
  if (names.length === 0) {
    const marked = [...functions].filter(([, one]) => one[attribute] === true).sort();
    const letter = attribute === "exported" ? "x" : "r";
    return call.print(
      marked
        .map(([name, { body }]) => `${functionText(name, body)}declare -f${letter} ${name}\n`)
        .join(""),
    );
  }
  let status = 0;
  for (const name of names) {
    const known = functions.get(name);
    if (known === undefined) status = await call.complain(`${name}: not a function`);
    else functions.set(name, { ...known, [attribute]: on });
  }
  return status;
}

function listMarked(call: BuiltinCall, attribute: "exported" | "readonly"): Promise<number> {
  const { env, name, shell } = call;
  const marked = env.variables
    .names()
    .map((one) => [one, env.variables.own(one)!] as const)
    .filter(([, variable]) => variable[attribute] === true);
  if (shell.bash) {
    return call.print(marked.map(([one, variable]) => describeVariable(one, variable)).join(""));
  }
  const lines = marked.map(([variable, { value }]) =>
    value === undefined ? `${name} ${variable}\n` : `${name} ${variable}=${dashQuote(value)}\n`,
  );
  return call.print(lines.sort().join(""));
}

async function local(call: BuiltinCall): Promise<number> {
  const { env, shell } = call;
  if (!env.variables.inFunction) {
    return shell.bash
      ? call.complain("can only be used in a function")
      : call.fail("not in a function");
  }
  if (shell.bash) return declare(call);
  for (const argument of call.args) {
    if (argument === "-") {
      env.localOptions ??= env.options.clone();
      continue;
    }
    const declaration = (await parseDeclaration(call, argument, undefined))!;
    env.variables.local(declaration.name);
    give(call, declaration);
  }
  return 0;
}

/** Options of `declare` with their sign: `+x` takes an attribute away. */
function parseOptions(call: BuiltinCall): { flags: Map<string, boolean>; from: number } {
  const flags = new Map<string, boolean>();
  const { args } = call;
  let at = 0;
  for (; at < args.length; at++) {
    const argument = args[at]!;
    if (argument === "--") return { flags, from: at + 1 };
    if (!/^[-+]./.test(argument)) break;
    for (const letter of argument.slice(1)) {
      if (!"aAcfFgiIlnprtux".includes(letter)) call.options("", [`-${letter}`]);
      flags.set(letter, argument.startsWith("-"));
    }
  }
  return { flags, from: at };
}

function attributesOf(flags: ReadonlyMap<string, boolean>): Attributes {
  const letters = { l: "lower", u: "upper", c: "capital" } as const;
  let changed: Attributes = {};
  for (const [letter, on] of flags) {
    if (letter === "x") changed = { ...changed, exported: on };
    if (letter === "i") changed = { ...changed, integer: on };
    if (letter === "t") changed = { ...changed, trace: on };
    if (letter === "n") changed = { ...changed, reference: on };
    const letterCase = letters[letter as keyof typeof letters];
    if (letterCase !== undefined) {
      changed = { ...changed, letters: on ? letterCase : "as-is" };
    }
  }
  return changed;
}

async function declare(call: BuiltinCall): Promise<number> {
  const { env } = call;
  const { flags, from } = parseOptions(call);
  const operands = call.args.slice(from);
  if (flags.has("I")) call.fail("-I: not available in this shell");
  if (flags.has("f") || flags.has("F")) return declareFunctions(call, flags, operands);
  if (flags.has("p") || operands.length === 0) return printDeclarations(call, flags, operands);
  let status = 0;
  for (const [index, operand] of operands.entries()) {
    if (operand === "-" && call.name === "local") {
      env.localOptions ??= env.options.clone();
      continue;
    }
    const compound = call.compounds.get(from + index + 1);
    const declaration = await parseDeclaration(call, operand, compound);
    if (declaration === undefined) status = 1;
    else status = (await declareOne(call, declaration, flags)) || status;
  }
  return status;
}

async function declareOne(
  call: BuiltinCall,
  declaration: Declaration,
  flags: ReadonlyMap<string, boolean>,
): Promise<number> {
  const { variables } = call.env;
  const { name } = declaration;
  if (flags.get("g") === true) {
    let status = 0;
    const rest = new Map([...flags].filter(([letter]) => letter !== "g"));
    variables.globally(name, () => {
      status = applyDeclaration(call, declaration, rest);
    });
    return status;
  }
  const wanted = flags.get("n");
  const value = declaration.value ?? "";
  if (wanted === true && declaration.value !== undefined) {
    if (!validName.test(value) && !elementName.test(value)) {
      return call.complain(`\`${value}': invalid variable name for name reference`);
    }
    if (value === name && !variables.inFunction) {
      return call.complain(`${name}: nameref variable self references not allowed`);
    }
  }
  if (variables.inFunction && !variables.isLocal(name)) {
    if (variables.own(name)?.readonly === true) throw readonlyError(name);
    variables.local(name, true);
    variables.clearLocal(name);
  }
  return applyDeclaration(call, declaration, flags);
}

/** Attributes first, then the value, then what makes it final. */
function applyDeclaration(
  call: BuiltinCall,
  declaration: Declaration,
  flags: ReadonlyMap<string, boolean>,
): number {
  const { env } = call;
  const { variables } = env;
  const { name, value } = declaration;
  const attributes = attributesOf(flags);
  if (flags.get("n") === true) {
    variables.restore(name, {
      ...variables.own(name),
      value: value ?? variables.own(name)?.value,
      ...attributes,
    });
    return 0;
  }
  if (flags.get("n") === false) {
    variables.setAttributes(name, attributes);
    return 0;
  }
  const target = variables.target(name);
  if (flags.get("r") === false && variables.own(target)?.readonly === true) {
    call.fail(`${name}: readonly variable`, 1);
  }
  const wantsArray = flags.get("a") === true || flags.get("A") === true;
  if (wantsArray || declaration.compound !== undefined || declaration.key !== undefined) {
    const old = variables.own(target)?.array;
    const associative = flags.get("A") === true;
    if (old !== undefined && wantsArray && old.associative !== associative) {
      const words = associative ? "indexed to associative" : "associative to indexed";
      call.fail(`${name}: cannot convert ${words} array`, 1);
    }
    if (old === undefined) makeArray(call, target, associative);
  }
  if (variables.own(target)?.readonly === true && (value !== undefined || declaration.compound)) {
    throw readonlyError(name);
  }
  variables.setAttributes(target, attributes);
  give(call, declaration);
  if (flags.get("r") === true) variables.setAttributes(target, { readonly: true });
  return 0;
}

function makeArray({ env }: BuiltinCall, name: string, associative: boolean): void {
  const { variables } = env;
  const old = variables.own(name);
  if (old?.value !== undefined) variables.array(name, associative);
  else variables.restore(name, { ...old, value: undefined, array: new ShellArray(associative) });
}

async function declareFunctions(
  call: BuiltinCall,
  flags: ReadonlyMap<string, boolean>,
  names: readonly string[],
): Promise<number> {
  const { functions } = call.env;
  const changes = {
    ...(flags.has("x") && { exported: flags.get("x")! }),
    ...(flags.has("r") && { readonly: flags.get("r")! }),
    ...(flags.has("t") && { traced: flags.get("t")! }),
  };
  let status = 0;
  for (const name of names.length > 0 ? names : [...functions.keys()].sort()) {
    const known = functions.get(name);
    if (known === undefined) {
      status = 1;
      continue;
    }
    if (names.length > 0 && Object.keys(changes).length > 0) {
      functions.set(name, { ...known, ...changes });
    } else if (flags.get("F") === true) {
      const letters = `${known.readonly ? "r" : ""}${known.traced ? "t" : ""}${known.exported ? "x" : ""}`;
      const place = call.env.shellOptions.has("extdebug")
        ? `${name} ${known.line} ${known.source}`
        : name;
      await call.print(names.length > 0 ? `${place}\n` : `declare -f${letters} ${name}\n`);
    } else await call.print(functionText(name, known.body));
  }
  return status;
}

async function printDeclarations(
  call: BuiltinCall,
  flags: ReadonlyMap<string, boolean>,
  names: readonly string[],
): Promise<number> {
  const { variables } = call.env;
  let status = 0;
  const own = call.name === "local" ? variables.localNames() : variables.names();
  for (const name of names.length > 0 ? names : own) {
    const variable = variables.own(name);
    if (variable === undefined) {
      if (names.length > 0) status = await call.complain(`${name}: not found`);
      continue;
    }
    if (names.length === 0 && !hasAttributes(variable, flags)) continue;
    await call.print(describeVariable(name, variable));
  }
  return status;
}

function hasAttributes(
  variable: NonNullable<ReturnType<BuiltinCall["env"]["variables"]["own"]>>,
  flags: ReadonlyMap<string, boolean>,
): boolean {
  const { array, exported, integer, letters, readonly, reference, trace } = variable;
  const has: Readonly<Record<string, boolean | undefined>> = {
    a: array?.associative === false,
    A: array?.associative === true,
    c: letters === "capital",
    i: integer,
    l: letters === "lower",
    n: reference,
    r: readonly,
    t: trace,
    u: letters === "upper",
    x: exported,
  };
  return [...flags.keys()].every((letter) => !(letter in has) || has[letter] === true);
}

export const declarationBuiltins: Record<string, Builtin> = {
  export: { special: true, run: marker("exported") },
  readonly: { special: true, run: marker("readonly") },
  local: { special: true, run: local },
  declare: { run: declare },
  typeset: { run: declare },
};
