/**
 * Owns which commands the shell runs in its own process: those that nobody could tell from a process, and only while
 * nothing else runs in this one. A process for each is most of what a script of small commands costs.
 *
 * Invariants: the shell blocks for such a command, so nothing that it waits for may depend on the shell: no member of
 * a pipeline, no process substitution, no list in the background, no pipe of its own, no terminal; a signal that a trap would act on waits for a
 * command's end in any case, but must end the command, so there is none. Whether the file is the machine's own command
 * is the system's to say.
 */
import { plainCommands } from "../../protocol/programs.js";
import type { HereInput, HereOutput } from "../system.js";
import { Capture, RealDescriptor, TextSource } from "./descriptors.js";
import type { Descriptor } from "./descriptors.js";
import type { Environment } from "./environment.js";
import { DEFAULT_PATH, childEnvironment, findCommand } from "./external.js";
import type { Interpreter } from "./interpreter.js";
import { signalNumber } from "./signals.js";

/** What lies there is another thing to each process. */
const ownFiles = /(?:^|\/)(?:dev|proc)(?:\/|$)/;
/** Bytes of no character, which commands are told otherwise: see text.ts. */
const strayBytes = /\p{Surrogate}/u;
const asks = /^-[^-]*i|^--interactive/;
const readsTrees = /^-[^-]*[rR]|^--(?:recursive|dereference-recursive|directories)/;
/** Arguments with which a command asks, goes on without end, runs others, or takes more time than its start. */
const needProcess: Readonly<Record<string, RegExp>> = {
  cp: asks,
  egrep: readsTrees,
  fgrep: readsTrees,
  grep: readsTrees,
  ln: asks,
  mv: asks,
  rm: /^-[^-]*[iI]|^--interactive/,
  // `e`, alone or as a flag of `s`; a script in a file may have it as well.
  sed: /^-[^-]*f|^--file|^e|[^A-Za-z-][gpiImM\d]*e/,
  // What is sorted is as long as what came before it in its pipeline, and not a file.
  sort: /^[^-\d]|^-[^-]*[oTS]|^--[bcfopt]/,
  tail: /^-[^-]*[fF]|^--(?:f|p|r|s)/,
  touch: /^-$/,
};

/** Its status; undefined where it needs a process, and nothing has been done. */
export async function runHere(
  shell: Interpreter,
  env: Environment,
  argv: readonly string[],
  searchPath: string | undefined,
): Promise<number | undefined> {
  const { system } = shell;
  const name = argv[0]!.slice(argv[0]!.lastIndexOf("/") + 1);
  if (system.runHere === undefined || !plainCommands.has(name)) return undefined;
  if (!isAlone(shell, env) || !isPlain(name, argv, env)) return undefined;
  const [input, output, errors] = [0, 1, 2].map((fd) => env.descriptors.get(fd));
  const stdio = { input: inputOf(input), output: outputOf(output), errors: outputOf(errors) };
  if (stdio.input === undefined || stdio.output === undefined || stdio.errors === undefined)
    return undefined;
  // A here-document may be a file to whoever asks for its size.
  if (name === "wc" && env.turn === undefined && typeof stdio.input !== "number") return undefined;
  if (name === "sort" && typeof stdio.input === "number") return undefined;
  const file = findCommand(shell, env, argv[0]!, searchPath);
  if (typeof file === "number" || file.slice(file.lastIndexOf("/") + 1) !== name) return undefined;
  shell.useUmask(env);
  const status = await system.runHere({
    file: env.resolve(file),
    argv,
    env: childEnvironment(shell, env, file),
    cwd: env.cwd,
    input: stdio.input,
    output: stdio.output,
    errors: stdio.errors,
    turn: env.turn,
  });
  if (status === undefined) return undefined;
  const entry = shell.hash.for(searchPath ?? env.variables.value("PATH") ?? DEFAULT_PATH).get(name);
  if (entry !== undefined) entry.hits += 1;
  return status;
}

/** Whether nothing that the shell would block may be waited for. */
export function isAlone(shell: Interpreter, env: Environment): boolean {
  if (shell.interactive || !shell.beside.isNothing) return false;
  if (env.options.has("monitor") || env.foregroundJob !== undefined) return false;
  if (env.resourceLimits.size > 0 || env.fileBytes !== Infinity) return false;
  for (const trap of env.traps.keys()) if (signalNumber(trap) > 0) return false;
  return true;
}

function isPlain(name: string, argv: readonly string[], env: Environment): boolean {
  if (ownFiles.test(env.cwd)) return false;
  const pattern = needProcess[name];
  for (const word of argv.slice(1))
    if (ownFiles.test(word) || pattern?.test(word) === true || strayBytes.test(word)) return false;
  return true;
}

function inputOf(descriptor: Descriptor | undefined): HereInput | undefined {
  if (descriptor instanceof TextSource && descriptor.inMemory) return descriptor;
  return realOf(descriptor);
}

function outputOf(descriptor: Descriptor | undefined): HereOutput | undefined {
  if (descriptor instanceof Capture && descriptor.inMemory) return descriptor;
  return realOf(descriptor);
}

function realOf(descriptor: Descriptor | undefined): number | undefined {
  if (!(descriptor instanceof RealDescriptor)) return undefined;
  return descriptor.system.isatty(descriptor.fd) ? undefined : descriptor.fd;
}
