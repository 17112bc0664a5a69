/** `trap` and `kill`. */
import { errorText } from "../errors.js";
import { SIGTERM, parseSignal, signalNames, signalNumber } from "../signals.js";
import type { Builtin, BuiltinCall } from "./builtin.js";
import { quote } from "./builtin.js";

async function trap(call: BuiltinCall): Promise<number> {
  const { env, shell } = call;
  const args = call.args[0] === "--" ? call.args.slice(1) : call.args;
  if (args.length === 0 || (args.length === 1 && args[0] === "-p")) {
    const actions = signalNames.filter((signal) => env.traps.has(signal));
    return call.print(
      actions.map((signal) => `trap -- ${quote(env.traps.get(signal)!)} ${signal}\n`).join(""),
    );
  }
  if (args[0] === "-l") return call.print(`${signalNames.slice(1).join("\n")}\n`);
  // A number, or a signal alone, in the place of the action resets.
  const reset = args.length === 1 || /^\d+$/.test(args[0]!);
  const action = reset || args[0] === "-" ? undefined : args[0];
  let status = 0;
  for (const text of reset && args[0] !== "-" ? args : args.slice(1)) {
    const signal = parseSignal(text);
    // bash's pseudo-signals are taken and never come.
    if (signal === undefined && shell.bash && /^(?:ERR|DEBUG|RETURN)$/.test(text)) continue;
    if (signal === undefined) status = await call.complain(`${text}: bad trap`);
    else shell.traps.set(env, signal, action);
  }
  return status;
}

async function kill(call: BuiltinCall): Promise<number> {
  let [first = "", ...targets] = call.args;
  let signal = SIGTERM;
  if (first === "-l" || first === "-L") return listSignals(call, targets);
  const usage =
    "Usage: kill [-s sigspec | -signum | -sigspec] [pid | job]... or\nkill -l [exitstatus]";
  if (first === "-s" || first === "-n") {
    const [name = "", ...rest] = targets;
    signal = numberOf(call, name);
    targets = rest;
  } else if (/^-[^-]/.test(first)) signal = numberOf(call, first.slice(1));
  else if (first !== "--" && first !== "") targets = [first, ...targets];
  if (targets[0] === "--") targets = targets.slice(1);
  if (targets.length === 0) call.fail(usage);
  let status = 0;
  for (const target of targets) status = (await killOne(call, target, signal)) || status;
  // A signal to this very shell is to be noticed before the next command.
  await call.shell.system.yield();
  return status;
}

function numberOf(call: BuiltinCall, text: string): number {
  const signal = parseSignal(text);
  if (signal === undefined) return call.fail(`invalid signal number or name: ${text}`);
  return signalNumber(signal);
}

async function killOne(call: BuiltinCall, target: string, signal: number): Promise<number> {
  const { env, shell } = call;
  let pid: number;
  if (target.startsWith("%")) {
    const job = env.jobs.find(target);
    if (job === undefined) return call.complain(`No such job: ${target}`, 2);
    pid = env.options.has("monitor") ? -job.pid : job.pid;
  } else {
    if (!/^-?\d{1,10}$/.test(target)) return call.complain(`Illegal number: ${target}`, 2);
    pid = Number(target);
  }
  const result = shell.system.kill(pid, signal);
  return result < 0 ? call.complain(`${errorText(-result)}\n`) : 0;
}

function listSignals(call: BuiltinCall, statuses: readonly string[]): Promise<number> {
  if (statuses.length === 0) return call.print(`0\n${signalNames.slice(1).join("\n")}\n`);
  const names = statuses.map((text) => {
    const known = parseSignal(text);
    if (known !== undefined && !/^\d/.test(text)) return String(signalNumber(known));
    const number = call.number(text);
    return (
      signalNames[number > 128 ? number - 128 : number] ??
      call.fail(`invalid signal number or exit status: ${text}`)
    );
  });
  return call.print(`${names.join("\n")}\n`);
}

export const signalBuiltins: Record<string, Builtin> = {
  trap: { special: true, run: trap },
  kill: { run: kill },
};
