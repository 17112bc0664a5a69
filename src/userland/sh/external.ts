/** Owns the search for commands in PATH and their start as processes. */
import { Errno } from "../../abi/errno.js";
import { S_IFDIR, S_IFMT, S_IFREG, X_OK } from "../../abi/fcntl.js";
import { ShellError } from "./control.js";
import type { Environment } from "./environment.js";
import { fileErrorText } from "./errors.js";
import type { Interpreter } from "./interpreter.js";
import { SIGINT, SIGQUIT, signalNumber } from "./signals.js";

export const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Remembered places of commands, as `hash` shows them. Valid for one value of PATH. */
export class CommandHash {
  #path = "";
  readonly #entries = new Map<string, string>();

  /** The entries, empty when PATH has changed. */
  for(path: string): Map<string, string> {
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
  if (known !== undefined) return known;
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
    if (directory.startsWith("/")) remembered.set(name, path);
    return path;
  }
  return failure;
}

/** A command that could not be started: 127 when it is not there, 126 otherwise. */
export class StartFailure extends ShellError {
  constructor(name: string, result: number) {
    const missing = result === -Errno.ENOENT || result === -Errno.ENOTDIR;
    super(`${name}: ${fileErrorText(-result, "exec")}`, missing ? 127 : 126);
  }
}

/** The pid of the started command. Throws StartFailure. */
export async function startCommand(
  shell: Interpreter,
  env: Environment,
  argv: readonly string[],
  background = false,
  searchPath?: string,
): Promise<number> {
  const name = argv[0]!;
  let path = findCommand(shell, env, name, searchPath);
  if (typeof path === "number") throw new StartFailure(name, path);
  let pid = await spawn(shell, env, path, argv, background);
  if (pid === -Errno.ENOENT && path !== name) {
    // Remembered, but gone.
    shell.hash.for(searchPath ?? env.variables.value("PATH") ?? DEFAULT_PATH).delete(name);
    path = findCommand(shell, env, name, searchPath);
    if (typeof path === "number") throw new StartFailure(name, path);
    pid = await spawn(shell, env, path, argv, background);
  }
  if (pid === -Errno.ENOEXEC) {
    const [file, ...args] = shell.system.shellCommand;
    pid = await spawn(shell, env, file, [file, ...args, path, ...argv.slice(1)], background);
  }
  if (pid < 0) throw new StartFailure(name, isDirectory(shell, env, path) ? -Errno.EACCES : pid);
  return pid;
}

function isDirectory(shell: Interpreter, env: Environment, path: string): boolean {
  const status = shell.system.stat(env.resolve(path));
  return typeof status !== "number" && (status.mode & S_IFMT) === S_IFDIR;
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
    .filter(([, action]) => action === "")
    .map(([n]) => signalNumber(n));
  if (background && !jobControl) ignored.push(SIGINT, SIGQUIT);
  return shell.system.spawn({
    // As it was found: a script meets this name as its $0.
    file: path,
    argv,
    env: env.variables.exported(),
    cwd: env.cwd,
    fds,
    newProcessGroup: jobControl,
    ignoredSignals: ignored,
    resourceLimits: env.resourceLimits,
  });
}
