/** Owns turning a parsed awk program into closures over a runtime. */
import { CommandFailure } from "../../command.js";
import { characterCount } from "../../support/characters.js";
import type { Expression, Program, Slot, Statement, Target, UserFunction } from "./ast.js";
import { builtin, substitute } from "./builtins.js";
import { matchesOf, splitFields } from "./records.js";
import { Cell, type Runtime } from "./runtime.js";
import {
  compare,
  fromInput,
  sprintf,
  toNumber,
  toText,
  truthy,
  type AwkArray,
  type Value,
} from "./values.js";

/** A function's parameters; a cell holds a scalar or an array, and callers' cells are passed on. */
type Frame = Cell[];
type Evaluate = (frame: Frame) => Value;

export const enum Signal {
  none,
  break,
  continue,
  next,
  nextFile,
  exit,
  return,
}
type Execute = (frame: Frame) => Signal;

/** next and exit out of a function. */
export class Unwind extends Error {
  constructor(readonly signal: Signal) {
    super("unwind");
  }
}

interface CompiledFunction {
  count: number;
  run: Execute;
}

const maxCallDepth = 4000;

export class Compiler {
  exitStatus = 0;
  #returned: Value;
  #depth = 0;
  readonly #functions = new Map<string, CompiledFunction>();

  constructor(
    private readonly runtime: Runtime,
    private readonly program: Program,
  ) {
    for (const each of program.functions.values()) {
      this.#functions.set(each.name, { count: each.parameters.length, run: () => Signal.none });
    }
    for (const each of program.functions.values()) this.#define(each);
  }

  #define(each: UserFunction): void {
    this.#functions.get(each.name)!.run = this.statement(each.body);
  }

  #cell(name: string, slot: Slot): (frame: Frame) => Cell {
    if (slot.local >= 0) {
      const { local } = slot;
      return (frame) => frame[local]!;
    }
    if (this.program.functions.has(name)) {
      throw new CommandFailure(`function ${name} used as a variable`, 2);
    }
    const cell = this.runtime.cell(name);
    return () => cell;
  }

  #array(name: string, slot: Slot): (frame: Frame) => AwkArray {
    const cell = this.#cell(name, slot);
    return (frame) => {
      const found = cell(frame);
      if (found.array === undefined) {
        if (found.value !== undefined) {
          throw new CommandFailure(`attempt to use scalar ${name} as an array`, 2);
        }
        found.array = new Map();
      }
      return found.array;
    };
  }

  #subscript(parts: Expression[]): (frame: Frame) => string {
    const { runtime } = this;
    const compiled = parts.map((part) => this.expression(part));
    const [only] = compiled;
    if (compiled.length === 1) return (frame) => runtime.text(only!(frame));
    return (frame) =>
      compiled.map((part) => runtime.text(part(frame))).join(runtime.text(runtime.subsep.value));
  }

  statement(statement: Statement): Execute {
    switch (statement.kind) {
      case "expression": {
        const value = this.expression(statement.value);
        return (frame) => {
          value(frame);
          return Signal.none;
        };
      }
      case "print":
        return this.#print(statement);
      case "if": {
        const test = this.#condition(statement.test);
        const yes = this.statement(statement.yes);
        const no = statement.no === undefined ? () => Signal.none : this.statement(statement.no);
        return (frame) => (test(frame) ? yes(frame) : no(frame));
      }
      case "while":
      case "do":
      case "for":
        return this.#loop(statement);
      case "each":
        return this.#each(statement);
      case "block": {
        const body = statement.body.map((each) => this.statement(each));
        return (frame) => {
          for (const each of body) {
            const signal = each(frame);
            if (signal !== Signal.none) return signal;
          }
          return Signal.none;
        };
      }
      case "next":
        return () => Signal.next;
      case "nextfile":
        return () => Signal.nextFile;
      case "break":
        return () => Signal.break;
      case "continue":
        return () => Signal.continue;
      case "exit": {
        const value = statement.value === undefined ? undefined : this.expression(statement.value);
        return (frame) => {
          if (value !== undefined) this.exitStatus = toNumber(value(frame)) & 255;
          return Signal.exit;
        };
      }
      case "return": {
        const value =
          statement.value === undefined ? () => undefined : this.expression(statement.value);
        return (frame) => {
          this.#returned = value(frame);
          return Signal.return;
        };
      }
      case "switch":
        return this.#switch(statement);
      case "delete": {
        const array = this.#array(statement.array, statement.slot);
        if (statement.subscripts === undefined) {
          return (frame) => {
            array(frame).clear();
            return Signal.none;
          };
        }
        const key = this.#subscript(statement.subscripts);
        return (frame) => {
          array(frame).delete(key(frame));
          return Signal.none;
        };
      }
    }
  }

  #loop(statement: Extract<Statement, { kind: "while" | "do" | "for" }>): Execute {
    const always = () => true;
    const test = statement.test === undefined ? always : this.#condition(statement.test);
    const body = this.statement(statement.body);
    const nothing: Execute = () => Signal.none;
    const first =
      statement.kind === "for" && statement.first ? this.statement(statement.first) : nothing;
    const step =
      statement.kind === "for" && statement.step ? this.statement(statement.step) : nothing;
    const testFirst = statement.kind !== "do";
    return (frame) => {
      first(frame);
      for (let begun = testFirst; ; begun = true) {
        if (begun && !test(frame)) return Signal.none;
        const signal = body(frame);
        if (signal === Signal.break) return Signal.none;
        if (signal > Signal.continue) return signal;
        step(frame);
      }
    };
  }

  #switch(statement: Extract<Statement, { kind: "switch" }>): Execute {
    const value = this.expression(statement.value);
    const cases = statement.cases.map(({ test, body }) => ({
      matches: test === undefined ? undefined : this.#caseTest(test),
      body: this.statement({ kind: "block", body }),
    }));
    return (frame) => {
      const given = value(frame);
      let at = cases.findIndex(({ matches }) => matches?.(frame, given) === true);
      if (at === -1) at = cases.findIndex(({ matches }) => matches === undefined);
      if (at === -1) return Signal.none;
      for (; at < cases.length; at++) {
        const signal = cases[at]!.body(frame);
        if (signal === Signal.break) return Signal.none;
        if (signal !== Signal.none) return signal;
      }
      return Signal.none;
    };
  }

  /** A regular expression matches; anything else is equal as numbers or as strings. */
  #caseTest(test: Expression): (frame: Frame, value: Value) => boolean {
    const { runtime } = this;
    if (test.kind === "regex") {
      const regex = this.#regex(test);
      return (frame, value) => regex(frame).test(runtime.text(value));
    }
    const wanted = this.expression(test);
    return (frame, value) => {
      const other = wanted(frame);
      const numbers = typeof other === "number" && typeof value !== "string";
      return numbers ? toNumber(value) === other : runtime.text(value) === runtime.text(other);
    };
  }

  /** The keys in the order that PROCINFO["sorted_in"] asks for. */
  #ordered(array: AwkArray): string[] {
    const { runtime } = this;
    const keys = Array.from(array.keys());
    const how = runtime.globals.get("PROCINFO")?.array?.get("sorted_in");
    if (how === undefined) return keys;
    const name = runtime.text(how);
    const compared = this.#functions.get(name);
    if (compared !== undefined) {
      return keys.sort((a, b) => {
        const cells = [a, array.get(a), b, array.get(b)].map((value) => new Cell(value));
        while (cells.length < compared.count) cells.push(new Cell());
        compared.run(cells);
        const result = toNumber(this.#returned);
        this.#returned = undefined;
        return result;
      });
    }
    const match = /^@(ind|val)_(str|num|type)_(asc|desc)$/.exec(name);
    if (match === null) return keys;
    const [, what, kind, direction] = match;
    const pick = (key: string) => (what === "ind" ? key : array.get(key));
    const order = (a: string, b: string) => {
      const [x, y] = [pick(a), pick(b)];
      if (kind === "num") return toNumber(x) - toNumber(y);
      if (kind === "str") return compare(runtime.text(x), runtime.text(y), "%.6g");
      // Numbers come before strings.
      const rank = (value: Value) => (typeof value === "string" ? 1 : 0);
      return rank(x) - rank(y) || compare(x, y, "%.6g");
    };
    const ties = (a: string, b: string) => order(a, b) || compare(a, b, "%.6g");
    return keys.sort(direction === "asc" ? ties : (a, b) => ties(b, a));
  }

  #each(statement: Extract<Statement, { kind: "each" }>): Execute {
    const array = this.#array(statement.array, statement.slot);
    const assign = this.#assign(statement.variable);
    const body = this.statement(statement.body);
    return (frame) => {
      for (const key of this.#ordered(array(frame))) {
        assign(frame, fromInput(key));
        const signal = body(frame);
        if (signal === Signal.break) return Signal.none;
        if (signal > Signal.continue) return signal;
      }
      return Signal.none;
    };
  }

  #print(statement: Extract<Statement, { kind: "print" }>): Execute {
    const { runtime } = this;
    const args = statement.args.map((arg) => this.expression(arg));
    const { redirect } = statement;
    const target = redirect === undefined ? undefined : this.expression(redirect.target);
    let text: (frame: Frame) => string;
    if (statement.format) {
      if (args.length === 0) throw new CommandFailure("printf: no format", 2);
      text = (frame) => {
        const [format, ...values] = args.map((arg) => arg(frame));
        return sprintf(runtime.text(format), values, runtime.text(runtime.convfmt.value));
      };
    } else {
      const shown = (value: Value) =>
        typeof value === "number"
          ? toText(value, runtime.text(runtime.ofmt.value))
          : runtime.text(value);
      text =
        args.length === 0
          ? () => runtime.record + runtime.text(runtime.ors.value)
          : (frame) => {
              let line = shown(args[0]!(frame));
              for (let at = 1; at < args.length; at++)
                line += runtime.text(runtime.ofs.value) + shown(args[at]!(frame));
              return line + runtime.text(runtime.ors.value);
            };
    }
    if (redirect === undefined || target === undefined) {
      return (frame) => {
        runtime.context.writeBytes(text(frame));
        return Signal.none;
      };
    }
    return (frame) => {
      const value = text(frame);
      runtime.write(redirect.kind, runtime.text(target(frame)), value);
      return Signal.none;
    };
  }

  #condition(expression: Expression): (frame: Frame) => boolean {
    const value = this.expression(expression);
    return (frame) => truthy(value(frame));
  }

  #assign(target: Target): (frame: Frame, value: Value) => void {
    const { runtime } = this;
    switch (target.kind) {
      case "variable": {
        if (target.name === "NF" && target.slot.local < 0) {
          return (_, value) => runtime.setFieldCount(toNumber(value));
        }
        const cell = this.#cell(target.name, target.slot);
        return (frame, value) => {
          const found = cell(frame);
          if (found.array !== undefined) {
            throw new CommandFailure(`attempt to use array ${target.name} in a scalar context`, 2);
          }
          found.value = value;
        };
      }
      case "field": {
        const index = this.expression(target.index);
        return (frame, value) => runtime.setField(toNumber(index(frame)), value);
      }
      case "element": {
        const array = this.#array(target.array, target.slot);
        const key = this.#subscript(target.subscripts);
        return (frame, value) => void array(frame).set(key(frame), value);
      }
    }
  }

  /** A regular expression in a place where one is wanted. */
  #regex(expression: Expression): (frame: Frame) => ReturnType<Runtime["regex"]> {
    const { runtime } = this;
    if (expression.kind === "regex") {
      const { source } = expression;
      const compiled = runtime.regex(source);
      return () => (truthy(runtime.ignoreCase.value) ? runtime.regex(source) : compiled);
    }
    const source = this.expression(expression);
    return (frame) => runtime.regex(runtime.text(source(frame)));
  }

  expression(expression: Expression): Evaluate {
    const { runtime } = this;
    switch (expression.kind) {
      case "number":
      case "string": {
        const { value } = expression;
        return () => value;
      }
      case "regex": {
        const regex = this.#regex(expression);
        return (frame) => (regex(frame).test(runtime.record) ? 1 : 0);
      }
      case "group":
        return this.expression(expression.body);
      case "variable": {
        const { name, slot } = expression;
        if (name === "NF" && slot.local < 0) return () => runtime.fieldCount;
        const cell = this.#cell(name, slot);
        return (frame) => {
          const found = cell(frame);
          if (found.array !== undefined) {
            throw new CommandFailure(`attempt to use array ${name} in a scalar context`, 2);
          }
          return found.value;
        };
      }
      case "field": {
        if (expression.index.kind === "number") {
          const index = expression.index.value;
          return () => runtime.field(index);
        }
        const index = this.expression(expression.index);
        return (frame) => runtime.field(toNumber(index(frame)));
      }
      case "element": {
        const array = this.#array(expression.array, expression.slot);
        const key = this.#subscript(expression.subscripts);
        return (frame) => {
          const found = array(frame);
          const name = key(frame);
          const value = found.get(name);
          // Mentioning an element makes it.
          if (value === undefined && !found.has(name)) found.set(name, undefined);
          return value;
        };
      }
      case "assign": {
        const assign = this.#assign(expression.target);
        const value = this.expression(expression.value);
        if (expression.operator === "") {
          return (frame) => {
            const result = value(frame);
            assign(frame, result);
            return result;
          };
        }
        const before = this.expression(expression.target);
        const operate = arithmetic(expression.operator);
        return (frame) => {
          const right = toNumber(value(frame));
          const result = operate(toNumber(before(frame)), right);
          assign(frame, result);
          return result;
        };
      }
      case "increment": {
        const before = this.expression(expression.target);
        const assign = this.#assign(expression.target);
        const { by, prefix } = expression;
        return (frame) => {
          const old = toNumber(before(frame));
          assign(frame, old + by);
          return prefix ? old + by : old;
        };
      }
      case "condition": {
        const test = this.#condition(expression.test);
        const yes = this.expression(expression.yes);
        const no = this.expression(expression.no);
        return (frame) => (test(frame) ? yes(frame) : no(frame));
      }
      case "and":
      case "or": {
        const left = this.#condition(expression.left);
        const right = this.#condition(expression.right);
        if (expression.kind === "and") return (frame) => (left(frame) && right(frame) ? 1 : 0);
        return (frame) => (left(frame) || right(frame) ? 1 : 0);
      }
      case "in": {
        if (expression.array === "")
          throw new CommandFailure("syntax error: list outside of print and in", 2);
        const array = this.#array(expression.array, expression.slot);
        const key = this.#subscript(expression.subscripts);
        return (frame) => (array(frame).has(key(frame)) ? 1 : 0);
      }
      case "match": {
        const left = this.expression(expression.left);
        const regex = this.#regex(expression.right);
        const { negated } = expression;
        return (frame) => {
          const text = runtime.text(left(frame));
          return regex(frame).test(text) !== negated ? 1 : 0;
        };
      }
      case "concat": {
        const left = this.expression(expression.left);
        const right = this.expression(expression.right);
        return (frame) => {
          const before = runtime.text(left(frame));
          return before + runtime.text(right(frame));
        };
      }
      case "unary": {
        const operand = this.expression(expression.operand);
        if (expression.operator === "!") return (frame) => (truthy(operand(frame)) ? 0 : 1);
        const sign = expression.operator === "-" ? -1 : 1;
        return (frame) => sign * toNumber(operand(frame));
      }
      case "binary":
        return this.#binary(expression);
      case "getline":
        return this.#getline(expression);
      case "call":
        return this.#call(expression);
      case "builtin":
        return this.#builtin(expression);
    }
  }

  #binary(expression: Extract<Expression, { kind: "binary" }>): Evaluate {
    const left = this.expression(expression.left);
    const right = this.expression(expression.right);
    const { runtime } = this;
    const comparison = comparisons[expression.operator];
    if (comparison !== undefined) {
      return (frame) => {
        const before = left(frame);
        return comparison(compare(before, right(frame), runtime.text(runtime.convfmt.value)))
          ? 1
          : 0;
      };
    }
    const operate = arithmetic(expression.operator);
    return (frame) => {
      const before = toNumber(left(frame));
      return operate(before, toNumber(right(frame)));
    };
  }

  #getline(expression: Extract<Expression, { kind: "getline" }>): Evaluate {
    const { runtime } = this;
    const assign = expression.target === undefined ? undefined : this.#assign(expression.target);
    const take = (frame: Frame, record: string) => {
      if (assign === undefined) runtime.setRecord(record);
      else assign(frame, fromInput(record));
    };
    if (expression.from === "input") {
      return (frame) => {
        const record = runtime.nextRecord();
        if (record === undefined) return 0;
        take(frame, record);
        return 1;
      };
    }
    const source = this.expression(expression.source!);
    const command = expression.from === "command";
    return (frame) => {
      const { status, record } = runtime.readFrom(runtime.text(source(frame)), command);
      if (status !== 1) return status;
      if (command) runtime.nr.value = toNumber(runtime.nr.value) + 1;
      take(frame, record);
      return 1;
    };
  }

  #call(expression: Extract<Expression, { kind: "call" }>): Evaluate {
    const { name, line } = expression;
    const called = this.#functions.get(name);
    if (called === undefined)
      throw new CommandFailure(`line ${line}: function ${name} never defined`, 2);
    if (expression.args.length > called.count) {
      throw new CommandFailure(`line ${line}: too many arguments in call to ${name}`, 2);
    }
    const args = expression.args.map((arg): ((frame: Frame) => Cell) => {
      const inner = arg.kind === "group" ? arg : arg;
      if (inner.kind !== "variable" || (inner.name === "NF" && inner.slot.local < 0)) {
        const value = this.expression(arg);
        return (frame) => new Cell(value(frame));
      }
      // A bare name may turn out to be an array: then it is the caller's own.
      const cell = this.#cell(inner.name, inner.slot);
      return (frame) => {
        const found = cell(frame);
        if (found.array !== undefined) return found;
        return found.value === undefined ? new UntypedCell(found) : new Cell(found.value);
      };
    });
    return (frame) => {
      const inner: Frame = args.map((arg) => arg(frame));
      while (inner.length < called.count) inner.push(new Cell());
      if (++this.#depth > maxCallDepth)
        throw new CommandFailure(`function call nesting too deep: ${name}`, 2);
      const signal = called.run(inner);
      this.#depth--;
      if (signal === Signal.return) {
        const value = this.#returned;
        this.#returned = undefined;
        return value;
      }
      if (signal > Signal.continue) throw new Unwind(signal);
      return undefined;
    };
  }

  #builtin(expression: Extract<Expression, { kind: "builtin" }>): Evaluate {
    const { runtime } = this;
    const { name, args, line } = expression;
    const wrong = () =>
      new CommandFailure(`line ${line}: wrong number of arguments in call to ${name}`, 2);
    switch (name) {
      case "length": {
        if (args.length === 0) return () => characterCount(runtime.record);
        const [arg] = args;
        if (arg!.kind === "variable" && arg!.name !== "NF") {
          const cell = this.#cell(arg!.name, arg!.slot);
          return (frame) => {
            const found = cell(frame);
            return found.array === undefined
              ? characterCount(runtime.text(found.value))
              : found.array.size;
          };
        }
        const value = this.expression(arg!);
        return (frame) => characterCount(runtime.text(value(frame)));
      }
      case "split": {
        const [text, into, separator] = args;
        if (into?.kind !== "variable" || args.length > 3) throw wrong();
        const value = this.expression(text!);
        const array = this.#array(into.name, into.slot);
        const by =
          separator === undefined
            ? () => runtime.text(runtime.fs.value)
            : separator.kind === "regex"
              ? () =>
                  separator.source.length === 1
                    ? `(${separator.source === "^" ? "\\^" : separator.source})`
                    : separator.source
              : this.expression(separator);
        return (frame) => {
          const parts = splitFields(
            runtime.text(value(frame)),
            runtime.text(by(frame)),
            runtime.regexes,
            false,
          );
          const target = array(frame);
          target.clear();
          parts.forEach((part, at) => target.set(String(at + 1), fromInput(part)));
          return parts.length;
        };
      }
      case "patsplit": {
        const [text, into, pattern] = args;
        if (into?.kind !== "variable" || args.length > 3) throw wrong();
        const value = this.expression(text!);
        const array = this.#array(into.name, into.slot);
        const regex =
          pattern === undefined
            ? () => runtime.regex(runtime.text(runtime.fieldPattern.value) || "[^[:space:]]+")
            : this.#regex(pattern);
        return (frame) => {
          const parts = matchesOf(runtime.text(value(frame)), regex(frame));
          const target = array(frame);
          target.clear();
          parts.forEach((part, at) => target.set(String(at + 1), fromInput(part)));
          return parts.length;
        };
      }
      case "typeof":
      case "isarray": {
        const [arg] = args;
        if (arg === undefined || args.length > 1) throw wrong();
        const cell =
          arg.kind === "variable" && arg.name !== "NF" ? this.#cell(arg.name, arg.slot) : undefined;
        const value = this.expression(arg);
        return (frame) => {
          const isArray = cell?.(frame).array !== undefined;
          if (name === "isarray") return isArray ? 1 : 0;
          if (isArray) return "array";
          const found = value(frame);
          if (found === undefined) return cell === undefined ? "unassigned" : "untyped";
          return typeof found === "object" ? "strnum" : typeof found;
        };
      }
      case "sub":
      case "gsub": {
        if (args.length < 2 || args.length > 3) throw wrong();
        const regex = this.#regex(args[0]!);
        const replacement = this.expression(args[1]!);
        const target: Expression = args[2] ?? {
          kind: "field",
          index: { kind: "number", value: 0 },
        };
        const before = this.expression(target);
        const bare =
          target.kind === "variable" || target.kind === "field" || target.kind === "element";
        const assign = bare ? this.#assign(target) : () => undefined;
        return (frame) => {
          const text = runtime.text(before(frame));
          const result = substitute(
            regex(frame),
            text,
            runtime.text(replacement(frame)),
            name === "sub" ? "first" : "all",
          );
          if (result.count > 0) assign(frame, result.text);
          return result.count;
        };
      }
      case "gensub": {
        if (args.length < 3 || args.length > 4) throw wrong();
        const regex = this.#regex(args[0]!);
        const [replacement, how] = [this.expression(args[1]!), this.expression(args[2]!)];
        const target = args[3] === undefined ? () => runtime.record : this.expression(args[3]);
        return (frame) => {
          const which = runtime.text(how(frame));
          const count = /^[gG]/.test(which) ? "all" : Math.max(1, toNumber(which));
          return substitute(
            regex(frame),
            runtime.text(target(frame)),
            runtime.text(replacement(frame)),
            count,
            true,
          ).text;
        };
      }
      case "match": {
        if (args.length < 2 || args.length > 3) throw wrong();
        const value = this.expression(args[0]!);
        const regex = this.#regex(args[1]!);
        const into =
          args[2]?.kind === "variable" ? this.#array(args[2].name, args[2].slot) : undefined;
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
      case "asort":
      case "asorti": {
        const names = args.map((arg) => {
          if (arg.kind !== "variable") throw wrong();
          return this.#array(arg.name, arg.slot);
        });
        if (names.length === 0) throw wrong();
        return (frame) => {
          const source = names[0]!(frame);
          const values: Value[] = name === "asort" ? [...source.values()] : [...source.keys()];
          values.sort((a, b) => compare(a, b, "%.6g"));
          const target = (names[1] ?? names[0]!)(frame);
          target.clear();
          values.forEach((value, at) => target.set(String(at + 1), value));
          return values.length;
        };
      }
    }
    const run = builtin(name, args.length, line);
    const compiled = args.map((arg) => this.expression(arg));
    return (frame) =>
      run(
        runtime,
        compiled.map((arg) => arg(frame)),
      );
  }
}

/** An unset variable handed to a function: if that makes an array of it, it is the caller's. */
class UntypedCell extends Cell {
  constructor(private readonly origin: Cell) {
    super();
    Object.defineProperty(this, "array", {
      get: () => this.origin.array,
      set: (array: AwkArray | undefined) => {
        this.origin.array = array;
      },
    });
  }
}

const comparisons: Record<string, (order: number) => boolean> = {
  "<": (order) => order < 0,
  "<=": (order) => order <= 0,
  "==": (order) => order === 0,
  "!=": (order) => order !== 0,
  ">": (order) => order > 0,
  ">=": (order) => order >= 0,
};

function arithmetic(operator: string): (a: number, b: number) => number {
  switch (operator) {
    case "+":
      return (a, b) => a + b;
    case "-":
      return (a, b) => a - b;
    case "*":
      return (a, b) => a * b;
    case "/":
      return (a, b) => {
        if (b === 0) throw new CommandFailure("division by zero", 2);
        return a / b;
      };
    case "%":
      return (a, b) => {
        if (b === 0) throw new CommandFailure("division by zero in %", 2);
        return a % b;
      };
    default:
      return (a, b) => a ** b;
  }
}
