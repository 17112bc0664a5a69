/** Owns turning a parsed awk program's statements and functions into closures over a runtime. */
import { CommandFailure } from "../../command.js";
import type { Expression, Program, Statement } from "./ast.js";
import { Expressions, Signal, type Execute, type Frame } from "./expressions.js";
import { Cell } from "./cells.js";
import type { Runtime } from "./runtime.js";
import {
  compare,
  fromInput,
  sprintf,
  toNumber,
  toText,
  type AwkArray,
  type Value,
} from "./values.js";

export class Compiler extends Expressions {
  exitStatus = 0;

  constructor(runtime: Runtime, program: Program) {
    super(runtime, program);
    for (const { name, body } of program.functions.values())
      this.functions.get(name)!.run = this.statement(body);
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
        const test = this.condition(statement.test);
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
          this.returned = value(frame);
          return Signal.return;
        };
      }
      case "switch":
        return this.#switch(statement);
      case "delete": {
        const array = this.array(statement.array, statement.slot);
        if (statement.subscripts === undefined) {
          return (frame) => {
            array(frame).clear();
            return Signal.none;
          };
        }
        const key = this.subscript(statement.subscripts);
        return (frame) => {
          array(frame).delete(key(frame));
          return Signal.none;
        };
      }
    }
  }

  #loop(statement: Extract<Statement, { kind: "while" | "do" | "for" }>): Execute {
    const always = () => true;
    const test = statement.test === undefined ? always : this.condition(statement.test);
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
      const regex = this.regex(test);
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
    const compared = this.functions.get(name);
    if (compared !== undefined) {
      return keys.sort((a, b) => {
        const cells = [a, array.get(a), b, array.get(b)].map((value) => new Cell(value));
        while (cells.length < compared.count) cells.push(new Cell());
        compared.run(cells);
        const result = toNumber(this.returned);
        this.returned = undefined;
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
    const array = this.array(statement.array, statement.slot);
    const assign = this.assign(statement.variable);
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
}
