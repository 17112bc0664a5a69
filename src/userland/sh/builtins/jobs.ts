/** `wait`, `jobs`, `fg`, `bg`. */
import type { Job } from "../jobs.js";
import { exitStatus } from "../jobs.js";
import { notifyAfterWait } from "../job-control.js";
import { SIGCONT, signalNumber } from "../signals.js";
import type { Builtin, BuiltinCall } from "./builtin.js";

/** Waits for one of the promises; a caught signal ends the wait with its status. */
async function untilSignal<T>(call: BuiltinCall, ended: Promise<T>): Promise<T | number> {
  const { env } = call;
  if (env.pendingSignals.length > 0) return 128 + signalNumber(env.pendingSignals[0]!);
  const signal = new Promise<number>((resolve) => {
    env.wakeOnSignal = () => resolve(128 + signalNumber(env.pendingSignals[0] ?? "EXIT"));
  });
  try {
    return await Promise.race([ended, signal]);
  } finally {
    env.wakeOnSignal = undefined;
  }
}

/** The job's status, or that of the signal that came first. */
async function waitFor(call: BuiltinCall, job: Job): Promise<number> {
  const ended = await untilSignal(call, job.ended);
  if (typeof ended === "number") return ended;
  job.status = ended;
  job.waited = true;
  job.whenWaited?.();
  await notifyAfterWait(call.shell, call.env);
  // Its end has been told: `jobs` of bash does not tell it again.
  if (call.shell.bash && job.id > 0) call.env.jobs.disown(job);
  return exitStatus(ended);
}

function findJob(call: BuiltinCall, text: string): Job | undefined {
  const job = call.env.jobs.find(text);
  if (job === undefined && text.startsWith("%")) {
    call.fail(`No such job: ${text}`, 2, { message: `${text}: no such job`, status: 127 });
  }
  return job;
}

async function wait(call: BuiltinCall): Promise<number> {
  const { env, shell } = call;
  const { flags, operands } = shell.bash
    ? call.options("fnp:")
    : { flags: new Map<string, string>(), operands: call.args };
  const variable = flags.get("p");
  if (variable !== undefined) env.variables.unset(variable);
  const tell = (job: Job): void => {
    if (variable !== undefined) env.assign(variable, String(job.pid));
  };
  if (flags.has("n")) {
    const jobs =
      operands.length > 0
        ? operands.flatMap((text) => findJob(call, text) ?? [])
        : env.jobs.all().filter(({ waited }) => !waited);
    if (jobs.length === 0) return 127;
    const first = await untilSignal(
      call,
      Promise.race(jobs.map((job) => job.ended.then(() => job))),
    );
    if (typeof first === "number") return first;
    first.status ??= await first.ended;
    await notifyAfterWait(shell, env);
    // Whoever knows its number may still ask for its status.
    env.jobs.disown(first);
    tell(first);
    return exitStatus(first.status);
  }
  if (operands.length === 0) {
    const all = Promise.all(env.jobs.all().map((job) => job.ended));
    const ended = await untilSignal(call, all);
    if (typeof ended === "number") return ended;
    for (const job of env.jobs.all()) job.whenWaited?.();
    await notifyAfterWait(shell, env);
    if (call.shell.bash) env.jobs.clear();
    for (const job of env.jobs.all()) job.waited = true;
    return 0;
  }
  let status = 0;
  for (const text of operands) {
    if (!/^(?:%|\d+$)/.test(text)) {
      const message = `\`${text}': not a pid or valid job spec`;
      call.fail(`Illegal number: ${text}`, 2, { message });
    }
    const job = findJob(call, text);
    if (job === undefined && shell.bash) {
      await call.complain(`pid ${text} is not a child of this shell`);
    }
    status = job === undefined ? 127 : await waitFor(call, job);
    if (job !== undefined) tell(job);
    if (env.pendingSignals.length > 0) break;
  }
  return status;
}

async function jobs(call: BuiltinCall): Promise<number> {
  const { env, shell } = call;
  const { flags, operands } = call.options("lprsn");
  // Ends that have come in already are to be seen.
  await shell.system.yield();
  const all = env.jobs.all();
  const chosen =
    operands.length > 0 ? operands.flatMap((text) => findJob(call, text) ?? []) : [...all];
  const running = (job: Job): boolean => job.status === undefined && job.stopSignal === 0;
  const shown = chosen.filter((job) => (!flags.has("r") || running(job)) && !flags.has("s"));
  const showText = shell.bash || shell.interactive || env.options.has("monitor");
  // dash shows the youngest first, and what has ended is forgotten as it is shown.
  for (const job of shell.bash ? [...shown] : [...shown].reverse()) {
    const mark = job === all.at(-1) ? "+" : job === all.at(-2) ? "-" : " ";
    const text = showText ? job.text : "";
    const pid = flags.has("l") ? `${job.pid} ` : "";
    const row = shell.bash
      ? bashRow(job, mark, pid)
      : `[${job.id}] ${mark} ${pid}${job.state.padEnd(26)} ${text}\n`;
    await call.print(flags.has("p") ? `${job.pid}\n` : row);
    if (job.status !== undefined) env.jobs.remove(job);
  }
  return 0;
}

function bashRow(job: Job, mark: string, pid: string): string {
  const runs = job.status === undefined && job.stopSignal === 0 ? `${job.text} &` : job.text;
  const state = job.state.replace(/^Done\((\d+)\)$/, "Exit $1");
  return `[${job.id}]${mark} ${pid === "" ? " " : pid}${state.padEnd(23)} ${runs}\n`;
}

async function disown(call: BuiltinCall): Promise<number> {
  const { env } = call;
  const { flags, operands } = call.options("ahr");
  if (flags.has("a") || flags.has("r")) {
    const all = env.jobs.all().slice();
    for (const job of all) {
      if (flags.has("a") || job.status === undefined) env.jobs.disown(job);
    }
    return 0;
  }
  let status = 0;
  const named = operands.length > 0 ? operands : ["current"];
  for (const text of named) {
    const job = text === "current" ? env.jobs.current() : env.jobs.find(text);
    if (job === undefined) status = await call.complain(`${text}: no such job`);
    else if (!flags.has("h")) env.jobs.disown(job);
  }
  return status;
}

function chosenJob(call: BuiltinCall): Job {
  const [text] = call.args;
  const job = text === undefined ? call.env.jobs.current() : call.env.jobs.find(text);
  if (job !== undefined) return job;
  return call.fail(text === undefined ? "No current job" : `No such job: ${text}`, 2, {
    message: `${text ?? "current"}: no such job`,
  });
}

/** Without terminals to hand over, the foreground is what the shell waits for. */
async function foreground(call: BuiltinCall): Promise<number> {
  if (call.shell.bash && !call.env.options.has("monitor")) return call.complain("no job control");
  const job = chosenJob(call);
  await call.print(`${job.text}\n`);
  const control = call.shell.jobControl;
  if (control !== undefined) return control.resume(call.env, job);
  call.shell.system.kill(job.pid, SIGCONT);
  // Of what was in the foreground nobody is told that it is done.
  call.env.jobs.remove(job);
  return waitFor(call, job);
}

async function background(call: BuiltinCall): Promise<number> {
  if (call.shell.bash && !call.env.options.has("monitor")) return call.complain("no job control");
  const job = chosenJob(call);
  const control = call.shell.jobControl;
  job.stopSignal = 0;
  control?.watch(job);
  call.shell.system.kill(control === undefined ? job.pid : -job.pid, SIGCONT);
  return call.print(
    `[${job.id}]${control === undefined ? "" : "+"} ${job.text}${control === undefined ? "" : " &"}\n`,
  );
}

export const jobBuiltins: Record<string, Builtin> = {
  wait: { run: wait },
  jobs: { run: jobs },
  fg: { run: foreground },
  bg: { run: background },
  disown: { run: disown, bashOnly: true },
};
