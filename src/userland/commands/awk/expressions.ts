/**
 * Owns turning awk's expressions into closures over a runtime, and how a body of statements ends.
 * Statements are in compile.ts; built-in functions that touch variables, in special-forms.ts.
 */
import { CommandFailure } from "../../command.js";
import type { Expression, Program, Slot, Target } from "./ast.js";
import { builtin } from "./builtins.js";
import { arithmetic, comparisons } from "./operators.js";
import { Cell, UntypedCell } from "./cells.js";
import type { Runtime } from "./runtime.js";
import { specialForms } from "./special-forms.js";
import { compare, fromInput, toNumber, truthy, type AwkArray, type Value } from "./values.js";

/** A function's parameters; a cell holds a scalar or an array, and callers' cells are passed on. */
export type Frame = Cell[];
export type Evaluate = (frame: Frame) => Value;
/** An expression of one kind. */
export type Kind<K extends Expression["kind"]> = Extract<Expression, { kind: K }>;

export const enum Signal {
  none,
  break,
  continue,
  next,
  nextFile,
  exit,
  return,
}
export type Execute = (frame: Frame) => Signal;

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

export class Expressions {
  /** What the last `return` gave. */
  protected returned: Value;
  #depth = 0;
  /** Bodies may call functions that come later, so they are put in when all have a place. */
  protected readonly functions = new Map<string, CompiledFunction>();

  constructor(
    readonly runtime: Runtime,
    protected readonly program: Program,
  ) {
    for (const each of program.functions.values()) {
      this.functions.set(each.name, { count: each.parameters.length, run: () => Signal.none });
    }
  }

  cell(name: string, slot: Slot): (frame: Frame) => Cell {
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

  array(name: string, slot: Slot): (frame: Frame) => AwkArray {
    const cell = this.cell(name, slot);
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

  protected subscript(parts: Expression[]): (frame: Frame) => string {
    const { runtime } = this;
    const compiled = parts.map((part) => this.expression(part));
    const [only] = compiled;
    if (compiled.length === 1) return (frame) => runtime.text(only!(frame));
    return (frame) =>
      compiled.map((part) => runtime.text(part(frame))).join(runtime.text(runtime.subsep.value));
  }

  protected condition(expression: Expression): (frame: Frame) => boolean {
    const value = this.expression(expression);
    return (frame) => truthy(value(frame));
  }

  assign(target: Target): (frame: Frame, value: Value) => void {
    const { runtime } = this;
    switch (target.kind) {
      case "variable": {
        if (target.name === "NF" && target.slot.local < 0) {
          return (_, value) => runtime.setFieldCount(toNumber(value));
        }
        const cell = this.cell(target.name, target.slot);
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
        const array = this.array(target.array, target.slot);
        const key = this.subscript(target.subscripts);
        return (frame, value) => void array(frame).set(key(frame), value);
      }
    }
  }

  /** A regular expression in a place where one is wanted. */
  regex(expression: Expression): (frame: Frame) => ReturnType<Runtime["regex"]> {
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
    switch (expression.kind) {
      case "number":
      case "string": {
        const { value } = expression;
        return () => value;
      }
      case "regex": {
        const { runtime } = this;
        const regex = this.regex(expression);
        return (frame) => (regex(frame).test(runtime.record) ? 1 : 0);
      }
      case "group":
        return this.expression(expression.body);
      case "variable":
        return this.#variable(expression);
      case "field":
        return this.#field(expression);
      case "element":
        return this.#element(expression);
      case "assign":
        return this.#assignment(expression);
      case "increment":
        return this.#increment(expression);
      case "condition": {
        const test = this.condition(expression.test);
        const yes = this.expression(expression.yes);
        const no = this.expression(expression.no);
        return (frame) => (test(frame) ? yes(frame) : no(frame));
      }
      case "and":
      case "or":
        return this.#logical(expression);
      case "in":
        return this.#membership(expression);
      case "match":
        return this.#match(expression);
      case "concat":
        return this.#concatenation(expression);
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

  #variable({ name, slot }: Kind<"variable">): Evaluate {
    const { runtime } = this;
    if (name === "NF" && slot.local < 0) return () => runtime.fieldCount;
    const cell = this.cell(name, slot);
    return (frame) => {
      const found = cell(frame);
      if (found.array !== undefined) {
        throw new CommandFailure(`attempt to use array ${name} in a scalar context`, 2);
      }
      return found.value;
    };
  }

  #field(expression: Kind<"field">): Evaluate {
    const { runtime } = this;
    if (expression.index.kind === "number") {
      const index = expression.index.value;
      return () => runtime.field(index);
    }
    const index = this.expression(expression.index);
    return (frame) => runtime.field(toNumber(index(frame)));
  }

  #element(expression: Kind<"element">): Evaluate {
    const array = this.array(expression.array, expression.slot);
    const key = this.subscript(expression.subscripts);
    return (frame) => {
      const found = array(frame);
      const name = key(frame);
      const value = found.get(name);
      // Mentioning an element makes it.
      if (value === undefined && !found.has(name)) found.set(name, undefined);
      return value;
    };
  }

  #assignment(expression: Kind<"assign">): Evaluate {
    const assign = this.assign(expression.target);
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

  #increment(expression: Kind<"increment">): Evaluate {
    const before = this.expression(expression.target);
    const assign = this.assign(expression.target);
    const { by, prefix } = expression;
    return (frame) => {
      const old = toNumber(before(frame));
      assign(frame, old + by);
      return prefix ? old + by : old;
    };
  }

  #logical(expression: Kind<"and" | "or">): Evaluate {
    const left = this.condition(expression.left);
    const right = this.condition(expression.right);
    if (expression.kind === "and") return (frame) => (left(frame) && right(frame) ? 1 : 0);
    return (frame) => (left(frame) || right(frame) ? 1 : 0);
  }

  #membership(expression: Kind<"in">): Evaluate {
    if (expression.array === "")
      throw new CommandFailure("syntax error: list outside of print and in", 2);
    const array = this.array(expression.array, expression.slot);
    const key = this.subscript(expression.subscripts);
    return (frame) => (array(frame).has(key(frame)) ? 1 : 0);
  }

  #match(expression: Kind<"match">): Evaluate {
    const { runtime } = this;
    const left = this.expression(expression.left);
    const regex = this.regex(expression.right);
    const { negated } = expression;
    return (frame) => {
      const text = runtime.text(left(frame));
      return regex(frame).test(text) !== negated ? 1 : 0;
    };
  }

  #concatenation(expression: Kind<"concat">): Evaluate {
    const { runtime } = this;
    const left = this.expression(expression.left);
    const right = this.expression(expression.right);
    return (frame) => {
      const before = runtime.text(left(frame));
      return before + runtime.text(right(frame));
    };
  }

  #binary(expression: Kind<"binary">): Evaluate {
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

  #getline(expression: Kind<"getline">): Evaluate {
    const { runtime } = this;
    const assign = expression.target === undefined ? undefined : this.assign(expression.target);
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

  #call(expression: Kind<"call">): Evaluate {
    const { name, line } = expression;
    const called = this.functions.get(name);
    if (called === undefined)
      throw new CommandFailure(`line ${line}: function ${name} never defined`, 2);
    if (expression.args.length > called.count) {
      throw new CommandFailure(`line ${line}: too many arguments in call to ${name}`, 2);
    }
    const args = expression.args.map((arg): ((frame: Frame) => Cell) => {
      if (arg.kind !== "variable" || (arg.name === "NF" && arg.slot.local < 0)) {
        const value = this.expression(arg);
        return (frame) => new Cell(value(frame));
      }
      // A bare name may turn out to be an array: then it is the caller's own.
      const cell = this.cell(arg.name, arg.slot);
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
        const value = this.returned;
        this.returned = undefined;
        return value;
      }
      if (signal > Signal.continue) throw new Unwind(signal);
      return undefined;
    };
  }

  #builtin(call: Kind<"builtin">): Evaluate {
    const special = specialForms.get(call.name);
    if (special !== undefined) return special(this, call);
    const { runtime } = this;
    const run = builtin(call.name, call.args.length, call.line);
    const args = call.args.map((arg) => this.expression(arg));
    return (frame) =>
      run(
        runtime,
        args.map((arg) => arg(frame)),
      );
  }
}
