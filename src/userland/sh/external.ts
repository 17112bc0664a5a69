/** Owns the search for commands in PATH and their start as processes. */
import { nativeProgramHint } from "../../protocol/native-programs.js";
import { Errno } from "../../abi/errno.js";
import { S_IFDIR, S_IFMT, S_IFREG, X_OK } from "../../abi/fcntl.js";
import { ShellError } from "./control.js";
import type { Environment } from "./environment.js";
import { errorText, fileErrorText } from "./errors.js";
import type { Interpreter } from "./interpreter.js";
import { SIGINT, SIGQUIT, signalNumber } from "./signals.js";
import { functionText } from "./unparse.js";

export const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Remembered places of commands, as `hash` shows them. Valid for one value of PATH. */
export interface HashEntry {
  readonly path: string;
  hits: number;
}

export class CommandHash {
  #path = "";
  readonly #entries = new Map<string, HashEntry>();

  /** The entries, empty when PATH has changed. */
  for(path: string): Map<string, HashEntry> {
    if (path !== this.#path) {
      this.#entries.clear();
      this.#path = path;
    }
    return this.#entries;
  }
}

/** The path to execute, or `-errno`. A name with a slash is taken as it is. */
export function findCommand(
  shell: Interpreter,
  env: Environment,
  name: string,
  searchPath = env.variables.value("PATH"),
): string | number {
  if (name.includes("/")) return name;
  if (name === "" || searchPath === undefined) return -Errno.ENOENT;
  const remembered = shell.hash.for(searchPath);
  const known = remembered.get(name);
  if (known !== undefined) return known.path;
  let failure = -Errno.ENOENT;
  for (const directory of searchPath.split(":")) {
    const path = directory === "" ? `./${name}` : `${directory}/${name}`;
    const status = shell.system.stat(env.resolve(path));
    if (typeof status === "number" || (status.mode & S_IFMT) !== S_IFREG) continue;
    if (shell.system.access(env.resolve(path), X_OK) < 0) {
      failure = -Errno.EACCES;
      continue;
    }
    // What is found relative to the working directory is not there in another one.
    if (directory.startsWith("/")) remembered.set(name, { path, hits: 0 });
    return path;
  }
  return failure;
}

/** A command that could not be started: 127 when it is not there, 126 otherwise. */
export class StartFailure extends ShellError {
  constructor(name: string, result: number, bash = errorText(-result)) {
    const missing = result === -Errno.ENOENT || result === -Errno.ENOTDIR;
    const unknown = result === -Errno.ENOENT && !name.includes("/");
    super(`${name}: ${fileErrorText(-result, "exec")}`, missing ? 127 : 126, {
      message: `${name}: ${unknown ? "command not found" : bash}`,
      status: missing ? 127 : 126,
    });
  }
}

export interface StartOptions {
  readonly background?: boolean;
  readonly searchPath?: string | undefined;
  /** `exec -a`: the name the command is told. */
  readonly calledAs?: string | undefined;
}

/** As `findCommand`; what PATH has not is left to the system where that may know it. */
function fileToStart(
  shell: Interpreter,
  env: Environment,
  name: string,
  searchPath: string | undefined,
): string | number {
  const path = findCommand(shell, env, name, searchPath);
  const isLeft = path === -Errno.ENOENT && name !== "" && shell.system.hostCommands === true;
  return isLeft ? name : path;
}

/** The pid of the started command. Throws StartFailure. */
export async function startCommand(
  shell: Interpreter,
  env: Environment,
  words: readonly string[],
  { background = false, calledAs, searchPath }: StartOptions = {},
): Promise<number> {
  const name = words[0]!;
  const argv = calledAs === undefined ? words : [calledAs, ...words.slice(1)];
  let path = fileToStart(shell, env, name, searchPath);
  if (typeof path === "number") throw new StartFailure(name, path);
  let pid = await spawn(shell, env, path, argv, background);
  if (pid === -Errno.ENOENT && path !== name) {
    // Remembered, but gone.
    shell.hash.for(searchPath ?? env.variables.value("PATH") ?? DEFAULT_PATH).delete(name);
    path = fileToStart(shell, env, name, searchPath);
    if (typeof path === "number") throw new StartFailure(name, path);
    pid = await spawn(shell, env, path, argv, background);
  }
  if (pid === -Errno.ENOEXEC && !(await isBinary(shell, env, path))) {
    const [file, ...args] = shell.system.shellCommand;
    pid = await spawn(shell, env, file, [file, ...args, path, ...argv.slice(1)], background);
  }
  if (pid < 0) throw startFailure(shell, env, name, path, pid);
  const entry = shell.hash.for(searchPath ?? env.variables.value("PATH") ?? DEFAULT_PATH).get(name);
  if (entry !== undefined) entry.hits += 1;
  return pid;
}

function startFailure(
  shell: Interpreter,
  env: Environment,
  name: string,
  path: string,
  result: number,
): StartFailure {
  if (isDirectory(shell, env, path)) return new StartFailure(name, -Errno.EACCES, "Is a directory");
  const exists = typeof shell.system.stat(env.resolve(path)) !== "number";
  if (shell.bash && result === -Errno.ENOENT && exists) {
    return new StartFailure(name, -Errno.ENOTDIR, "cannot execute: required file not found");
  }
  if (result === -Errno.ENOEXEC) {
    const reason = `cannot execute binary file: Exec format error (${nativeProgramHint(path)})`;
    return new StartFailure(name, result, reason);
  }
  return new StartFailure(name, result);
}

/** As bash tells a program of another system from a script: a zero byte in the first line. */
async function isBinary(shell: Interpreter, env: Environment, path: string): Promise<boolean> {
  const fd = await shell.system.open(env.resolve(path), 0, 0);
  if (fd < 0) return false;
  const head = await shell.system.read(fd, 80);
  shell.system.close(fd);
  if (typeof head === "number") return false;
  const end = head.indexOf(10);
  return (end === -1 ? head : head.subarray(0, end)).includes(0);
}

function isDirectory(shell: Interpreter, env: Environment, path: string): boolean {
  const status = shell.system.stat(env.resolve(path));
  return typeof status !== "number" && (status.mode & S_IFMT) === S_IFDIR;
}

/** Variables; in bash also functions, and the path of the command as `_`. */
export function childEnvironment(shell: Interpreter, env: Environment, path: string): string[] {
  const variables = env.variables.exported();
  if (!shell.bash) return variables;
  const strings = variables.filter((one) => !one.startsWith("_="));
  for (const [name, { body, exported }] of env.functions) {
    if (exported !== true) continue;
    const text = functionText(name, body)
      .trimEnd()
      .slice(name.length + 1);
    strings.push(`BASH_FUNC_${name}%%=${text.replace("\n{ \n    ", "{  ")}`);
  }
  strings.push(`_=${path}`);
  return strings;
}

export async function spawn(
  shell: Interpreter,
  env: Environment,
  path: string,
  argv: readonly string[],
  background: boolean,
  extraFds: ReadonlyMap<number, number> = new Map(),
): Promise<number> {
  const fds = env.descriptors.forChild();
  if (typeof fds === "number") return fds;
  for (const [fd, real] of extraFds) fds.set(fd, real);
  shell.useUmask(env);
  const jobControl = env.options.has("monitor");
  const ignored = [...env.traps]
    .filter(([name, action]) => action === "" && signalNumber(name) > 0)
    .map(([name]) => signalNumber(name));
  if (background && !jobControl) ignored.push(SIGINT, SIGQUIT);
  const foreground = background ? undefined : env.foregroundJob;
  const pid = await shell.system.spawn({
    // As it was found: a script meets this name as its $0.
    file: path,
    argv,
    env: childEnvironment(shell, env, path),
    cwd: env.cwd,
    fds,
    newProcessGroup: jobControl && (background || !env.isSubshell || foreground !== undefined),
    foreground: foreground?.group === 0,
    ignoredSignals: ignored,
    resourceLimits: env.resourceLimits,
  });
  if (pid > 0 && foreground !== undefined) shell.jobControl?.started(foreground, pid);
  return pid;
}
