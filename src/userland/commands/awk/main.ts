/** Owns `awk`'s command line and the run of a program over its input. */
import { CommandExit, CommandFailure, type Command, type CommandContext } from "../../command.js";
import { errorText } from "../../support/errors.js";
import { openInput, readAll } from "../../support/input.js";
import { parseOptions, type Options } from "../../support/options.js";
import { byteString, toBytes } from "../../support/text.js";
import type { Program, Rule, Statement } from "./ast.js";
import { Compiler } from "./compile.js";
import { Signal, Unwind, type Execute } from "./expressions.js";
import { Parser } from "./parser.js";
import { Runtime } from "./runtime.js";
import { fromInput, truthy } from "./values.js";

export const main: Command = (context) => {
  const options = parseOptions(
    context,
    "F:v:f:W:e:O",
    {
      "field-separator=": "F",
      "assign=": "v",
      "file=": "f",
      "source=": "e",
      // Nothing is warned of, and everything is compiled in the same way.
      "lint=?": "x",
      optimize: "O",
      "no-optimize": "x",
      posix: "posix",
      traditional: "posix",
      "re-interval": "posix",
    },
    { stopAtOperand: true, status: 2 },
  );
  const operands = options.operands.map(toBytes);
  const program = new Parser(sourceOf(context, options, operands)).parse();
  const runtime = new Runtime(context);
  const args = runtime.array(runtime.cell("ARGV"));
  ["awk", ...operands].forEach((word, at) => args.set(String(at), fromInput(word)));
  runtime.cell("ARGC").value = operands.length + 1;
  const separator = options.get("F");
  if (separator !== undefined)
    runtime.assignment(`FS=${toBytes(separator === "t" ? "\t" : separator)}`);
  for (const word of options.all("v")) {
    if (!runtime.assignment(toBytes(word)))
      throw new CommandFailure(`improper assignment: -v ${word}`, 2);
  }
  return new Run(runtime, program).run();
};

/** The program: of files and -e, in their order, or the first operand, which is one no longer. */
function sourceOf(context: CommandContext, options: Options, operands: string[]): string {
  const parts = options.list.filter(({ key }) => key === "f" || key === "e");
  if (parts.length > 0)
    return parts
      .map(({ key, value }) => (key === "f" ? programFile(context, value) : toBytes(value)))
      .join("\n");
  const text = operands.shift();
  if (text === undefined) {
    context.writeError("Usage: awk [-F fs][-v var=value][prog | -f progfile][file ...]\n");
    throw new CommandExit(2);
  }
  return text;
}

/** Does something and says how it ended; an Unwind out of a function is an end too. */
function guarded(run: () => Signal): Signal {
  try {
    return run();
  } catch (error) {
    if (error instanceof Unwind) return error.signal;
    throw error;
  }
}

/** A program at work on its input. */
class Run {
  readonly #compiler: Compiler;
  readonly #begin: Execute[];
  readonly #rules: (() => Signal)[];
  readonly #end: Execute[];
  #exited = false;

  constructor(
    private readonly runtime: Runtime,
    private readonly program: Program,
  ) {
    const compiler = (this.#compiler = new Compiler(runtime, program));
    const compiled = (list: readonly Statement[]) => list.map((each) => compiler.statement(each));
    this.#begin = compiled(program.begin);
    this.#rules = program.rules.map((rule) => compileRule(compiler, rule));
    this.#end = compiled(program.end);
    runtime.fileHooks = fileHooks(compiler, program, runtime);
  }

  /** Answers the exit status. */
  run(): number {
    const { runtime, program } = this;
    try {
      this.#exited = this.#begin.some((each) => guarded(() => each([])) === Signal.exit);
      const readers = [this.#rules, this.#end, program.beginFile, program.endFile];
      if (!this.#exited && readers.some((list) => list.length > 0)) this.#readInput();
      for (const each of this.#end) {
        if (guarded(() => each([])) === Signal.exit) break;
      }
    } finally {
      runtime.closeAll();
    }
    return this.#compiler.exitStatus || (runtime.failed ? 2 : 0);
  }

  #readInput(): void {
    for (let record = this.#nextRecord(); record !== undefined && !this.#exited;) {
      this.runtime.setRecord(record);
      for (const rule of this.#rules) {
        const signal = guarded(rule);
        if (signal === Signal.exit) this.#exited = true;
        if (signal === Signal.nextFile) this.#nextFile();
        if (signal >= Signal.next) break;
      }
      if (!this.#exited) record = this.#nextRecord();
    }
  }

  #nextRecord(): string | undefined {
    try {
      return this.runtime.nextRecord();
    } catch (error) {
      if (!(error instanceof Unwind)) throw error;
      return undefined;
    }
  }

  #nextFile(): void {
    const signal = guarded(() => {
      this.runtime.nextFile();
      return Signal.none;
    });
    if (signal === Signal.exit) this.#exited = true;
  }
}

function compileRule(compiler: Compiler, rule: Rule): () => Signal {
  const body = compiler.statement(rule.body ?? { kind: "print", args: [], format: false });
  if (rule.pattern === undefined) return () => body([]);
  const pattern = compiler.expression(rule.pattern);
  if (rule.end === undefined) return () => (truthy(pattern([])) ? body([]) : Signal.none);
  const last = compiler.expression(rule.end);
  let inside = false;
  return () => {
    if (!inside && !truthy(pattern([]))) return Signal.none;
    inside = !truthy(last([]));
    return body([]);
  };
}

/** Undefined when the program does not ask. exit in them ends the input; nextfile passes over the file. */
function fileHooks(compiler: Compiler, program: Program, runtime: Runtime): Runtime["fileHooks"] {
  if (program.beginFile.length + program.endFile.length === 0) return undefined;
  const run = (statements: Execute[]) => {
    for (const each of statements) {
      const signal = guarded(() => each([]));
      if (signal === Signal.exit) throw new Unwind(signal);
      if (signal === Signal.nextFile) return runtime.nextFile();
    }
  };
  const [begin, end] = [program.beginFile, program.endFile].map((list) =>
    list.map((each) => compiler.statement(each)),
  );
  return { begin: () => run(begin!), end: () => run(end!) };
}

function programFile(context: CommandContext, file: string): string {
  try {
    return byteString(readAll(openInput(context, file)));
  } catch (error) {
    throw new CommandFailure(`couldn't open file ${file}: ${errorText(error)}`, 2);
  }
}
