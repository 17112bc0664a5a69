/**
 * Owns `<(…)` and `>(…)`: a subshell at the other end of a pipe, named by the
 * descriptor under which the command meets its end. The number belongs to the
 * command: it is closed when that is done.
 */
import type { ProcessPart } from "./ast.js";
import { ShellError } from "./control.js";
import { RealDescriptor } from "./descriptors.js";
import type { Environment } from "./environment.js";
import { errorText } from "./errors.js";
import type { Interpreter } from "./interpreter.js";

/** bash counts down from here. */
const HIGHEST = 63;

/** The path of the new pipe's end. */
export function substituteProcess(
  shell: Interpreter,
  env: Environment,
  { body, direction }: ProcessPart,
): string {
  const { system } = shell;
  const pipe = system.pipe();
  if (typeof pipe === "number") throw new ShellError(`cannot make pipe: ${errorText(-pipe)}`);
  const [reader, writer] = pipe.map((fd) => new RealDescriptor(system, fd)) as [
    RealDescriptor,
    RealDescriptor,
  ];
  const clone = env.clone();
  for (const fd of env.temporaryDescriptors) clone.descriptors.close(fd);
  clone.descriptors.set(direction === "<" ? 1 : 0, direction === "<" ? writer : reader);
  const number = freeDescriptor(env, HIGHEST);
  env.descriptors.set(number, direction === "<" ? reader : writer);
  env.temporaryDescriptors.push(number);
  const ended = shell.beside
    .run(() => shell.runSubshell(clone, () => shell.execute(clone, body, false)))
    .then((code) => ({ code, signal: 0 }));
  shell.beside.outlives(ended, direction === ">");
  env.backgroundPid = clone.subshellPid;
  env.jobs.addHidden(clone.subshellPid!, ended);
  return `/dev/fd/${number}`;
}

/** The highest number up to `from` that is free. */
export function freeDescriptor(env: Environment, from: number): number {
  let number = from;
  while (number > 9 && env.descriptors.get(number) !== undefined) number -= 1;
  if (number <= 9) throw new ShellError("too many process substitutions");
  return number;
}

/** Closes what has been opened for a command since `mark` were open. */
export function closeTemporaries(env: Environment, mark: number): void {
  for (const fd of env.temporaryDescriptors.splice(mark)) env.descriptors.close(fd);
}
