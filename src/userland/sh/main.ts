/**
 * The entry of `sh` (and of `bash`, under that name): where the script comes from,
 * and what is read before it.
 */
import { O_RDONLY, S_IFDIR, S_IFMT } from "../../abi/fcntl.js";
import { Errno } from "../../abi/errno.js";
import { Exit, Return, ShellError } from "./control.js";
import { RealDescriptor } from "./descriptors.js";
import { report } from "./diagnostics.js";
import type { Environment } from "./environment.js";
import { errorText, fileErrorText } from "./errors.js";
import { firstEnvironment } from "./first-environment.js";
import { InputScript } from "./input.js";
import { Interpreter } from "./interpreter.js";
import type { Invocation } from "./invocation.js";
import { parseArguments, usage } from "./invocation.js";
import { expandDoubleQuoted } from "./prompt.js";
import { restoreState } from "./restore.js";
import { JobControl } from "./job-control.js";
import { LineEditor } from "./line-editor.js";
import { completeWord } from "./word-completion.js";
import { SIGINT, SIGTERM } from "./signals.js";
import type { ShellSystem } from "./system.js";
import { concatBytes, decodeText, encodeText } from "./text.js";
import { versionBanner } from "./version.js";

/** Runs the shell and returns its exit status. `argv[0]` is the name it was called by. */
export async function main(
  system: ShellSystem,
  argv: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<number> {
  const [called = "sh", ...args] = argv;
  if (args[0] === "--resume" && args[1] !== undefined) return resume(system, Number(args[1]));
  const bash = /(?:^|\/)-?bash$/.test(called);
  let invocation: Invocation;
  try {
    invocation = parseArguments(called, args, bash);
  } catch (error) {
    if (!(error instanceof ShellError)) throw error;
    await system.write(2, encodeText(`${called}: ${bash ? "" : "0: "}${error.message}\n`));
    return error.status;
  }
  if (invocation.show !== undefined) {
    const banner = versionBanner(system.machine ?? "x86_64");
    await system.write(1, encodeText(invocation.show === "help" ? banner + usage : banner));
    return 0;
  }
  const { operands, options } = invocation;
  const reads = !invocation.command && (operands.length === 0 || options.get("stdin") === true);
  const interactive = options.get("interactive") ?? (reads && system.isatty(0) && system.isatty(2));
  const shell = new Interpreter(system, bash, interactive);
  const env = firstEnvironment(shell, called, environment);
  for (const [name, on] of options) env.options.set(name, on);
  for (const [name, on] of invocation.shellOptions) {
    if (on) env.shellOptions.add(name);
    else env.shellOptions.delete(name);
  }
  if (interactive) env.options.set("interactive", true);
  if (reads) env.options.set("stdin", true);
  if (invocation.command && bash) env.options.set("command", true);
  // An interrupt is for the command in the foreground.
  if (interactive) {
    system.onSignal(SIGINT, () => {
      shell.interrupted = true;
    });
    // As bash has it: what is asked of a shell in general is not for one that somebody uses.
    system.onSignal(SIGTERM, "ignore");
    atTerminal(shell, env);
  }
  const status = await shell.runToEnd(env, () => runScript(shell, env, invocation, reads));
  return finish(shell, env, status);
}

/** Job control and line editing, where there is a terminal for them. */
function atTerminal(shell: Interpreter, env: Environment): void {
  const control = JobControl.of(shell);
  if (control === undefined) return;
  shell.jobControl = control;
  env.options.set("monitor", true);
  shell.editor = new LineEditor(shell.system, control.terminal, (line) => completeWord(env, line));
}

/** Writing process substitutions end before the shell does. */
async function finish(shell: Interpreter, env: Environment, status: number): Promise<number> {
  const { system } = shell;
  if (shell.beside.hasOutliving) {
    env.descriptors.closeOpened(system.inheritedFds);
    await shell.beside.untilAllEnded();
  }
  return status & 0xff;
}

async function runScript(
  shell: Interpreter,
  env: Environment,
  invocation: Invocation,
  reads: boolean,
): Promise<number> {
  const { command, operands } = invocation;
  if (command) {
    const [text, name, ...positional] = operands;
    if (text === undefined) {
      if (!shell.bash) throw new ShellError("-c requires an argument");
      await env.descriptors
        .get(2)
        ?.write(encodeText(`${env.name}: -c: option requires an argument\n`));
      return 2;
    }
    if (name !== undefined) env.name = name;
    env.positional = positional;
    await startup(shell, env, invocation);
    return shell.runText(env, text, { last: !shell.interactive, origin: "-c: ", main: true });
  }
  if (reads) {
    env.positional = [...operands];
    await startup(shell, env, invocation);
    const input = env.descriptors.get(0);
    return input === undefined ? 0 : new InputScript(shell, env, input, shell.interactive).run();
  }
  const [path = "", ...positional] = operands;
  const text = await readScript(shell, env, path);
  env.name = path;
  env.positional = positional;
  await startup(shell, env, invocation);
  if (shell.bash) {
    env.frame = { name: "main", source: path, line: 0, isFunction: false, outer: undefined };
  }
  return shell.runText(env, text, { main: true });
}

async function readScript(shell: Interpreter, env: Environment, path: string): Promise<string> {
  const { bash, system } = shell;
  let fd = await system.open(env.resolve(path), O_RDONLY, 0);
  if (fd === -Errno.ENOENT && bash && !path.includes("/")) fd = await searchScript(env, path);
  if (fd < 0) {
    env.line = 0;
    if (!bash) throw new ShellError(`cannot open ${path}: ${fileErrorText(-fd, "open")}`);
    return failToRead(env, path, errorText(-fd), fd === -Errno.ENOENT ? 127 : 126);
  }
  const status = system.stat(env.resolve(path));
  const isDirectory = typeof status !== "number" && (status.mode & S_IFMT) === S_IFDIR;
  const text = await readAll(system, fd);
  system.close(fd);
  if (typeof text !== "number" && !isDirectory) return decodeText(text);
  const words = errorText(typeof text === "number" ? -text : Errno.EISDIR);
  if (bash) return failToRead(env, path, words, 126);
  throw new ShellError(`${path}: ${words}`, 126);
}

/** A script without a slash that is not here may be in PATH. */
async function searchScript({ shell, variables }: Environment, name: string): Promise<number> {
  for (const directory of (variables.value("PATH") ?? "").split(":")) {
    if (!directory.startsWith("/")) continue;
    const fd = await shell.system.open(`${directory}/${name}`, O_RDONLY, 0);
    if (fd >= 0) return fd;
  }
  return -Errno.ENOENT;
}

async function failToRead(
  env: Environment,
  path: string,
  words: string,
  status: number,
): Promise<never> {
  await env.descriptors.get(2)?.write(encodeText(`${env.name}: ${path}: ${words}\n`));
  throw new Exit(status);
}

/** The files that a shell reads before anything else. */
async function startup(
  shell: Interpreter,
  env: Environment,
  invocation: Invocation,
): Promise<void> {
  const home = env.variables.value("HOME") ?? "";
  if (invocation.login && !invocation.noprofile) {
    await readStartup(shell, env, "/etc/profile");
    const own = shell.bash ? [".bash_profile", ".bash_login", ".profile"] : [".profile"];
    for (const name of own) if (await readStartup(shell, env, `${home}/${name}`)) break;
  } else if (shell.interactive && shell.bash && !invocation.norc) {
    await readStartup(shell, env, invocation.rcfile ?? `${home}/.bashrc`);
  } else if (shell.interactive && !shell.bash) {
    const path = env.variables.value("ENV");
    if (path) await readStartup(shell, env, await expandDoubleQuoted(shell, env, path));
  }
  if (shell.interactive || !shell.bash) return;
  const path = env.variables.value("BASH_ENV");
  if (path) await readStartup(shell, env, await expandDoubleQuoted(shell, env, path));
}

async function readStartup(shell: Interpreter, env: Environment, path: string): Promise<boolean> {
  const { system } = shell;
  const fd = await system.open(env.resolve(path), O_RDONLY, 0);
  if (fd < 0) return false;
  const text = await readAll(system, fd);
  system.close(fd);
  if (typeof text === "number") return false;
  const { frame, returnDepth } = env;
  if (shell.bash) {
    env.frame = { name: "source", source: path, line: 0, isFunction: false, outer: frame };
  }
  env.returnDepth += 1;
  try {
    await shell.runText(env, decodeText(text));
  } catch (error) {
    if (error instanceof ShellError) await report(env, error);
    else if (!(error instanceof Return)) throw error;
  } finally {
    env.frame = frame;
    env.returnDepth = returnDepth;
  }
  return true;
}

/** Goes on where another shell could not fork: see resume.ts. */
async function resume(system: ShellSystem, fd: number): Promise<number> {
  const bytes = await readAll(system, fd);
  system.close(fd);
  let state;
  try {
    if (typeof bytes === "number") throw new ShellError("no shell state");
    state = restoreState(system, decodeText(bytes));
  } catch (error) {
    if (!(error instanceof ShellError)) throw error;
    await system.write(2, encodeText(`sh: 0: ${error.message}\n`));
    return 2;
  }
  const { command, env, shell } = state;
  for (const inherited of system.inheritedFds) {
    if (inherited !== fd) env.descriptors.set(inherited, new RealDescriptor(system, inherited));
  }
  const status = await shell.runToEnd(env, () => shell.execute(env, command, false));
  return finish(shell, env, status);
}

async function readAll(system: ShellSystem, fd: number): Promise<Uint8Array | number> {
  const chunks: Uint8Array[] = [];
  for (;;) {
    const bytes = await system.read(fd, 64 * 1024);
    if (typeof bytes === "number") return bytes;
    if (bytes.length === 0) return concatBytes(chunks);
    chunks.push(bytes.slice());
  }
}
