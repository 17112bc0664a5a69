/**
 * Owns awk's built-in functions that are more than functions of values: they set variables and
 * arrays, or ask what an argument is before it has a value. The others are in builtins.ts.
 */
import { CommandFailure } from "../../command.js";
import { characterCount } from "../../support/characters.js";
import type { Expression } from "./ast.js";
import { substitute } from "./builtins.js";
import type { Evaluate, Expressions, Frame, Kind } from "./expressions.js";
import { matchesOf, splitFields } from "./records.js";
import type { Cell } from "./cells.js";
import { compare, fromInput, toNumber, type AwkArray, type Value } from "./values.js";

type SpecialForm = (compiler: Expressions, call: Kind<"builtin">) => Evaluate;

export const specialForms: ReadonlyMap<string, SpecialForm> = new Map([
  ["length", length],
  ["split", split],
  ["patsplit", patsplit],
  ["typeof", typeOf],
  ["isarray", isArray],
  ["sub", (compiler, call) => substitution(compiler, call, "first")],
  ["gsub", (compiler, call) => substitution(compiler, call, "all")],
  ["gensub", gensub],
  ["match", match],
  ["asort", (compiler, call) => sorted(compiler, call, (array) => [...array.values()])],
  ["asorti", (compiler, call) => sorted(compiler, call, (array) => [...array.keys()])],
]);

function checkCount(call: Kind<"builtin">, least: number, most: number): void {
  const { length } = call.args;
  if (length < least || length > most) throw wrongArguments(call);
}

function wrongArguments({ name, line }: Kind<"builtin">): CommandFailure {
  return new CommandFailure(`line ${line}: wrong number of arguments in call to ${name}`, 2);
}

/** The array that an argument names. */
function arrayOf(
  compiler: Expressions,
  call: Kind<"builtin">,
  arg: Expression | undefined,
): (frame: Frame) => AwkArray {
  if (arg?.kind !== "variable") throw wrongArguments(call);
  return compiler.array(arg.name, arg.slot);
}

/** Of a bare name, which may be an array's. */
function cellOf(compiler: Expressions, arg: Expression): ((frame: Frame) => Cell) | undefined {
  return arg.kind === "variable" && arg.name !== "NF"
    ? compiler.cell(arg.name, arg.slot)
    : undefined;
}

/** Fills an array from index 1; answers how many there are. */
function fill(array: AwkArray, values: readonly Value[]): number {
  array.clear();
  values.forEach((value, at) => array.set(String(at + 1), value));
  return values.length;
}

function length(compiler: Expressions, { args: [arg] }: Kind<"builtin">): Evaluate {
  const { runtime } = compiler;
  if (arg === undefined) return () => characterCount(runtime.record);
  const cell = cellOf(compiler, arg);
  if (cell !== undefined) {
    return (frame) => {
      const { array, value } = cell(frame);
      return array === undefined ? characterCount(runtime.text(value)) : array.size;
    };
  }
  const value = compiler.expression(arg);
  return (frame) => characterCount(runtime.text(value(frame)));
}

function split(compiler: Expressions, call: Kind<"builtin">): Evaluate {
  const { runtime } = compiler;
  checkCount(call, 2, 3);
  const [text, into, separator] = call.args;
  if (into?.kind !== "variable") throw wrongArguments(call);
  const value = compiler.expression(text!);
  const array = arrayOf(compiler, call, into);
  const by = splitter(compiler, separator);
  return (frame) => {
    const whole = runtime.text(value(frame));
    const parts = splitFields(whole, runtime.text(by(frame)), runtime.regexes, false);
    return fill(array(frame), parts.map(fromInput));
  };
}

/** The source of what separates; one character stands for itself unless it is in brackets. */
function splitter(compiler: Expressions, separator: Expression | undefined): Evaluate {
  const { runtime } = compiler;
  if (separator === undefined) return () => runtime.text(runtime.fs.value);
  if (separator.kind !== "regex") return compiler.expression(separator);
  const { source } = separator;
  const regex = source.length === 1 ? `(${source === "^" ? "\\^" : source})` : source;
  return () => regex;
}

function patsplit(compiler: Expressions, call: Kind<"builtin">): Evaluate {
  const { runtime } = compiler;
  checkCount(call, 2, 3);
  const [text, into, pattern] = call.args;
  if (into?.kind !== "variable") throw wrongArguments(call);
  const value = compiler.expression(text!);
  const array = arrayOf(compiler, call, into);
  const regex =
    pattern === undefined
      ? () => runtime.regex(runtime.text(runtime.fieldPattern.value) || "[^[:space:]]+")
      : compiler.regex(pattern);
  return (frame) => {
    const parts = matchesOf(runtime.text(value(frame)), regex(frame));
    return fill(array(frame), parts.map(fromInput));
  };
}

function typeOf(compiler: Expressions, call: Kind<"builtin">): Evaluate {
  checkCount(call, 1, 1);
  const [arg] = call.args;
  const cell = cellOf(compiler, arg!);
  const value = compiler.expression(arg!);
  return (frame) => {
    if (cell?.(frame).array !== undefined) return "array";
    const found = value(frame);
    if (found === undefined) return cell === undefined ? "unassigned" : "untyped";
    return typeof found === "object" ? "strnum" : typeof found;
  };
}

function isArray(compiler: Expressions, call: Kind<"builtin">): Evaluate {
  checkCount(call, 1, 1);
  const [arg] = call.args;
  const cell = cellOf(compiler, arg!);
  // Compiled for the complaints about it alone.
  compiler.expression(arg!);
  return (frame) => (cell?.(frame).array !== undefined ? 1 : 0);
}

function substitution(
  compiler: Expressions,
  call: Kind<"builtin">,
  which: "first" | "all",
): Evaluate {
  const { runtime } = compiler;
  checkCount(call, 2, 3);
  const regex = compiler.regex(call.args[0]!);
  const replacement = compiler.expression(call.args[1]!);
  const record: Expression = { kind: "field", index: { kind: "number", value: 0 } };
  const target = call.args[2] ?? record;
  const before = compiler.expression(target);
  const bare = target.kind === "variable" || target.kind === "field" || target.kind === "element";
  const assign = bare ? compiler.assign(target) : () => undefined;
  return (frame) => {
    const text = runtime.text(before(frame));
    const result = substitute(regex(frame), text, runtime.text(replacement(frame)), which);
    if (result.count > 0) assign(frame, result.text);
    return result.count;
  };
}

function gensub(compiler: Expressions, call: Kind<"builtin">): Evaluate {
  const { runtime } = compiler;
  checkCount(call, 3, 4);
  const [pattern, by, which, target] = call.args;
  const regex = compiler.regex(pattern!);
  const [replacement, how] = [compiler.expression(by!), compiler.expression(which!)];
  const text = target === undefined ? () => runtime.record : compiler.expression(target);
  return (frame) => {
    const wanted = runtime.text(how(frame));
    const count = /^[gG]/.test(wanted) ? "all" : Math.max(1, toNumber(wanted));
    return substitute(
      regex(frame),
      runtime.text(text(frame)),
      runtime.text(replacement(frame)),
      count,
      true,
    ).text;
  };
}

function match(compiler: Expressions, call: Kind<"builtin">): Evaluate {
  const { runtime } = compiler;
  checkCount(call, 2, 3);
  const [subject, pattern, groups] = call.args;
  const value = compiler.expression(subject!);
  const regex = compiler.regex(pattern!);
  const into = groups?.kind === "variable" ? compiler.array(groups.name, groups.slot) : undefined;
  return (frame) => {
    const text = runtime.text(value(frame));
    const found = regex(frame).exec(text);
    const position = (from: number, to: number) => characterCount(text.slice(from, to));
    runtime.rstart.value = found === undefined ? 0 : position(0, found.index) + 1;
    runtime.rlength.value = found === undefined ? -1 : position(found.index, found.end);
    const target = into?.(frame);
    target?.clear();
    found?.groups.forEach(
      (group, at) => group !== undefined && target?.set(String(at), fromInput(group)),
    );
    return runtime.rstart.value;
  };
}

/** Into a second array, when there is one. */
function sorted(
  compiler: Expressions,
  call: Kind<"builtin">,
  valuesOf: (array: AwkArray) => Value[],
): Evaluate {
  const [from, into] = call.args.map((arg) => arrayOf(compiler, call, arg));
  if (from === undefined) throw wrongArguments(call);
  return (frame) => {
    const values = valuesOf(from(frame)).sort((a, b) => compare(a, b, "%.6g"));
    return fill((into ?? from)(frame), values);
  };
}
