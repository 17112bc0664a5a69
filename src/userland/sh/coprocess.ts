/** Owns `coproc`: an asynchronous command whose input and output are pipes of this shell. */
import type { Command } from "./ast.js";
import { ShellError } from "./control.js";
import { RealDescriptor } from "./descriptors.js";
import type { Environment } from "./environment.js";
import { errorText } from "./errors.js";
import type { Interpreter } from "./interpreter.js";
import { startAsynchronous } from "./pipelines.js";
import { freeDescriptor } from "./process-substitution.js";
import { ShellArray } from "./variables.js";

const HIGHEST = 63;

/** Starts it and returns 0; the array `name` has the descriptors to read from and to write to. */
export async function runCoprocess(
  shell: Interpreter,
  env: Environment,
  { command, name, text }: Extract<Command, { kind: "coprocess" }>,
): Promise<number> {
  const { system } = shell;
  const output = system.pipe();
  const input = system.pipe();
  if (typeof output === "number") throw new ShellError(`cannot make pipe: ${errorText(-output)}`);
  if (typeof input === "number") throw new ShellError(`cannot make pipe: ${errorText(-input)}`);
  const clone = env.clone();
  clone.descriptors.set(0, new RealDescriptor(system, input[0]));
  clone.descriptors.set(1, new RealDescriptor(system, output[1]));
  const pid = await startAsynchronous(shell, env, clone, command, text);
  const reading = freeDescriptor(env, HIGHEST);
  env.descriptors.set(reading, new RealDescriptor(system, output[0]));
  const writing = freeDescriptor(env, reading);
  env.descriptors.set(writing, new RealDescriptor(system, input[1]));
  env.variables.setArray(name, ShellArray.of([String(reading), String(writing)]));
  env.variables.set(`${name}_PID`, String(pid));
  const job = env.jobs.find(String(pid));
  if (job !== undefined) {
    job.whenWaited = () => {
      env.variables.unset(name);
      env.variables.unset(`${name}_PID`);
      env.descriptors.close(reading);
      env.descriptors.close(writing);
    };
  }
  return 0;
}
