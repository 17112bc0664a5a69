/** Owns `awk`'s command line and the run of a program over its input. */
import { CommandExit, CommandFailure, type Command } from "../../command.js";
import { errorText } from "../../support/errors.js";
import { openInput, readAll } from "../../support/input.js";
import { parseOptions } from "../../support/options.js";
import { byteString, toBytes } from "../../support/text.js";
import type { Program, Rule } from "./ast.js";
import { Compiler, Signal, Unwind } from "./compile.js";
import { Parser } from "./parser.js";
import { Runtime } from "./runtime.js";
import { fromInput, truthy } from "./values.js";

export const main: Command = (context) => {
  const options = parseOptions(
    context,
    "F:v:f:W:",
    {
      "field-separator=": "F",
      "assign=": "v",
      "file=": "f",
      posix: "posix",
      traditional: "posix",
      "re-interval": "posix",
    },
    { stopAtOperand: true, status: 2 },
  );
  const operands = options.operands.map(toBytes);
  const files = options.all("f");
  let source: string;
  if (files.length > 0) source = files.map((file) => programFile(context, file)).join("\n");
  else {
    const text = operands.shift();
    if (text === undefined) {
      context.writeError("Usage: awk [-F fs][-v var=value][prog | -f progfile][file ...]\n");
      throw new CommandExit(2);
    }
    source = text;
  }
  const program = new Parser(source).parse();
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
  const compiler = new Compiler(runtime, program);
  const begin = program.begin.map((each) => compiler.statement(each));
  const rules = program.rules.map((rule) => compileRule(compiler, rule));
  const end = program.end.map((each) => compiler.statement(each));
  const guarded = (run: () => Signal): Signal => {
    try {
      return run();
    } catch (error) {
      if (error instanceof Unwind) return error.signal;
      throw error;
    }
  };
  runtime.fileHooks = fileHooks(compiler, program, runtime, guarded);
  const nextRecord = (): string | undefined => {
    try {
      return runtime.nextRecord();
    } catch (error) {
      if (!(error instanceof Unwind)) throw error;
      return undefined;
    }
  };
  try {
    let exited = begin.some((each) => guarded(() => each([])) === Signal.exit);
    const reads = rules.length + end.length + program.beginFile.length + program.endFile.length;
    if (!exited && reads > 0) {
      for (let record = nextRecord(); record !== undefined && !exited;) {
        runtime.setRecord(record);
        for (const rule of rules) {
          const signal = guarded(rule);
          if (signal === Signal.exit) exited = true;
          if (signal === Signal.nextFile) {
            const passed = guarded(() => {
              runtime.nextFile();
              return Signal.none;
            });
            exited ||= passed === Signal.exit;
          }
          if (signal >= Signal.next) break;
        }
        if (!exited) record = nextRecord();
      }
    }
    for (const each of end) {
      if (guarded(() => each([])) === Signal.exit) break;
    }
  } finally {
    runtime.closeAll();
  }
  return compiler.exitStatus || (runtime.failed ? 2 : 0);

  function compileRule(into: Compiler, rule: Rule): () => Signal {
    const body = into.statement(rule.body ?? { kind: "print", args: [], format: false });
    if (rule.pattern === undefined) return () => body([]);
    const pattern = into.expression(rule.pattern);
    if (rule.end === undefined) return () => (truthy(pattern([])) ? body([]) : Signal.none);
    const last = into.expression(rule.end);
    let inside = false;
    return () => {
      if (!inside && !truthy(pattern([]))) return Signal.none;
      inside = !truthy(last([]));
      return body([]);
    };
  }
};

/** Undefined when the program does not ask. exit in them ends the input; nextfile passes over the file. */
function fileHooks(
  compiler: Compiler,
  program: Program,
  runtime: Runtime,
  guarded: (run: () => Signal) => Signal,
): Runtime["fileHooks"] {
  if (program.beginFile.length + program.endFile.length === 0) return undefined;
  const run = (statements: ReturnType<Compiler["statement"]>[]) => {
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

function programFile(context: Parameters<Command>[0], file: string): string {
  try {
    return byteString(readAll(openInput(context, file)));
  } catch (error) {
    throw new CommandFailure(`couldn't open file ${file}: ${errorText(error)}`, 2);
  }
}
