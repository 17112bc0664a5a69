/**
 * Owns how a process becomes another program: execve(2). `sh -c` asks for it before it is a shell, and goes on in
 * its OS process, unless that was another command before and is to be a program of the machine's user now; see
 * guest/programs/sole-command.ts. A program's `process.execve` leaves its own, of which nothing
 * is left in what follows.
 *
 * Invariants: what it becomes is judged as a spawn of the same file; after a failure the process is what it was;
 * at most one replacement of a process is under way. Where the OS process stays, this gives a guest nothing that
 * it could not do before: it changes what the kernel and other processes know of it, and what the policy leaves
 * of its environment.
 * Untrusted: everything that the guest says.
 */
import { Errno } from "../../abi/errno.js";
import type { StartOptions, guestCalls } from "../../protocol/guest-calls.js";
import type { CallArgs, CallResult } from "../../protocol/table.js";
import { Deferred } from "../io/deferred.js";
import type { Plan } from "../io/plan.js";
import {
  beginAnew,
  ignoredFrom,
  leaveKeptGuest,
  occupiedBy,
  openStandardDescriptors,
  optionsOf,
  startOptionsOf,
} from "./launch.js";
import { execution } from "./spawn.js";
import type { Prepared, SpawnArgs } from "./spawn.js";
import { executedNames } from "../policy/commands.js";
import type { Process } from "./process.js";

type Replaced = CallResult<typeof guestCalls, "exec">;
type Nothing = CallResult<typeof guestCalls, "execve">;
type ExecArgs = Pick<CallArgs<typeof guestCalls, "exec">, "file" | "argv" | "env">;

/** Who may: programs, and no process that the host or copies of it still ask things of. */
const replaceable: readonly StartOptions["mode"][] = ["program", "node", "wasm", "command"];

export function replace(process: Process, asked: ExecArgs): Plan<Replaced> | number {
  return judged<Replaced>(process, asked, (args, { image }, env) => {
    if (typeof image === "number") return image;
    const done = become(process, args, image, env);
    if (done < 0) return done;
    if (image.kind !== "command" && process.inKeptGuest)
      return movesOn<Replaced>(process, leaveKeptGuest);
    return { options: JSON.stringify(process.startOptions) };
  });
}

/** The same in another OS process. */
export function replaceAnew(process: Process, asked: ExecArgs): Plan<Nothing> | number {
  const { startOptions } = process;
  if (startOptions === undefined || !replaceable.includes(startOptions.mode)) return -Errno.EPERM;
  return judged<Nothing>(process, asked, (args, { image }, env) => {
    if (typeof image === "number") return image;
    if (process.restarting) return -Errno.EAGAIN;
    const done = become(process, args, image, env);
    if (done < 0) return done;
    return movesOn<Nothing>(process, beginAnew);
  });
}

/** Another OS process is asked for by `move`: not while the guest that goes is heard. The call ends with that one. */
function movesOn<R>(process: Process, move: (process: Process) => void): Deferred<R> {
  process.restarting = true;
  setImmediate(() => move(process));
  return new Deferred<R>();
}

/** What comes of it, or -errno. */
type Done<R> = R | number | Deferred<R>;

type Image = Exclude<Prepared["image"], number>;

/** The plan of `work`, with what is left of the environment. */
function judged<R>(
  process: Process,
  { file, argv, env }: ExecArgs,
  work: (args: SpawnArgs, prepared: Prepared, env: Record<string, string>) => Done<R>,
): Plan<R> | number {
  const args: SpawnArgs = {
    file,
    argv,
    env,
    cwd: "",
    fds: [],
    flags: 0,
    uid: -1,
    gid: -1,
    ignored: [],
    openFiles: -1,
    fileBytes: [],
  };
  return execution(process, args, (prepared) => {
    const kept = process.policy.filterEnv(prepared.environment, process.startOptions?.env, process);
    if (!(kept instanceof Deferred)) return work(args, prepared, kept);
    return kept.chain<R>((later) => work(args, prepared, typeof later === "number" ? {} : later));
  });
}

/** Answers 0 or -errno. */
function become(
  process: Process,
  args: SpawnArgs,
  image: Image,
  environment: Record<string, string>,
): number {
  const textBytes = occupiedBy(image.argv) + occupiedBy(args.env);
  if (process.ended || !process.account.grow(textBytes - process.textBytes)) return -Errno.EAGAIN;
  if (image.kind === "node") openStandardDescriptors(process);
  const options = startOptionsOf(process, optionsOf(image, environment));
  process.executedAs = executedNames(args.file, image.files);
  process.becomes(
    options,
    image.argv,
    textBytes,
    ignoredFrom(image.kind, image.name, process.inheritedIgnored),
  );
  return 0;
}
