/**
 * The entry of `sh` (and of `bash`, under that name): arguments, the first
 * environment, and where the script comes from.
 */
import { O_RDONLY } from "../../abi/fcntl.js";
import { ShellError } from "./control.js";
import { RealDescriptor } from "./descriptors.js";
import { Environment } from "./environment.js";
import { errorText, fileErrorText } from "./errors.js";
import { DEFAULT_PATH } from "./external.js";
import { InputScript } from "./input.js";
import { Interpreter } from "./interpreter.js";
import { isOptionName, optionOfLetter } from "./options.js";
import { restoreState } from "./resume.js";
import { SIGINT } from "./signals.js";
import type { ShellSystem } from "./system.js";
import { concatBytes, decodeText, encodeText } from "./text.js";
import { ShellArray, validName } from "./variables.js";

interface Invocation {
  readonly options: ReadonlyMap<string, boolean>;
  /** `-c` */
  readonly command: boolean;
  readonly operands: readonly string[];
}

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
    invocation = parseArguments(args, bash);
  } catch (error) {
    if (!(error instanceof ShellError)) throw error;
    await system.write(2, encodeText(`${called}: 0: ${error.message}\n`));
    return error.status;
  }
  const { operands, options } = invocation;
  const reads = !invocation.command && (operands.length === 0 || options.get("stdin") === true);
  const interactive = options.get("interactive") ?? (reads && system.isatty(0) && system.isatty(2));
  const shell = new Interpreter(system, bash, interactive);
  const env = firstEnvironment(system, called, environment);
  for (const [name, on] of options) env.options.set(name, on);
  if (interactive) env.options.set("interactive", true);
  if (reads) env.options.set("stdin", true);
  // An interrupt is for the command in the foreground.
  if (interactive) system.onSignal(SIGINT, () => {});
  const status = await shell.runToEnd(env, () => runScript(shell, env, invocation, reads));
  return status & 0xff;
}

async function runScript(
  shell: Interpreter,
  env: Environment,
  { command, operands }: Invocation,
  reads: boolean,
): Promise<number> {
  if (command) {
    const [text, name, ...positional] = operands;
    if (text === undefined) throw new ShellError("-c requires an argument");
    if (name !== undefined) env.name = name;
    env.positional = positional;
    return shell.runText(env, text, false, !shell.interactive);
  }
  if (reads) {
    env.positional = [...operands];
    const input = env.descriptors.get(0);
    return input === undefined ? 0 : new InputScript(shell, env, input, shell.interactive).run();
  }
  const [path, ...positional] = operands;
  const { system } = shell;
  const fd = system.open(env.resolve(path!), O_RDONLY, 0);
  if (fd < 0) {
    env.line = 0;
    throw new ShellError(
      `cannot open ${path}: ${fileErrorText(-fd, "open")}`,
      shell.bash ? 127 : 2,
    );
  }
  const text = await readAll(system, fd);
  system.close(fd);
  if (typeof text === "number") throw new ShellError(`${path}: ${errorText(-text)}`, 126);
  env.name = path!;
  env.positional = positional;
  if (shell.bash) env.variables.setArray("BASH_SOURCE", new ShellArray(false, [[0, path!]]));
  return shell.runText(env, decodeText(text), false);
}

/** Goes on where another shell could not fork: see resume.ts. */
async function resume(system: ShellSystem, fd: number): Promise<number> {
  const bytes = await readAll(system, fd);
  system.close(fd);
  let state;
  try {
    if (typeof bytes === "number") throw new ShellError("no shell state");
    state = restoreState(decodeText(bytes));
  } catch (error) {
    if (!(error instanceof ShellError)) throw error;
    await system.write(2, encodeText(`sh: 0: ${error.message}\n`));
    return 2;
  }
  const { bash, command, env } = state;
  const shell = new Interpreter(system, bash, false);
  for (const inherited of system.inheritedFds) {
    if (inherited !== fd) env.descriptors.set(inherited, new RealDescriptor(system, inherited));
  }
  return (await shell.runToEnd(env, () => shell.execute(env, command, false))) & 0xff;
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

function parseArguments(args: readonly string[], bash: boolean): Invocation {
  const options = new Map<string, boolean>();
  let command = false;
  let at = 0;
  for (; at < args.length; at++) {
    const argument = args[at]!;
    if (argument === "--" || argument === "-") {
      at += 1;
      break;
    }
    if (bash && /^--\w/.test(argument)) continue;
    if (!/^[-+]./.test(argument)) break;
    const on = argument.startsWith("-");
    for (const letter of argument.slice(1)) {
      if (letter === "c") command = true;
      else if (letter === "o" || (bash && letter === "O")) {
        const name = args[++at] ?? "";
        if (letter === "o" && !isOptionName(name))
          throw new ShellError(`Illegal option -o ${name}`);
        options.set(name, on);
      } else if (letter === "l") continue;
      else {
        const name = optionOfLetter(letter);
        if (name === undefined) throw new ShellError(`Illegal option -${letter}`);
        options.set(name, on);
      }
    }
  }
  return { options, command, operands: args.slice(at) };
}

function firstEnvironment(
  system: ShellSystem,
  called: string,
  environment: Readonly<Record<string, string>>,
): Environment {
  const env = new Environment();
  env.name = called;
  env.shellPid = system.pid;
  env.umask = system.umask(0o022);
  system.umask(env.umask);
  for (const fd of system.inheritedFds) env.descriptors.set(fd, new RealDescriptor(system, fd));
  const { variables } = env;
  for (const [name, value] of Object.entries(environment)) {
    if (!validName.test(name)) continue;
    variables.set(name, value);
    variables.setAttributes(name, { exported: true });
  }
  variables.set("IFS", " \t\n");
  variables.set("OPTIND", "1");
  variables.set("PPID", String(system.ppid));
  variables.set("PS1", "$ ");
  variables.set("PS2", "> ");
  variables.set("PS4", "+ ");
  if (variables.value("PATH") === undefined) variables.set("PATH", DEFAULT_PATH);
  env.cwd = startDirectory(system, variables.value("PWD"));
  variables.set("PWD", env.cwd);
  return env;
}

/** PWD, if it truly names the working directory: it may keep the links that led there. */
function startDirectory(system: ShellSystem, claimed: string | undefined): string {
  const actual = system.cwd();
  if (claimed === undefined || !claimed.startsWith("/") || /\/\.\.?(?:\/|$)/.test(claimed))
    return actual;
  const a = system.stat(claimed);
  const b = system.stat(actual);
  if (typeof a === "number" || typeof b === "number") return actual;
  return a.dev === b.dev && a.ino === b.ino ? claimed : actual;
}
