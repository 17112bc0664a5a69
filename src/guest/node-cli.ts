/**
 * Owns the command line of `node` inside a VM: which options it knows, and what
 * it runs for them. The engine's own option table says what exists and how it is
 * spelt; the engine's own functions evaluate, check and run.
 *
 * A guest is forked from a process that has parsed its options already, so an
 * option takes effect here only where something below applies it.
 */
import type { StartOptions } from "../protocol/guest-calls.js";

interface OptionInfo {
  type: number;
}

interface OptionTable {
  options: Map<string, OptionInfo>;
  aliases: Map<string, string[]>;
}

export interface CommandLine {
  /** Options as given, for process.execArgv. */
  execArgv: string[];
  /** Name → value; a list for options that may be repeated. */
  values: Map<string, string | true | string[]>;
  v8: string[];
  /** The script and what follows, or what follows the options when there is no script. */
  rest: string[];
  /** What the user got wrong. */
  error?: string;
}

/** src/node_exit_code.h: kInvalidCommandLineArgument. */
const invalidArgument = 9;

/** src/node_options.h, OptionType, by its names in the binding. */
interface Types {
  kNoOp: number;
  kV8Option: number;
  kBoolean: number;
  kStringList: number;
}

/** Splits NODE_OPTIONS as src/node_options.cc, ParseNodeOptionsEnvVar, does. */
export function splitNodeOptions(text: string): string[] {
  const parts: string[] = [];
  let current = "";
  let quoted = false;
  let started = false;
  for (let at = 0; at < text.length; at++) {
    let char = text[at]!;
    if (char === "\\" && quoted && at + 1 < text.length) char = text[++at]!;
    else if (char === " " && !quoted) {
      if (started) parts.push(current);
      current = "";
      started = false;
      continue;
    } else if (char === '"') {
      quoted = !quoted;
      started = true;
      continue;
    }
    current += char;
    started = true;
  }
  if (started) parts.push(current);
  return parts;
}

export function parseCommandLine(
  argv: readonly string[],
  table: OptionTable,
  types: Types,
): CommandLine {
  const line: CommandLine = { execArgv: [], values: new Map(), v8: [], rest: [] };
  const pending = [...argv];
  for (let steps = 0; pending.length > 0; steps++) {
    if (steps > argv.length * 8 + 8) return { ...line, error: "too many options" };
    const text = pending[0]!;
    if (text === "--") {
      pending.shift();
      break;
    }
    if (!text.startsWith("-") || text === "-") break;
    pending.shift();
    const equals = text.startsWith("--") ? text.indexOf("=") : -1;
    let name = equals < 0 ? text : text.slice(0, equals);
    const inline = equals < 0 ? undefined : text.slice(equals + 1);
    if (name.startsWith("--")) name = `--${name.slice(2).replaceAll("_", "-")}`;

    const follows = pending[0] !== undefined && !pending[0].startsWith("-");
    const alias =
      (inline !== undefined ? table.aliases.get(`${name}=`) : undefined) ??
      (inline === undefined && follows ? table.aliases.get(`${name} <arg>`) : undefined) ??
      table.aliases.get(name);
    if (alias !== undefined && !(alias.length === 1 && alias[0] === name)) {
      pending.unshift(...alias, ...(inline === undefined ? [] : [inline]));
      continue;
    }
    const error = takeOption(name, inline, pending, line, table, types);
    if (error !== undefined) return { ...line, error };
  }
  line.rest = pending;
  line.execArgv = argv.slice(0, argv.length - pending.length).filter((text) => text !== "--");
  return line;
}

/** Records one canonical option; takes its value from the front of `pending`. Answers what is wrong. */
function takeOption(
  written: string,
  inline: string | undefined,
  pending: string[],
  line: CommandLine,
  table: OptionTable,
  types: Types,
): string | undefined {
  const negated = written.startsWith("--no-") && !table.options.has(written);
  const name = negated ? `--${written.slice(5)}` : written;
  const info = table.options.get(name);
  const text = inline === undefined ? written : `${written}=${inline}`;
  if (info === undefined || info.type === types.kV8Option) {
    // As the engine does: what Node does not know may be V8's.
    if (!written.startsWith("--")) return `bad option: ${text}`;
    line.v8.push(text);
    return undefined;
  }
  if (info.type === types.kNoOp || info.type === types.kBoolean) {
    if (inline !== undefined && info.type === types.kBoolean)
      return `${written} does not take an argument`;
    if (negated) line.values.delete(name);
    else line.values.set(name, true);
    return undefined;
  }
  let value = inline;
  if (value === undefined) {
    const next = pending[0];
    if (next === undefined || (next.startsWith("-") && next.length > 1))
      return `${written} requires an argument`;
    value = pending.shift()!;
  }
  if (info.type === types.kStringList) {
    const list = line.values.get(name);
    if (Array.isArray(list)) list.push(value);
    else line.values.set(name, [value]);
  } else line.values.set(name, value);
  return undefined;
}

export interface NodeCommand {
  requireBuiltin(id: string): any;
  internalBinding(name: string): any;
}

/** Becomes what `node argv…` becomes. */
export function runNodeCommand(tools: NodeCommand, start: StartOptions): void {
  const { requireBuiltin, internalBinding } = tools;
  const { types } = internalBinding("options");
  const table = requireBuiltin("internal/options").getCLIOptionsInfo() as OptionTable;
  const fromEnvironment = splitNodeOptions(process.env["NODE_OPTIONS"] ?? "");
  const inherited = parseCommandLine(fromEnvironment, table, types);
  const line = parseCommandLine(start.argv, table, types);
  const error = inherited.error ?? line.error ?? badV8Option(requireBuiltin, line.v8);
  if (error !== undefined) {
    process.stderr.write(`${start.argv0}: ${error}\n`);
    process.exit(invalidArgument);
  }
  process.execArgv = line.execArgv;
  const value = (name: string): string | true | string[] | undefined =>
    line.values.get(name) ?? inherited.values.get(name);
  const list = (name: string): string[] => [
    ...((inherited.values.get(name) as string[] | undefined) ?? []),
    ...((line.values.get(name) as string[] | undefined) ?? []),
  ];
  const execPath = process.argv[0]!;

  if (value("--version")) {
    process.stdout.write(`${process.version}\n`);
    return;
  }
  if (value("--help")) {
    process.stdout.write("Usage: node [options] [ script.js ] [arguments]\n");
    return;
  }
  applySettings(requireBuiltin, value, list);
  joinParent(requireBuiltin);
  joinCluster(requireBuiltin);

  const evaluated = value("--eval") ?? (value("--print") === true ? line.rest.shift() : undefined);
  const preloads = (): void => {
    const required = list("--require");
    if (required.length > 0) requireBuiltin("module").Module._preloadModules(required);
  };
  const imports = list("--import");

  if (typeof evaluated === "string") {
    process.argv = [execPath, ...line.rest];
    (process as any)._eval = evaluated;
    preloads();
    return withImports(tools, imports, () =>
      evaluate(tools, "[eval]", evaluated, value("--input-type"), value("--print") === true),
    );
  }
  const [script, ...args] = line.rest;
  if (value("--check") === true) {
    process.argv = [execPath, script ?? "-", ...args];
    return checkSyntax(tools, script);
  }
  if (value("--test") === true) {
    process.argv = [execPath, ...line.rest];
    return runTests(tools, line.rest);
  }
  if (script === undefined || script === "-" || value("--interactive") === true) {
    process.argv = [execPath, ...(script === undefined ? [] : ["-", ...args])];
    preloads();
    requireBuiltin("internal/process/execution").readStdin((code: string) => {
      (process as any)._eval = code;
      withImports(tools, imports, () =>
        evaluate(tools, "[stdin]", code, value("--input-type"), value("--print") === true),
      );
    });
    return;
  }
  const { resolve } = requireBuiltin("path");
  const main = script.startsWith("file:") ? script : (resolve(script) as string);
  process.argv = [execPath, main, ...args];
  preloads();
  const { Module } = requireBuiltin("module");
  if (imports.length === 0) return Module.runMain(main);
  withImports(tools, imports, (loader) => {
    const { pathToFileURL } = requireBuiltin("url");
    return loader.import(
      pathToFileURL(Module._findPath(main, null, true) || main).href,
      undefined,
      {
        __proto__: null,
      },
    );
  });
}

/** setupChildProcessIpcChannel of internal/process/pre_execution. */
function joinParent(requireBuiltin: (id: string) => any): void {
  const { NODE_CHANNEL_FD: fd, NODE_CHANNEL_SERIALIZATION_MODE: mode } = process.env;
  if (fd === undefined) return;
  delete process.env["NODE_CHANNEL_FD"];
  delete process.env["NODE_CHANNEL_SERIALIZATION_MODE"];
  requireBuiltin("child_process")._forkChild(Number(fd), mode ?? "json");
}

/** initializeClusterIPC there. The zygote may have loaded the primary's side of the module already. */
function joinCluster(requireBuiltin: (id: string) => any): void {
  if (process.env["NODE_UNIQUE_ID"] === undefined) return;
  let cluster = requireBuiltin("cluster");
  if (cluster.isPrimary === true) {
    cluster = requireBuiltin("internal/cluster/child");
    const { map } = requireBuiltin("internal/modules/helpers").loadBuiltinModule("fs").constructor;
    const module = map.get("cluster");
    module.exports = cluster;
    module.exportKeys = Object.keys(cluster);
  }
  cluster._setupWorker();
  delete process.env["NODE_UNIQUE_ID"];
}

function badV8Option(
  requireBuiltin: (id: string) => any,
  flags: readonly string[],
): string | undefined {
  const known = requireBuiltin("internal/options").getCLIOptionsInfo().options as Map<
    string,
    unknown
  >;
  for (const flag of flags) {
    const name = flag.split("=")[0]!;
    if (!known.has(name) && !v8Flags.has(name.replace(/^--no-?/, "--")))
      return `bad option: ${flag}`;
  }
  return undefined;
}

/** V8 flags that may be set at any time and that programs really use. */
const v8Flags = new Set([
  "--expose-gc",
  "--stack-size",
  "--stack-trace-limit",
  "--max-old-space-size",
  "--max-semi-space-size",
  "--min-semi-space-size",
  "--allow-natives-syntax",
  "--harmony",
  "--jitless",
  "--opt",
  "--turbo",
  "--random-seed",
  "--trace-gc",
  "--use-strict",
  "--gc-interval",
]);

function applySettings(
  requireBuiltin: (id: string) => any,
  value: (name: string) => string | true | string[] | undefined,
  list: (name: string) => string[],
): void {
  const flagged = process as any;
  if (value("--no-deprecation") === true) flagged.noDeprecation = true;
  if (value("--throw-deprecation") === true) flagged.throwDeprecation = true;
  if (value("--trace-deprecation") === true) flagged.traceDeprecation = true;
  if (typeof value("--title") === "string") process.title = value("--title") as string;
  if (value("--enable-source-maps") === true) process.setSourceMapsEnabled(true);
  const conditions = list("--conditions");
  if (conditions.length > 0) {
    const esm = requireBuiltin("internal/modules/esm/utils").getConditionsSet(undefined);
    const cjs = requireBuiltin("internal/modules/helpers").getCjsConditions();
    for (const condition of conditions) {
      esm.add(condition);
      cjs.add(condition);
    }
  }
}

function withImports(
  tools: NodeCommand,
  imports: readonly string[],
  run: (loader: any) => unknown,
): void {
  if (imports.length === 0) {
    run(undefined);
    return;
  }
  const { pathToFileURL } = tools.requireBuiltin("url");
  const parent = `${pathToFileURL(process.cwd()).href}/`;
  tools
    .requireBuiltin("internal/modules/run_main")
    .runEntryPointWithESMLoader(async (loader: any) => {
      for (const name of imports) await loader.import(name, parent, { __proto__: null });
      return run(loader);
    });
}

/** internal/main/eval_string and eval_stdin, after their set-up. */
function evaluate(
  tools: NodeCommand,
  name: string,
  code: string,
  inputType: string | true | string[] | undefined,
  print: boolean,
): unknown {
  const execution = tools.requireBuiltin("internal/process/execution");
  if (name === "[eval]") {
    tools.requireBuiltin("internal/modules/helpers").addBuiltinLibsToObject(globalThis, "<eval>");
  }
  switch (inputType) {
    case "module":
      return execution.evalModuleEntryPoint(code, print);
    case "module-typescript":
      return execution.parseAndEvalModuleTypeScript(code, print);
    case "commonjs":
      return execution.evalScript(name, code, false, print, false);
    case "commonjs-typescript":
      return execution.parseAndEvalCommonjsTypeScript(name, code, false, print, false);
    default:
      return execution.evalTypeScript(name, code, false, print, false);
  }
}

/** internal/main/check_syntax for files: parse, report, exit 1. */
function checkSyntax(tools: NodeCommand, script: string | undefined): void {
  const { requireBuiltin, internalBinding } = tools;
  const check = (source: string, filename: string): void => {
    const module =
      filename.endsWith(".mjs") ||
      (!filename.endsWith(".cjs") &&
        internalBinding("contextify").containsModuleSyntax(source, filename));
    if (module) new (internalBinding("module_wrap").ModuleWrap)(filename, undefined, source, 0, 0);
    else
      requireBuiltin("internal/modules/cjs/loader").wrapSafe(
        filename,
        source,
        undefined,
        "commonjs",
      );
  };
  if (script === undefined || script === "-") {
    requireBuiltin("internal/process/execution").readStdin((code: string) =>
      check(code, "[stdin]"),
    );
    return;
  }
  const { Module } = requireBuiltin("module");
  const filename = Module._resolveFilename(requireBuiltin("path").resolve(script)) as string;
  check(requireBuiltin("fs").readFileSync(filename, "utf8"), filename);
}

function runTests(tools: NodeCommand, patterns: string[]): void {
  const { run } = tools.requireBuiltin("test");
  const { spec } = tools.requireBuiltin("test/reporters");
  const options = patterns.length === 0 ? {} : { globPatterns: patterns };
  run({ ...options, isolation: "process" })
    .on("test:fail", () => {
      process.exitCode = 1;
    })
    .compose(spec)
    .pipe(process.stdout);
}
