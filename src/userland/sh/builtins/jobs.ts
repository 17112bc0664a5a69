/** `wait`, `jobs`, `fg`, `bg`. */
import type { Job } from "../jobs.js";
import { exitStatus } from "../jobs.js";
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
  job.waited = true;
  return exitStatus(ended);
}

function findJob(call: BuiltinCall, text: string): Job | undefined {
  const job = call.env.jobs.find(text);
  if (job === undefined && text.startsWith("%")) call.fail(`No such job: ${text}`);
  return job;
}

async function wait(call: BuiltinCall): Promise<number> {
  const { env } = call;
  const any = call.args[0] === "-n";
  const operands = any ? call.args.slice(1) : call.args;
  if (any) {
    const jobs =
      operands.length > 0 ? operands.flatMap((text) => findJob(call, text) ?? []) : env.jobs.all();
    if (jobs.length === 0) return 127;
    const first = await untilSignal(
      call,
      Promise.race(jobs.map((job) => job.ended.then(() => job))),
    );
    if (typeof first === "number") return first;
    env.jobs.remove(first);
    return exitStatus(first.status!);
  }
  if (operands.length === 0) {
    const all = Promise.all(env.jobs.all().map((job) => job.ended));
    const ended = await untilSignal(call, all);
    if (typeof ended === "number") return ended;
    if (call.shell.bash) env.jobs.clear();
    for (const job of env.jobs.all()) job.waited = true;
    return 0;
  }
  let status = 0;
  for (const text of operands) {
    if (!/^(?:%|\d+$)/.test(text)) call.fail(`Illegal number: ${text}`);
    const job = findJob(call, text);
    status = job === undefined ? 127 : await waitFor(call, job);
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
  const showText = shell.bash || shell.interactive || env.options.has("monitor");
  // dash shows the youngest first, and what has ended is forgotten as it is shown.
  for (const job of shell.bash ? [...chosen] : [...chosen].reverse()) {
    const mark = job === all.at(-1) ? "+" : job === all.at(-2) ? "-" : " ";
    const text = showText ? job.text : "";
    const pid = flags.has("l") ? `${job.pid} ` : "";
    const row = `[${job.id}] ${mark} ${pid}${job.state.padEnd(26)} ${text}\n`;
    await call.print(flags.has("p") ? `${job.pid}\n` : row);
    if (job.status !== undefined) env.jobs.remove(job);
  }
  return 0;
}

function chosenJob(call: BuiltinCall): Job {
  const [text] = call.args;
  const job = text === undefined ? call.env.jobs.current() : call.env.jobs.find(text);
  if (job !== undefined) return job;
  return call.fail(text === undefined ? "No current job" : `No such job: ${text}`);
}

/** Without terminals to hand over, the foreground is what the shell waits for. */
async function foreground(call: BuiltinCall): Promise<number> {
  const job = chosenJob(call);
  await call.print(`${job.text}\n`);
  call.shell.system.kill(job.pid, SIGCONT);
  const status = await waitFor(call, job);
  call.env.jobs.remove(job);
  return status;
}

async function background(call: BuiltinCall): Promise<number> {
  const job = chosenJob(call);
  call.shell.system.kill(job.pid, SIGCONT);
  return call.print(`[${job.id}] ${job.text}\n`);
}

export const jobBuiltins: Record<string, Builtin> = {
  wait: { run: wait },
  jobs: { run: jobs },
  fg: { run: foreground },
  bg: { run: background },
};
