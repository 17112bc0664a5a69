/** Builtins that steer execution: loops, functions, `eval`, `.`, `exec`, `command`. */
import { Errno } from "../../../abi/errno.js";
import { O_RDONLY, S_IFDIR, S_IFMT } from "../../../abi/fcntl.js";
import type { CompoundValue } from "../expansion.js";
import { Exit, LoopJump, Return, ShellError } from "../control.js";
import type { Descriptor } from "../descriptors.js";
import { RealDescriptor } from "../descriptors.js";
import { errorText, fileErrorText } from "../errors.js";
import { DEFAULT_PATH } from "../external.js";
import { limits } from "../limits.js";
import { becomeCommand } from "../replacement.js";
import { concatBytes, decodeText } from "../text.js";
import type { Arguments, Builtin, BuiltinCall } from "./builtin.js";
import { builtinOf } from "./builtin.js";
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
  return async (call: BuiltinCall): Promise<number> => {
    const { args, env, shell } = call;
    if (shell.bash && env.loopDepth === 0) {
      return call.complain("only meaningful in a `for', `while', or `until' loop", 0);
    }
    if (shell.bash && args[0] !== undefined && !/^[-+]?\d+$/.test(args[0])) {
      await call.complain(`${args[0]}: numeric argument required`);
      throw new Exit(128);
    }
    const outOfRange = `${args[0]}: loop count out of range`;
    if (shell.bash && Number(args[0] ?? 1) <= 0) {
      await call.complain(outOfRange);
      env.status = 1;
      throw new LoopJump("break", env.loopDepth);
    }
    const wanted = args[0] === undefined ? 1 : call.number(args[0]);
    if (wanted === 0) call.fail(`Illegal number: ${args[0]}`);
    const count = Math.min(wanted, env.loopDepth);
    if (count > 0) throw new LoopJump(kind, count);
    return 0;
  };
}

/** The status that `exit` and `return` are given: its low byte counts. */
function statusArgument(call: BuiltinCall, otherwise: number): number {
  const text = call.args[0] === "--" ? call.args[1] : call.args[0];
  if (text === undefined) return otherwise;
  if (!call.shell.bash) return call.number(text);
  if (!/^\s*[-+]?\d+\s*$/.test(text)) {
    call.fail("", 2, { message: `${text}: numeric argument required`, status: 2 });
  }
  return Number(BigInt.asUintN(8, BigInt(text.trim().replace("+", ""))));
}

/** What to leave with; bash says what is wrong with it and leaves all the same. */
async function leavingStatus(call: BuiltinCall): Promise<number> {
  const { env, shell } = call;
  try {
    return statusArgument(call, env.trapStatus ?? env.status);
  } catch (error) {
    if (!(error instanceof ShellError) || !shell.bash) throw error;
    await shell.complain(env, error.messageFor(true));
    return 2;
  }
}

/** `return`: only where there is something to return from. */
async function leaveFunction(call: BuiltinCall): Promise<number> {
  const { env, shell } = call;
  if (shell.bash && env.returnDepth === 0) {
    return call.complain("can only `return' from a function or sourced script", 2);
  }
  if (shell.bash && call.args.length > 1) await call.complain("too many arguments");
  throw new Return(await leavingStatus(call));
}

async function exit(call: BuiltinCall): Promise<number> {
  const { shell } = call;
  if (shell.bash && call.args.length > 1 && call.args[0] !== "--") {
    return call.complain("too many arguments");
  }
  throw new Exit((await leavingStatus(call)) & 0xff);
}

async function readScript(call: BuiltinCall, path: string): Promise<string> {
  const file = (await openScript(call, path)).retain();
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

/** A file, or one of this environment's own descriptors by its name under /dev. */
async function openScript(call: BuiltinCall, path: string): Promise<Descriptor> {
  const { env, shell } = call;
  const { system } = shell;
  const own = /^\/dev\/fd\/(\d{1,4})$/.exec(path);
  const inherited = own === null ? undefined : env.descriptors.get(Number(own[1]));
  if (path === "/dev/stdin") return env.descriptors.get(0) ?? call.fail("cannot open /dev/stdin");
  if (inherited !== undefined) return inherited;
  const status = shell.bash ? system.stat(env.resolve(path)) : 0;
  const isDirectory = typeof status !== "number" && (status.mode & S_IFMT) === S_IFDIR;
  const fd = isDirectory ? -Errno.EISDIR : await system.open(env.resolve(path), O_RDONLY, 0);
  if (fd >= 0) return new RealDescriptor(system, fd);
  const words = errorText(-fd);
  if (isDirectory) call.fail(`${path}: is a directory`, 1);
  throw new ShellError(`${call.name}: cannot open ${path}: ${fileErrorText(-fd, "open")}`, 2, {
    message: `${path}: ${words}`,
  });
}

async function dot(call: BuiltinCall): Promise<number> {
  const { args, env, shell } = call;
  const [name, ...positional] = args[0] === "--" ? args.slice(1) : args;
  if (name === undefined) return shell.bash ? call.misuse("filename argument required") : 0;
  const path = findScript(call, name);
  const text = await readScript(call, path);
  const outer = env.positional;
  const { frame, loopDepth } = env;
  if (shell.bash && positional.length > 0) env.positional = positional;
  if (shell.bash) {
    env.frame = { name: "source", source: path, line: env.line, isFunction: false, outer: frame };
  }
  env.returnDepth += 1;
  const restoreTraps = env.suspendTraps(false);
  try {
    return await nested(call, () => shell.runText(env, text, { tested: call.tested }));
  } catch (end) {
    if (end instanceof Return) return end.status;
    throw end;
  } finally {
    restoreTraps();
    if (env.traps.has("RETURN")) await shell.traps.event(env, "RETURN");
    env.frame = frame;
    env.loopDepth = loopDepth;
    env.returnDepth -= 1;
    if (shell.bash && positional.length > 0) env.positional = outer;
  }
}

/** Scripts need no execute permission to be read. */
function findScript(call: BuiltinCall, name: string): string {
  const { env, shell } = call;
  if (name.includes("/")) return name;
  if (shell.bash && !env.shellOptions.has("sourcepath")) return name;
  for (const directory of (env.variables.value("PATH") ?? DEFAULT_PATH).split(":")) {
    const path = `${directory === "" ? "." : directory}/${name}`;
    if (typeof shell.system.stat(env.resolve(path)) !== "number") return path;
  }
  if (shell.bash) return name;
  return call.fail(`${name}: not found`);
}

async function exec(call: BuiltinCall): Promise<number> {
  const { env, shell } = call;
  let args = call.args[0] === "--" ? call.args.slice(1) : call.args;
  let calledAs: string | undefined;
  if (shell.bash) {
    const { flags, operands } = leadingOptions(call, "cla:");
    args = operands;
    if (args.length > 0 && (flags.has("a") || flags.has("l"))) {
      calledAs = `${flags.has("l") ? "-" : ""}${flags.get("a") ?? args[0]}`;
    }
    if (flags.has("c")) {
      for (const name of env.variables.names())
        env.variables.setAttributes(name, { exported: false });
    }
  }
  if (args.length === 0) return 0;
  try {
    return await becomeCommand(shell, env, args, { calledAs });
  } catch (error) {
    if (!(error instanceof ShellError)) throw error;
    const words = error.messageFor(shell.bash).replace(/: command not found$/, ": not found");
    await shell.complain(env, `exec: ${words}`);
    if (shell.bash && env.shellOptions.has("execfail")) return error.statusFor(true);
    throw new Exit(error.statusFor(shell.bash), !env.isSubshell);
  }
}

async function command(call: BuiltinCall): Promise<number> {
  const { flags, operands } = leadingOptions(call, "pvV");
  const { env, shell, tested } = call;
  const searchPath = flags.has("p") ? DEFAULT_PATH : undefined;
  if (flags.has("v") || flags.has("V")) {
    let status = 0;
    for (const name of shell.bash ? operands : operands.slice(0, 1)) {
      const text = describeName(call, name, flags.has("V") ? "verbose" : "terse");
      if (text !== undefined) await call.print(`${text}\n`);
      else {
        if (flags.has("V")) {
          await shell.complain(env, `${shell.bash ? "command: " : ""}${name}: not found`);
        }
        status = shell.bash ? 1 : 127;
      }
    }
    return status;
  }
  if (operands.length === 0) return 0;
  const compounds = shifted(call.compounds, call.args.length - operands.length + 1);
  const options = { tested, functions: false, special: false, searchPath, compounds };
  return shell.invoke(env, operands, options);
}

/** Options end at the first operand: what follows belongs to the command. */
function leadingOptions(call: BuiltinCall, letters: string): Arguments {
  if (call.shell.bash) return call.options(letters);
  const flags = new Map<string, string>();
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
      flags.set(letter, "");
    }
  }
  return { flags, operands: call.args.slice(at) };
}

async function builtin(call: BuiltinCall): Promise<number> {
  const { env, shell, tested } = call;
  const args = call.args[0] === "--" ? call.args.slice(1) : call.args;
  const shift = call.args.length - args.length + 1;
  if (args.length === 0) return 0;
  if (shell.bash && builtinOf(env, args[0]!) === undefined) {
    return call.complain(`${args[0]}: not a shell builtin`);
  }
  const compounds = shifted(call.compounds, shift);
  return shell.invoke(env, args, { tested, functions: false, special: false, compounds });
}

/** Arrays among the words, counted from the command that follows. */
function shifted(compounds: BuiltinCall["compounds"], by: number): Map<number, CompoundValue> {
  return new Map([...compounds].map(([index, value]) => [index - by, value]));
}

async function evaluateText(call: BuiltinCall): Promise<number> {
  const { env, shell, tested } = call;
  const args = call.args[0] === "--" && shell.bash ? call.args.slice(1) : call.args;
  if (shell.bash && /^-./.test(args[0] ?? "") && call.args[0] !== "--") {
    call.options("");
  }
  const line = shell.bash ? env.line : 1;
  env.traceDepth += 1;
  try {
    return await nested(call, () =>
      shell.runText(env, args.join(" "), { tested, line, origin: "eval: " }),
    );
  } finally {
    env.traceDepth -= 1;
  }
}

export const flowBuiltins: Record<string, Builtin> = {
  ":": { special: true, run: () => 0 },
  true: { run: () => 0 },
  false: { run: () => 1 },
  break: { special: true, run: jump("break") },
  continue: { special: true, run: jump("continue") },
  return: { special: true, run: leaveFunction },
  exit: { special: true, run: exit },
  eval: { special: true, run: evaluateText },
  ".": { special: true, run: dot },
  source: { run: dot, bashOnly: true },
  exec: { special: true, run: exec },
  command: { run: command },
  builtin: { run: builtin },
};
