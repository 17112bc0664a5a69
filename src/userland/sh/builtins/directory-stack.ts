/** `pushd`, `popd` and `dirs`. The working directory is the top of the stack. */
import type { Environment } from "../environment.js";
import type { Builtin, BuiltinCall } from "./builtin.js";
import { changeDirectory } from "./directories.js";

function stackOf({ cwd, directoryStack }: Environment): string[] {
  return [cwd, ...directoryStack];
}

function short(env: Environment, path: string): string {
  const home = env.variables.value("HOME");
  if (home === undefined || home === "" || home === "/") return path;
  return path === home || path.startsWith(`${home}/`) ? `~${path.slice(home.length)}` : path;
}

function show(call: BuiltinCall): Promise<number> {
  const { env } = call;
  return call.print(
    `${stackOf(env)
      .map((path) => short(env, path))
      .join(" ")}\n`,
  );
}

/** The place that `+n` or `-n` names; `undefined` for anything else. */
function placeOf(env: Environment, text: string): number | undefined {
  const match = /^([-+])(\d+)$/.exec(text);
  if (match === null) return undefined;
  const count = env.directoryStack.length + 1;
  return match[1] === "+" ? Number(match[2]) : count - 1 - Number(match[2]);
}

interface StackArguments {
  /** `-n`: the working directory stays. */
  readonly stays: boolean;
  readonly operand: string | undefined;
}

function parse(call: BuiltinCall): StackArguments {
  const args = [...call.args];
  const stays = args[0] === "-n";
  if (stays) args.shift();
  if (args[0] === "--") args.shift();
  return { stays, operand: args[0] };
}

async function outOfRange(call: BuiltinCall, text: string): Promise<number> {
  if (call.env.directoryStack.length === 0) return call.complain("directory stack empty");
  return call.complain(`${text}: directory stack index out of range`);
}

async function pushd(call: BuiltinCall): Promise<number> {
  const { env } = call;
  const { stays, operand } = parse(call);
  const stack = stackOf(env);
  if (operand === undefined) {
    if (stack.length < 2) return call.complain("no other directory");
    return goTo(call, [stack[1]!, stack[0]!, ...stack.slice(2)], stays);
  }
  const place = placeOf(env, operand);
  if (place !== undefined) {
    if (place < 0 || place >= stack.length || stack.length < 2) return outOfRange(call, operand);
    return goTo(call, [...stack.slice(place), ...stack.slice(0, place)], stays);
  }
  if (/^-./.test(operand)) return call.misuse(`${operand}: invalid number`);
  if (stays) {
    env.directoryStack = [operand, ...env.directoryStack];
    return show(call);
  }
  const before = env.cwd;
  const status = await changeDirectory(call, operand);
  if (status !== 0) return status;
  env.directoryStack = [before, ...env.directoryStack];
  return show(call);
}

/** Makes `stack` the stack: its first is where to go, unless the working directory stays. */
async function goTo(call: BuiltinCall, stack: readonly string[], stays: boolean): Promise<number> {
  const { env } = call;
  if (!stays) {
    const status = await changeDirectory(call, stack[0]!);
    if (status !== 0) return status;
  }
  env.directoryStack = stack.slice(1);
  return show(call);
}

async function popd(call: BuiltinCall): Promise<number> {
  const { env } = call;
  const { stays, operand } = parse(call);
  const stack = stackOf(env);
  let place = stays ? 1 : 0;
  if (operand !== undefined) {
    const named = placeOf(env, operand);
    if (named === undefined) return call.misuse(`${operand}: invalid argument`);
    place = named;
  }
  if (stack.length < 2) return call.complain("directory stack empty");
  if (place < 0 || place >= stack.length) return outOfRange(call, operand ?? "");
  if (place === 0) return goTo(call, stack.slice(1), stays);
  stack.splice(place, 1);
  env.directoryStack = stack.slice(1);
  return show(call);
}

async function dirs(call: BuiltinCall): Promise<number> {
  const { env } = call;
  const flags = new Set<string>();
  let place: number | undefined;
  for (const argument of call.args) {
    if (/^[-+]\d+$/.test(argument)) {
      place = placeOf(env, argument)!;
      if (place < 0 || place > env.directoryStack.length)
        return outOfRange(call, argument.slice(1));
    } else if (/^-[clpv]+$/.test(argument))
      for (const letter of argument.slice(1)) flags.add(letter);
    else return call.misuse(`${argument}: invalid option`);
  }
  if (flags.has("c")) {
    env.directoryStack = [];
    return 0;
  }
  const stack = stackOf(env).map((path) => (flags.has("l") ? path : short(env, path)));
  if (place !== undefined) return call.print(`${stack[place]!}\n`);
  if (flags.has("v")) {
    return call.print(
      stack.map((path, index) => `${String(index).padStart(2)}  ${path}\n`).join(""),
    );
  }
  return call.print(`${stack.join(flags.has("p") ? "\n" : " ")}\n`);
}

export const directoryStackBuiltins: Record<string, Builtin> = {
  pushd: { run: pushd, bashOnly: true },
  popd: { run: popd, bashOnly: true },
  dirs: { run: dirs, bashOnly: true },
};
