/**
 * Owns running what the kernel sent: a main program, or the snippets of a
 * resident runner. Everything below is Node's own ESM loader.
 */
import type { StartOptions } from "../protocol/guest-calls.js";
import type { Channel } from "./channel.js";
import { startCompileCache } from "./compile-cache/binding.js";
import { beginInCopy } from "./copying.js";
import { startCoverage } from "./bindings/diagnostics.js";
import { installTemplateRandom } from "./entropy.js";
import { createCallTool, describeTools, installHostTools } from "./host-tools.js";
import type { Leaving } from "./leaving.js";
import { runNodeCommand } from "./node-main.js";
import { applyPlatform } from "./platform.js";
import type { PlatformTools } from "./platform.js";
import { runProgramCommand } from "./programs/run.js";
import type * as Resident from "./resident.js";
import type * as ToolCommand from "../userland/tool-command.js";
import type * as TemplateModule from "./template.js";
import type { CopyTools } from "./template.js";
import type * as HostCommand from "./programs/host-command.js";
import type * as Wasm from "./programs/wasi.js";
import { createReturn } from "./return-value.js";
import { stripTypes } from "./type-script.js";
import type { EngineModule } from "./engine-types.js";

export interface ProgramTools extends PlatformTools {
  channel: Channel;
  leaving: Leaving;
  /** Of a template. */
  copies: CopyTools;
  /** As of an `Order`. */
  refused?: number | undefined;
}

function hidden(name: string, value: unknown): void {
  Object.defineProperty(globalThis, name, {
    value,
    writable: true,
    configurable: true,
    enumerable: false,
  });
}

/** The CommonJS names of the main program, as non-enumerable globals beside its module scope. */
function defineCommonJsGlobals(tools: ProgramTools, path: string): void {
  const { Module } = tools.requireBuiltin("module");
  const { dirname } = tools.requireBuiltin("path");
  hidden("__filename", path);
  hidden("__dirname", dirname(path));
  let module: EngineModule;
  const mainModule = () => {
    if (module === undefined) {
      module = new Module(path, null);
      module.filename = path;
      module.paths = Module._nodeModulePaths(dirname(path));
    }
    return module;
  };
  const lazy = (name: string, make: () => unknown) =>
    Object.defineProperty(globalThis, name, {
      get() {
        const value = make();
        hidden(name, value);
        return value;
      },
      set(value) {
        hidden(name, value);
      },
      configurable: true,
      enumerable: false,
    });
  lazy("require", () => Module.createRequire(path));
  lazy("module", mainModule);
  lazy("exports", () => mainModule().exports);
}

/** A text's name is in its URL as it is, as in Node's getEvalModuleUrl. */
function programUrl(tools: ProgramTools, path: string): string {
  const { href } = tools.requireBuiltin("url").pathToFileURL(path) as URL;
  return href.replace(/%5Beval1%5D$/, "[eval1]");
}

/** The promise settles when the main program has been evaluated; nobody needs to wait for it. */
export function runProgram(
  tools: ProgramTools,
  options: StartOptions,
  source: string,
): Promise<unknown> | undefined {
  // Loaded here, so that the zygote's start does not pay for what few processes are.
  if (options.mode === "wasm")
    return (require("./programs/wasi.js") as typeof Wasm).runWasm(tools, options);
  if (options.mode === "command") return runProgramCommand(tools, options);
  if (options.mode === "host")
    return (require("./programs/host-command.js") as typeof HostCommand).runHostCommand(tools);
  // The engine derived these from its own place on the host.
  tools.requireBuiltin("module").Module._initPaths();
  applyPlatform(tools, options.jsRuntime);
  // A program named by the host has them always; a `node` of the machine is plain Node where there are none.
  if (options.mode !== "node" || options.hostTools) installHostTools(tools.channel);
  if (options.mode === "tool") return runTool(tools, options);
  if (options.mode === "node") {
    runNodeCommand(tools, options);
    return undefined;
  }
  startCoverage(tools);
  startCompileCache();
  hidden("__return", createReturn(tools.channel, options));
  if (options.jsRuntime.platform === "node") defineCommonJsGlobals(tools, options.path);
  if (options.mode === "resident") {
    (require("./resident.js") as typeof Resident).runResident(
      tools,
      options,
      programUrl(tools, options.path),
    );
    return undefined;
  }
  return evaluate(tools, options, source);
}

/** The same in a copy of a process that has run a set-up: everything that is once per process is there. */
export function runCopiedProgram(
  tools: ProgramTools,
  options: StartOptions,
  source: string,
): Promise<unknown> {
  beginInCopy("first");
  // Another machine's template begins as the one it is copied from stands: nothing runs in between.
  if (options.mode === "template" && source === "") return standBy(tools, "settled");
  if (options.hostTools && !("callHostTool" in globalThis)) installHostTools(tools.channel);
  hidden("__return", createReturn(tools.channel, options));
  if (options.jsRuntime.platform === "node") defineCommonJsGlobals(tools, options.path);
  // The set-up may have had the same name.
  const loader = tools.requireBuiltin("internal/modules/esm/loader");
  loader.getOrInitializeCascadedLoader().loadCache.delete(programUrl(tools, options.path));
  onceBegun(tools, () => beginInCopy("program"));
  return evaluate(tools, options, source);
}

/** Runs `then` when the next module has run up to its first await. */
function onceBegun({ internalBinding }: ProgramTools, then: () => void): void {
  const { prototype } = internalBinding("module_wrap").ModuleWrap;
  const { evaluate: own } = prototype;
  prototype.evaluate = function (...args: unknown[]): unknown {
    prototype.evaluate = own;
    try {
      return Reflect.apply(own, this, args);
    } finally {
      then();
    }
  };
}

function evaluate(tools: ProgramTools, options: StartOptions, source: string): Promise<unknown> {
  const { runEntryPointWithESMLoader } = tools.requireBuiltin("internal/modules/run_main");
  const url = programUrl(tools, options.path);
  if (options.mode === "template") installTemplateRandom(tools.requireBuiltin);
  // Taken before the program can change it. It reads `process.exitCode` and emits `exit`.
  const exit = process.exit.bind(process);
  const evaluated = runEntryPointWithESMLoader(async (loader: EngineModule) => {
    const text = options.language === "ts" ? stripTypes(tools.requireBuiltin, source) : source;
    const module = await loader.eval(text, url, true);
    if (options.endWhenSettled === true) exit();
    return module;
  }) as Promise<unknown>;
  if (options.mode !== "template") return evaluated;
  return evaluated.then(() => standBy(tools, "used"));
}

/** What its last turn has begun is seen, and nothing of the module is on the stack of a copy. */
async function standBy(tools: ProgramTools, state: "used" | "settled"): Promise<void> {
  const { setImmediate } = tools.requireBuiltin("timers");
  const { becomeTemplate } = require("./template.js") as typeof TemplateModule;
  setImmediate(() => becomeTemplate({ ...tools, ...tools.copies }, state));
}

/** The command of a host tool, over the virtual file system as every command. */
async function runTool(tools: ProgramTools, options: StartOptions): Promise<void> {
  const fs = tools.requireBuiltin("fs");
  const { channel, leaving } = tools;
  const { toolCommand } = require("../userland/tool-command.js") as typeof ToolCommand;
  const code = await toolCommand({
    argv: [options.image, ...options.argv],
    write: (text) => fs.writeSync(1, text),
    writeError: (text) => fs.writeSync(2, text),
    readInput: () => fs.readFileSync(0, "utf8"),
    readFile: (path) => fs.readFileSync(path, "utf8"),
    callTool: createCallTool(channel),
    describeTools: (name) => describeTools(channel, name),
  });
  leaving.leave(code);
}
