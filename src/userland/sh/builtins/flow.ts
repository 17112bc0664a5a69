/** Builtins that steer execution: loops, functions, `eval`, `.`, `exec`, `command`. */
import { O_RDONLY } from "../../../abi/fcntl.js";
import { Exit, LoopJump, Return, ShellError } from "../control.js";
import { RealDescriptor } from "../descriptors.js";
import { fileErrorText } from "../errors.js";
import { DEFAULT_PATH } from "../external.js";
import { limits } from "../limits.js";
import { becomeCommand } from "../replacement.js";
import { invoke } from "../simple-command.js";
import { concatBytes, decodeText } from "../text.js";
import type { Builtin, BuiltinCall } from "./builtin.js";
import { describeName } from "./names.js";

/** A text that is parsed anew costs more than a call of a function. */
const TEXT_DEPTH = 10;

async function nested(call: BuiltinCall, run: () => Promise<number>): Promise<number> {
  const { env, shell } = call;
  env.callDepth += TEXT_DEPTH;
  try {
    shell.checkDepth(env);
    return await run();
  } finally {
    env.callDepth -= TEXT_DEPTH;
  }
}

function jump(kind: "break" | "continue") {
  return (call: BuiltinCall): number => {
    const { args, env } = call;
    const wanted = args[0] === undefined ? 1 : call.number(args[0]);
    if (wanted === 0) call.fail(`Illegal number: ${args[0]}`);
    const count = Math.min(wanted, env.loopDepth);
    if (count > 0) throw new LoopJump(kind, count);
    return 0;
  };
}

/** The status that `exit` and `return` are given: its low byte counts. */
function statusArgument(call: BuiltinCall, otherwise: number): number {
  const [text] = call.args;
  if (text === undefined) return otherwise;
  return /^-\d+$/.test(text) && call.shell.bash ? Number(text) & 0xff : call.number(text);
}

async function readScript(call: BuiltinCall, path: string): Promise<string> {
  const { system } = call.shell;
  const fd = system.open(call.env.resolve(path), O_RDONLY, 0);
  if (fd < 0) return call.fail(`cannot open ${path}: ${fileErrorText(-fd, "open")}`);
  const file = new RealDescriptor(system, fd).retain();
  try {
    const chunks: Uint8Array[] = [];
    for (let length = 0; ;) {
      const bytes = await file.read(64 * 1024);
      if (typeof bytes === "number") call.fail(`${path}: ${fileErrorText(-bytes, "open")}`);
      if ((bytes as Uint8Array).length === 0) return decodeText(concatBytes(chunks));
      chunks.push((bytes as Uint8Array).slice());
      length += (bytes as Uint8Array).length;
      if (length > limits.textLength) call.fail(`${path}: script too long`);
    }
  } finally {
    file.release();
  }
}

async function dot(call: BuiltinCall): Promise<number> {
  const { args, env, shell } = call;
  const [name, ...positional] = args[0] === "--" ? args.slice(1) : args;
  if (name === undefined) return shell.bash ? call.complain("filename argument required", 2) : 0;
  const text = await readScript(call, findScript(call, name));
  const outer = env.positional;
  if (shell.bash && positional.length > 0) env.positional = positional;
  env.returnDepth += 1;
  try {
    return await nested(call, () => shell.runText(env, text, call.tested));
  } catch (end) {
    if (end instanceof Return) return end.status;
    throw end;
  } finally {
    env.returnDepth -= 1;
    if (shell.bash && positional.length > 0) env.positional = outer;
  }
}

/** Scripts need no execute permission to be read. */
function findScript(call: BuiltinCall, name: string): string {
  const { env, shell } = call;
  if (name.includes("/")) return name;
  for (const directory of (env.variables.value("PATH") ?? DEFAULT_PATH).split(":")) {
    const path = `${directory === "" ? "." : directory}/${name}`;
    if (typeof shell.system.stat(env.resolve(path)) !== "number") return path;
  }
  if (shell.bash) return name;
  return call.fail(`${name}: not found`);
}

async function exec(call: BuiltinCall): Promise<number> {
  const { env, shell } = call;
  const args = call.args[0] === "--" ? call.args.slice(1) : call.args;
  if (args.length === 0) return 0;
  try {
    return await becomeCommand(shell, env, args);
  } catch (error) {
    if (!(error instanceof ShellError)) throw error;
    await shell.complain(env, `exec: ${error.message}`);
    throw new Exit(error.status, !env.isSubshell);
  }
}

async function command(call: BuiltinCall): Promise<number> {
  const { flags, operands } = leadingOptions(call, "pvV");
  const { env, shell, tested } = call;
  const searchPath = flags.has("p") ? DEFAULT_PATH : undefined;
  if (flags.has("v") || flags.has("V")) {
    let status = 0;
    for (const name of shell.bash ? operands : operands.slice(0, 1)) {
      const text = describeName(call, name, flags.has("v") ? "terse" : "verbose");
      if (text !== undefined) await call.print(`${text}\n`);
      else {
        if (flags.has("V")) await shell.complain(env, `${name}: not found`);
        status = shell.bash ? 1 : 127;
      }
    }
    return status;
  }
  if (operands.length === 0) return 0;
  return invoke(shell, env, operands, { tested, functions: false, special: false, searchPath });
}

/** Options end at the first operand: what follows belongs to the command. */
function leadingOptions(call: BuiltinCall, letters: string) {
  const flags = new Set<string>();
  let at = 0;
  for (; at < call.args.length; at++) {
    const argument = call.args[at]!;
    if (argument === "--") {
      at += 1;
      break;
    }
    if (!argument.startsWith("-") || argument === "-") break;
    for (const letter of argument.slice(1)) {
      if (!letters.includes(letter)) call.fail(`Illegal option -${letter}`);
      flags.add(letter);
    }
  }
  return { flags, operands: call.args.slice(at) };
}

export const flowBuiltins: Record<string, Builtin> = {
  ":": { special: true, run: () => 0 },
  true: { run: () => 0 },
  false: { run: () => 1 },
  break: { special: true, run: jump("break") },
  continue: { special: true, run: jump("continue") },
  return: {
    special: true,
    run: (call) => {
      throw new Return(statusArgument(call, call.env.status));
    },
  },
  exit: {
    special: true,
    run: (call) => {
      const status = statusArgument(call, call.env.trapStatus ?? call.env.status);
      throw new Exit(status & 0xff);
    },
  },
  eval: {
    special: true,
    run: (call) =>
      nested(call, () => call.shell.runText(call.env, call.args.join(" "), call.tested)),
  },
  ".": { special: true, run: dot },
  source: { run: dot },
  exec: { special: true, run: exec },
  command: { run: command },
  builtin: {
    run: (call) => {
      const { args, env, shell, tested } = call;
      if (args.length === 0) return 0;
      return invoke(shell, env, args, { tested, functions: false, special: false });
    },
  },
};
