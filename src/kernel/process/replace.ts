/**
 * Owns how a process becomes another program: execve(2). Only `sh -c` asks for it; see guest/programs/sole-command.ts.
 *
 * Invariants: what it becomes is judged as a spawn of the same file; after a failure the process is what it was.
 * Its OS process stays, so this gives a guest nothing that it could not do before: it changes what the kernel
 * and other processes know of it, and what the policy leaves of its environment.
 * Untrusted: everything that the guest says.
 */
import { Errno } from "../../abi/errno.js";
import type { guestCalls } from "../../protocol/guest-calls.js";
import type { CallArgs, CallResult } from "../../protocol/table.js";
import { Deferred } from "../io/deferred.js";
import type { Plan } from "../io/plan.js";
import {
  execution,
  ignoredFrom,
  occupiedBy,
  openStandardDescriptors,
  optionsOf,
  startOptionsOf,
} from "./launch.js";
import type { Prepared, SpawnArgs } from "./launch.js";
import { executedNames } from "../policy/commands.js";
import type { Process } from "./process.js";

type Replaced = CallResult<typeof guestCalls, "exec">;

export function replace(
  process: Process,
  { file, argv, env }: CallArgs<typeof guestCalls, "exec">,
): Plan<Replaced> | number {
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
  };
  return execution(process, args, (prepared) => {
    const kept = process.policy.filterEnv(prepared.environment, process.startOptions?.env, process);
    if (!(kept instanceof Deferred)) return become(process, args, prepared, kept);
    return kept.chain<Replaced>((later) =>
      become(process, args, prepared, typeof later === "number" ? {} : later),
    );
  });
}

function become(
  process: Process,
  args: SpawnArgs,
  { image }: Prepared,
  environment: Record<string, string>,
): Replaced | number {
  if (typeof image === "number") return image;
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
  return { options: JSON.stringify(options) };
}
