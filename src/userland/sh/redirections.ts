/**
 * Owns redirections: targets are expanded first, then the environment's
 * descriptors are changed, and afterwards put back.
 */
import { Errno } from "../../abi/errno.js";
import {
  O_APPEND,
  O_CREAT,
  O_EXCL,
  O_RDONLY,
  O_RDWR,
  O_TRUNC,
  O_WRONLY,
  S_IFMT,
  S_IFREG,
} from "../../abi/fcntl.js";
import type { Redirection, Word } from "./ast.js";
import { literalText } from "./ast.js";
import { ShellError } from "./control.js";
import type { Descriptor } from "./descriptors.js";
import { RealDescriptor, TextSource } from "./descriptors.js";
import type { Environment } from "./environment.js";
import { errorText, fileErrorText } from "./errors.js";
import { expandText, expandWords } from "./expansion.js";
import type { Interpreter } from "./interpreter.js";
import { limits } from "./limits.js";
import { elementValue } from "./parameters.js";
import { encodeText } from "./text.js";
import { wordText } from "./unparse.js";
import { elementName } from "./variables.js";

/** A redirection that failed: the command is not run, and that is all. */
export class RedirectionError extends ShellError {
  /** It has been reported already, on the standard error of that moment. */
  told = false;
}

/**
 * Expands and applies redirections: in bash one after the other, so that each sees
 * what the ones before it did, errors included; in dash all are expanded first.
 * Throws a RedirectionError, with everything put back, when one of them fails.
 */
export async function performRedirections(
  shell: Interpreter,
  env: Environment,
  redirections: readonly Redirection[],
): Promise<SavedDescriptors> {
  if (!shell.bash) {
    return applyRedirections(shell, env, await expandRedirections(shell, env, redirections));
  }
  const saved = new SavedDescriptors(env);
  try {
    for (const redirection of redirections) {
      const [expanded] = await expandRedirections(shell, env, [redirection]);
      await apply(shell, env, expanded!, saved);
    }
  } catch (error) {
    if (error instanceof RedirectionError) {
      await shell.complain(env, error.messageFor(true));
      error.told = true;
    }
    saved.restore();
    throw error;
  }
  return saved;
}

export interface ExpandedRedirection {
  readonly fd: number;
  /** The variable for the number that the shell is to choose. */
  readonly fdVariable?: string | undefined;
  readonly operator: Redirection["operator"];
  readonly target: string;
}

export async function expandRedirections(
  shell: Interpreter,
  env: Environment,
  redirections: readonly Redirection[],
): Promise<ExpandedRedirection[]> {
  const expanded: ExpandedRedirection[] = [];
  for (const { fd, fdVariable, operator, target } of redirections) {
    const text = await expandTarget(shell, env, operator, target);
    const standard = operator.startsWith("<") ? 0 : 1;
    expanded.push({ fd: fd ?? standard, fdVariable, operator, target: text });
  }
  return expanded;
}

/** In bash, the name of a file is split and matched, and must still be one word. */
async function expandTarget(
  shell: Interpreter,
  env: Environment,
  operator: Redirection["operator"],
  target: Word,
): Promise<string> {
  const isText = operator === "<<" || operator === "<<<";
  if (!shell.bash || isText || literalText(target) !== undefined) {
    const first = target.parts[0];
    const plain = first?.kind === "text" && !first.quoted ? first.text : "";
    if (!shell.bash || isText || !/[*?[{]/.test(plain)) return expandText(shell, env, target);
  }
  const fields = await expandWords(shell, env, [target]);
  if (fields.length === 1) return fields[0]!;
  throw new RedirectionError(`${wordText(target)}: ambiguous redirect`, 1);
}

/** What the descriptors were before; `restore` or `keep` must be called once. */
export class SavedDescriptors {
  readonly #saved: [fd: number, descriptor: Descriptor | undefined][] = [];

  constructor(readonly env: Environment) {}

  save(fd: number): void {
    this.#saved.push([fd, this.env.descriptors.get(fd)?.retain()]);
  }

  restore(): void {
    for (const [fd, descriptor] of this.#saved.splice(0).reverse()) {
      if (descriptor === undefined) this.env.descriptors.close(fd);
      else {
        this.env.descriptors.set(fd, descriptor);
        descriptor.release();
      }
    }
  }

  /** This one is to stay as it is now. */
  forget(fd: number): void {
    for (let at = this.#saved.length - 1; at >= 0; at--) {
      if (this.#saved[at]![0] !== fd) continue;
      this.#saved[at]![1]?.release();
      this.#saved.splice(at, 1);
    }
  }

  keep(): void {
    for (const [, descriptor] of this.#saved.splice(0)) descriptor?.release();
  }
}

/** Throws a ShellError, with everything put back, when one of them fails. */
export async function applyRedirections(
  shell: Interpreter,
  env: Environment,
  redirections: readonly ExpandedRedirection[],
): Promise<SavedDescriptors> {
  const saved = new SavedDescriptors(env);
  try {
    for (const redirection of redirections) await apply(shell, env, redirection, saved);
  } catch (error) {
    saved.restore();
    throw error;
  }
  return saved;
}

async function apply(
  shell: Interpreter,
  env: Environment,
  redirection: ExpandedRedirection,
  saved: SavedDescriptors,
): Promise<void> {
  const { fdVariable } = redirection;
  if (fdVariable === undefined) await applyOne(shell, env, redirection, saved);
  else await applyNamed(shell, env, redirection, fdVariable, saved);
}

/** The first number that bash gives to `{name}>`. */
const FIRST_NAMED = 10;

/** `{name}>file` stays open behind the command; `{name}>&-` closes the number that the variable holds. */
async function applyNamed(
  shell: Interpreter,
  env: Environment,
  redirection: ExpandedRedirection,
  name: string,
  saved: SavedDescriptors,
): Promise<void> {
  const element = elementName.exec(name);
  if (/^[<>]&$/.test(redirection.operator) && redirection.target === "-") {
    const held =
      element === null ? env.variables.value(name) : elementValue(env, element[1]!, element[2]!);
    if (held === undefined || !/^\d{1,9}$/.test(held)) {
      throw new RedirectionError(`${name}: Bad file descriptor`, 1);
    }
    return env.descriptors.close(Number(held));
  }
  let fd = FIRST_NAMED;
  while (env.descriptors.get(fd) !== undefined) fd += 1;
  await applyOne(shell, env, { ...redirection, fd }, saved);
  saved.forget(fd);
  if (element === null) env.assign(name, String(fd));
  else env.assignElement(element[1]!, element[2]!, String(fd));
}

async function applyOne(
  shell: Interpreter,
  env: Environment,
  { fd, operator, target }: ExpandedRedirection,
  saved: SavedDescriptors,
): Promise<void> {
  if (fd > limits.descriptor) throw new RedirectionError(`${fd}: Bad file descriptor`);
  const { descriptors } = env;
  const replace = (number: number, descriptor: Descriptor): void => {
    saved.save(number);
    descriptors.set(number, descriptor);
  };
  switch (operator) {
    case "<<":
      return replace(fd, new TextSource(shell.system, encodeText(target)));
    case "<<<":
      return replace(fd, new TextSource(shell.system, encodeText(`${target}\n`)));
    case "&>":
    case "&>>": {
      const file = await openTarget(shell, env, operator === "&>" ? ">" : ">>", target);
      replace(1, file);
      return replace(2, file);
    }
    case "<&":
    case ">&":
      if (target === "-") {
        saved.save(fd);
        return descriptors.close(fd);
      }
      if (/^\d{1,9}$/.test(target)) {
        const source = descriptors.get(Number(target));
        if (source === undefined) throw new RedirectionError(`${target}: Bad file descriptor`);
        return replace(fd, source);
      }
      if (shell.bash && /^\d{1,9}-$/.test(target)) {
        // Moves a descriptor.
        const number = Number(target.slice(0, -1));
        const source = descriptors.get(number);
        if (source === undefined) throw new RedirectionError(`${number}: Bad file descriptor`);
        replace(fd, source);
        saved.save(number);
        return descriptors.close(number);
      }
      if (operator === "<&" || fd !== 1) {
        throw new RedirectionError("Bad fd number", 2, {
          message: `${target}: ambiguous redirect`,
        });
      }
      return applyOne(shell, env, { fd, operator: "&>", target }, saved);
    default:
      return replace(fd, await openTarget(shell, env, operator, target));
  }
}

const flagsOf = {
  "<": O_RDONLY,
  ">": O_WRONLY | O_CREAT | O_TRUNC,
  ">|": O_WRONLY | O_CREAT | O_TRUNC,
  ">>": O_WRONLY | O_CREAT | O_APPEND,
  "<>": O_RDWR | O_CREAT,
} as const;

const ownDescriptor = /^\/dev\/(?:fd\/(\d{1,4})|(stdin|stdout|stderr))$/;

async function openTarget(
  shell: Interpreter,
  env: Environment,
  operator: keyof typeof flagsOf,
  target: string,
): Promise<Descriptor> {
  // The numbers under /dev/fd are this environment's, which the system does not know.
  const own = ownDescriptor.exec(target);
  if (own !== null) {
    const number = own[1] ?? ["stdin", "stdout", "stderr"].indexOf(own[2]!);
    const descriptor = env.descriptors.get(Number(number));
    if (descriptor !== undefined) return descriptor;
  }
  if (shell.bash && /^\/dev\/(?:tcp|udp)\/[^/]+\/[^/]+$/.test(target)) {
    throw new RedirectionError(
      `${target}: sockets are not available as redirections in this shell`,
    );
  }
  let flags: number = flagsOf[operator];
  const path = env.resolve(target);
  if (operator === ">" && env.options.has("noclobber")) {
    const status = shell.system.stat(path);
    if (typeof status === "number") flags |= O_EXCL;
    else if ((status.mode & S_IFMT) === S_IFREG)
      failed(target, -Errno.EEXIST, "create", "cannot overwrite existing file");
    else flags &= ~O_CREAT;
  }
  shell.useUmask(env);
  const fd = target === "" ? -Errno.ENOENT : await shell.system.open(path, flags, 0o666);
  if (fd < 0) failed(target, fd, operator === "<" ? "open" : "create");
  return new RealDescriptor(shell.system, fd);
}

function failed(
  target: string,
  result: number,
  tried: "open" | "create",
  bash = errorText(-result),
): never {
  throw new RedirectionError(`cannot ${tried} ${target}: ${fileErrorText(-result, tried)}`, 2, {
    message: `${target}: ${bash}`,
  });
}
