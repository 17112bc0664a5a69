/** Owns how errors of a script are told, in dash's form and in bash's, and the status they leave. */
import { Exit, ShellError, SyntaxFailure } from "./control.js";
import type { Environment } from "./environment.js";
import { encodeText } from "./text.js";

/** What stands in front of a message. */
function location(env: Environment, line: number, origin = "", from?: string): string {
  const { bash, interactive } = env.shell;
  if (!bash) return `${env.name}: ${line}: `;
  const source = from ?? env.frame?.source ?? env.name;
  return interactive && env.frame === undefined
    ? `${source}: ${origin}`
    : `${source}: ${origin}line ${line}: `;
}

export async function complain(env: Environment, message: string, from?: string): Promise<void> {
  const text = `${location(env, env.line, "", from)}${message}\n`;
  await env.descriptors.get(2)?.write(encodeText(text));
}

/** Prints what ended a command; rethrows what is no error of the script. The status to go on with. */
export async function report(env: Environment, error: unknown): Promise<number> {
  const { bash } = env.shell;
  if (error instanceof SyntaxFailure) {
    env.line = error.line;
    if (!bash) await complain(env, error.message);
    else {
      const lines = error
        .bashLines()
        .map(([line, text]) => `${location(env, line, env.textOrigin)}${text}\n`);
      await env.descriptors.get(2)?.write(encodeText(lines.join("")));
    }
    return 2;
  }
  if (error instanceof ShellError) {
    await complain(env, error.messageFor(bash), error.source);
    return error.statusFor(bash);
  }
  // Deeper or longer than the engine can hold, in spite of the limits: the script's fault all the same.
  if (!(error instanceof RangeError)) throw error;
  await complain(env, "out of memory");
  return 2;
}

/**
 * bash goes on with the next line behind most errors. Reports the error; returns the
 * status with which to go on, or throws the end of the environment.
 */
export async function goOnAfter(env: Environment, error: unknown): Promise<number> {
  const { bash } = env.shell;
  if (!bash || !(error instanceof ShellError)) throw error;
  const status = await report(env, error);
  // Of a whole command that is not there the subshell knows nothing; its parent has the status.
  if (error.bash.ends === "shell") {
    const top = !env.isSubshell && env.textOrigin === "-c: " && !env.options.has("errexit");
    throw new Exit(top || env.shell.interactive ? status : 1);
  }
  if (env.isSubshell) throw new Exit(status);
  env.status = status;
  env.pipeStatus = [status];
  return status;
}
