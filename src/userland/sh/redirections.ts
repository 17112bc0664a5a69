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
import type { Redirection } from "./ast.js";
import { ShellError } from "./control.js";
import type { Descriptor } from "./descriptors.js";
import { RealDescriptor, TextSource } from "./descriptors.js";
import type { Environment } from "./environment.js";
import { fileErrorText } from "./errors.js";
import { expandText } from "./expansion.js";
import type { Interpreter } from "./interpreter.js";
import { limits } from "./limits.js";
import { encodeText } from "./text.js";

export interface ExpandedRedirection {
  readonly fd: number;
  readonly operator: Redirection["operator"];
  readonly target: string;
}

export async function expandRedirections(
  shell: Interpreter,
  env: Environment,
  redirections: readonly Redirection[],
): Promise<ExpandedRedirection[]> {
  const expanded: ExpandedRedirection[] = [];
  for (const { fd, operator, target } of redirections) {
    const text = await expandText(shell, env, target);
    const standard = operator.startsWith("<") ? 0 : 1;
    expanded.push({ fd: fd ?? standard, operator, target: text });
  }
  return expanded;
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

  keep(): void {
    for (const [, descriptor] of this.#saved.splice(0)) descriptor?.release();
  }
}

/** Throws a ShellError, with everything put back, when one of them fails. */
export function applyRedirections(
  shell: Interpreter,
  env: Environment,
  redirections: readonly ExpandedRedirection[],
): SavedDescriptors {
  const saved = new SavedDescriptors(env);
  try {
    for (const redirection of redirections) applyOne(shell, env, redirection, saved);
  } catch (error) {
    saved.restore();
    throw error;
  }
  return saved;
}

function applyOne(
  shell: Interpreter,
  env: Environment,
  { fd, operator, target }: ExpandedRedirection,
  saved: SavedDescriptors,
): void {
  if (fd > limits.descriptor) throw new ShellError(`${fd}: Bad file descriptor`);
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
      const file = openTarget(shell, env, operator === "&>" ? ">" : ">>", target);
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
        if (source === undefined) throw new ShellError(`${target}: Bad file descriptor`);
        return replace(fd, source);
      }
      if (operator === "<&" || fd !== 1) throw new ShellError("Bad fd number");
      return applyOne(shell, env, { fd, operator: "&>", target }, saved);
    default:
      return replace(fd, openTarget(shell, env, operator, target));
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

function openTarget(
  shell: Interpreter,
  env: Environment,
  operator: keyof typeof flagsOf,
  target: string,
): Descriptor {
  // The numbers under /dev/fd are this environment's, which the system does not know.
  const own = ownDescriptor.exec(target);
  if (own !== null) {
    const number = own[1] ?? ["stdin", "stdout", "stderr"].indexOf(own[2]!);
    const descriptor = env.descriptors.get(Number(number));
    if (descriptor !== undefined) return descriptor;
  }
  let flags: number = flagsOf[operator];
  const path = env.resolve(target);
  if (operator === ">" && env.options.has("noclobber")) {
    const status = shell.system.stat(path);
    if (typeof status === "number") flags |= O_EXCL;
    else if ((status.mode & S_IFMT) === S_IFREG) failed(target, -Errno.EEXIST, "create");
    else flags &= ~O_CREAT;
  }
  shell.useUmask(env);
  const fd = target === "" ? -Errno.ENOENT : shell.system.open(path, flags, 0o666);
  if (fd < 0) failed(target, fd, operator === "<" ? "open" : "create");
  return new RealDescriptor(shell.system, fd);
}

function failed(target: string, result: number, tried: "open" | "create"): never {
  throw new ShellError(`cannot ${tried} ${target}: ${fileErrorText(-result, tried)}`);
}
