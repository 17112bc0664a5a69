/** `kill`. */
import { Killed } from "../control.js";
import { errorText } from "../errors.js";
import { SIGPIPE, SIGTERM, parseSignal, signalNames, signalNumber } from "../signals.js";
import type { Builtin, BuiltinCall } from "./builtin.js";
import { signalTable } from "./trap.js";

async function kill(call: BuiltinCall): Promise<number> {
  let [first = "", ...targets] = call.args;
  let signal = SIGTERM;
  if (first === "-l" || first === "-L") return listSignals(call, targets);
  if (first === "-s" || first === "-n") {
    const [name = "", ...rest] = targets;
    signal = numberOf(call, name);
    targets = rest;
  } else if (/^-[^-]/.test(first)) signal = numberOf(call, first.slice(1));
  else if (first !== "--" && first !== "") targets = [first, ...targets];
  if (targets[0] === "--") targets = targets.slice(1);
  if (targets.length === 0) {
    if (call.shell.bash) return call.misuse();
    call.fail(
      "Usage: kill [-s sigspec | -signum | -sigspec] [pid | job]... or\nkill -l [exitstatus]",
    );
  }
  let status = 0;
  for (const target of targets) status = (await killOne(call, target, signal)) || status;
  // A signal to this very shell is to be noticed before the next command.
  await call.shell.system.yield();
  return status;
}

function numberOf(call: BuiltinCall, text: string): number {
  const signal = parseSignal(text);
  if (signal === undefined) {
    const message = `${text}: invalid signal specification`;
    return call.fail(`invalid signal number or name: ${text}`, 2, { message });
  }
  return signalNumber(signal);
}

async function killOne(call: BuiltinCall, target: string, signal: number): Promise<number> {
  const { env, shell } = call;
  let pid: number;
  if (target.startsWith("%")) {
    const job = env.jobs.find(target);
    if (job === undefined) {
      return shell.bash
        ? call.complain(`${target}: no such job`)
        : call.complain(`No such job: ${target}`, 2);
    }
    pid = env.options.has("monitor") ? -job.pid : job.pid;
  } else {
    if (!/^-?\d{1,10}$/.test(target)) {
      return shell.bash
        ? call.complain(`${target}: arguments must be process or job IDs`)
        : call.complain(`Illegal number: ${target}`, 2);
    }
    pid = Number(target);
    const self = env.subshellPid ?? shell.system.pid;
    // Node's processes, and with them the shell's, ignore SIGPIPE: that it would end bash is acted out.
    if (pid === self && (env.subshellPid !== undefined || (signal === SIGPIPE && shell.bash)))
      return killSelf(call, signal);
  }
  const result = shell.system.kill(pid, signal);
  if (result >= 0) return 0;
  const words = errorText(-result);
  return call.complain(shell.bash ? `(${target}) - ${words}` : `${words}\n`);
}

/** A subshell has no process of its own that a signal could reach: it acts on it at once. */
function killSelf({ env }: BuiltinCall, signal: number): number {
  const name = signalNames[signal] ?? "";
  const action = env.traps.get(name);
  if (signal === 0 || action === "" || ["CHLD", "CONT", "WINCH", "URG"].includes(name)) return 0;
  if (action === undefined) throw new Killed(signal);
  env.pendingSignals.push(name);
  return 0;
}

function listSignals(call: BuiltinCall, statuses: readonly string[]): Promise<number> {
  if (statuses.length === 0) {
    if (call.shell.bash) return call.print(signalTable());
    return call.print(`0\n${signalNames.slice(1).join("\n")}\n`);
  }
  const names = statuses.map((text) => {
    const known = parseSignal(text);
    if (known !== undefined && !/^\d/.test(text)) return String(signalNumber(known));
    const message = `${text}: invalid signal specification`;
    const number = call.number(text, message);
    return (
      signalNames[number > 128 ? number - 128 : number] ??
      call.fail(`invalid signal number or exit status: ${text}`, 2, { message })
    );
  });
  return call.print(`${names.join("\n")}\n`);
}

export const killBuiltins: Record<string, Builtin> = { kill: { run: kill } };
