/**
 * Owns spawn and exec of the table: what is asked for, what is looked up, whom it has to be asked of, and the
 * descriptors that a child begins with.
 *
 * Invariants: everything is checked before anything is made; what fails has made nothing. Untrusted: all of the
 * arguments.
 */
import { basename } from "node:path/posix";
import { Errno } from "../../abi/errno.js";
import { isFileBytes } from "../../abi/resources.js";
import type { ResourceLimit } from "../../abi/resources.js";
import { SpawnDescriptor, SpawnFlags } from "../../protocol/guest-calls.js";
import { plainCommands } from "../../protocol/programs.js";
import type { guestCalls } from "../../protocol/guest-calls.js";
import type { Request } from "../../protocol/permissions.js";
import type { CallArgs, CallResult } from "../../protocol/table.js";
import { NullStream } from "../io/host-stream.js";
import { Plan } from "../io/plan.js";
import type { Outcome } from "../io/plan.js";
import { createSocketPair } from "../io/conduit.js";
import { terminalOf } from "../io/terminal.js";
import { limits } from "../limits.js";
import { executedNames, isMachineCommand } from "../policy/commands.js";
import { Last } from "../fs/index.js";
import type { Credentials } from "../fs/index.js";
import type { Description } from "./descriptors.js";
import { findImage } from "./image.js";
import type { Image } from "./image.js";
import { setForeground, takeTerminal } from "./job-control.js";
import { Process } from "./process.js";
import {
  bytesOf,
  enter,
  ignoredFrom,
  launch,
  noSource,
  occupiedBy,
  openStandardDescriptors,
  optionsOf,
  parseEnvironment,
} from "./launch.js";

type Spawned = CallResult<typeof guestCalls, "spawn">;

export type SpawnArgs = CallArgs<typeof guestCalls, "spawn">;

/** What a spawn comes to, checked and looked up but not begun. */
export interface Prepared {
  credentials: Credentials;
  environment: Record<string, string>;
  fileBytes: ResourceLimit;
  /** Or why there is none. */
  image: Image | number;
}

/** spawn of the table: the child's pid and the ends of new socket pairs. */
export function spawn(parent: Process, args: SpawnArgs): Plan<Spawned> | number {
  if ((args.flags & SpawnFlags.here) === 0)
    return execution(parent, args, (prepared) => start(parent, args, prepared));
  if (!mayRunCommands(parent)) return -Errno.EOPNOTSUPP;
  return execution(parent, args, (prepared) => runsItself(parent, args, prepared));
}

const ownScopes = ["fs", "childProcess", "process", "env"] as const;

/**
 * Whether it may be this process that runs the machine's commands. To rules, and to whoever hears what was asked, it
 * matters which command asks; and the order of a deterministic run is one of processes.
 */
function mayRunCommands({ policy, vm }: Process): boolean {
  return vm.deterministic === undefined && ownScopes.every((scope) => policy.allowsAll(scope));
}

/** It gets nothing by this that it had not: what the command does is asked for and judged as this process's own. */
function runsItself(parent: Process, args: SpawnArgs, { image }: Prepared): Spawned | number {
  const { budget, vm } = parent;
  if (typeof image === "number") return image;
  const { files, kind, name } = image;
  const isPlain = kind === "command" && files.length === 1 && plainCommands.has(name);
  if (!isPlain || name !== basename(args.file)) return -Errno.ENOEXEC;
  if (vm.disposed || vm.processes.isFull || budget.isFull) return -Errno.EAGAIN;
  // In a bill it is what it is to who wrote the script.
  budget.bill.count("processes");
  budget.bill.count("threads");
  return { pid: 0, ends: [] };
}

/** The plan of `work` with what `args` come to, for which `parent` has to be allowed to have it executed. */
export function execution<R>(
  parent: Process,
  args: SpawnArgs,
  work: (prepared: Prepared) => Outcome<R>,
): Plan<R> | number {
  const prepared = prepare(parent, args);
  if (typeof prepared === "number") return prepared;
  const files = fileRequests(parent, args, prepared);
  const requests = [...files, ...spawnRequests(args, prepared)];
  return new Plan<R>(requests, () => work(prepared), {
    resources: files.map(() => args.file),
    about: foundBy(prepared),
    again: () => parent.fs.bounded(() => execution(parent, args, work)),
  });
}

/** A command that the machine has not, for the host's executor. */
function hostImage(name: string, argv: readonly string[]): Image {
  return { kind: "host", name, argv: [...argv], files: [{ path: name, program: "" }] };
}

/** What the names of an execution stand for. */
function foundBy({ image, credentials }: Prepared): string[] {
  const files = typeof image === "number" ? [] : image.files;
  return [credentials.cwd, ...files.flatMap(({ path, program }) => [path, program ?? ""])];
}

/** Checks what a guest asks for and looks up what it names, and changes nothing. */
function prepare(parent: Process, args: SpawnArgs): Prepared | number {
  const { vm } = parent;
  const { argv, env, fds } = args;
  if (argv.length > limits.arguments || env.length > limits.arguments) return -Errno.E2BIG;
  if (bytesOf(argv) + bytesOf(env) > vm.limits.argumentBytes) return -Errno.E2BIG;
  if (fds.length > vm.limits.openFiles) return -Errno.EMFILE;
  if (args.ignored.length > 64) return -Errno.EINVAL;
  // Nobody here may raise a limit; setrlimit(2).
  if (args.openFiles > parent.descriptors.limit) return -Errno.EPERM;
  const fileBytes = fileBytesOf(parent, args);
  if (typeof fileBytes === "number") return fileBytes;
  const credentials = { ...parent.credentials };
  if (args.cwd !== "") {
    // A relative name means a file below the child's directory.
    const cwd = enter(vm, credentials, args.cwd);
    if (typeof cwd === "number") return cwd;
    credentials.cwd = cwd;
  }
  // Only root may become somebody else, and nobody here is root.
  if (args.uid !== -1 && args.uid !== credentials.uid) return -Errno.EPERM;
  if (args.gid !== -1 && args.gid !== credentials.gid) return -Errno.EPERM;
  const environment = parseEnvironment(env);
  const found = findImage(vm.fs, credentials, args.file, argv, environment["PATH"]);
  const isForHost = found === -Errno.ENOENT && vm.tools.executor && !args.file.includes("/");
  const image = isForHost && args.file !== "" ? hostImage(args.file, argv) : found;
  return { credentials, environment, fileBytes, image };
}

/** The child's RLIMIT_FSIZE: at most as much as its parent might have itself. */
function fileBytesOf(parent: Process, { fileBytes }: SpawnArgs): ResourceLimit | number {
  if (fileBytes.length === 0) return parent.fileBytes;
  const [soft = -1, hard = -1] = fileBytes;
  const isLimit = isFileBytes(soft) && isFileBytes(hard) && soft <= hard;
  if (fileBytes.length !== 2 || !isLimit) return -Errno.EINVAL;
  return hard <= parent.fileBytes.hard ? { soft, hard } : -Errno.EPERM;
}

/** To execute a file, or to work in a directory, one has to see it. */
function fileRequests(parent: Process, args: SpawnArgs, prepared: Prepared): Request[] {
  const { policy, vm } = parent;
  if (policy.allowsAll("fs")) return [];
  const { credentials, image } = prepared;
  const paths = args.cwd === "" ? [] : [credentials.cwd];
  if (typeof image !== "number" && image.kind !== "host") {
    const { path } = image.files[0];
    // What PATH finds among the machine's own commands is no secret.
    if (args.file.includes("/") || !isMachineCommand(path)) paths.push(path);
  } else if (typeof image === "number" && args.file.includes("/")) {
    const located = vm.fs.locate(credentials, args.file, Last.Follow);
    if (typeof located !== "number") paths.push(located.path);
  }
  return paths.map((path) => ({ scope: "fs", operation: "stat", path }));
}

/** One request for each name under which the policy has to allow what would run. */
function spawnRequests(args: SpawnArgs, { credentials, environment, image }: Prepared): Request[] {
  const common = {
    scope: "childProcess",
    operation: "spawn",
    args: args.argv.slice(1),
    cwd: args.cwd === "" ? credentials.cwd : args.cwd,
    env: environment,
  } as const;
  // Of the host's commands the machine knows no more than the name.
  if (typeof image === "number" || image.kind === "host")
    return [{ ...common, command: args.file }];
  return executedNames(args.file, image.files).map((name) => ({ ...common, ...name }));
}

function start(parent: Process, args: SpawnArgs, prepared: Prepared): Spawned | number {
  const { vm } = parent;
  if (vm.disposed || vm.processes.isFull || parent.budget.isFull) return -Errno.EAGAIN;
  // A signal pending before fork ends the fork; copy_process in kernel/fork.c.
  if (parent.dying) return -Errno.EINTR;
  const { credentials, environment, fileBytes, image } = prepared;
  if (typeof image === "number") return image;
  const textBytes = occupiedBy(image.argv) + occupiedBy(args.env);
  if (!vm.processes.hasRoom(textBytes)) return -Errno.EAGAIN;

  const handed = handDown(parent, args.fds);
  if (typeof handed === "number") return handed;

  const pid = vm.processes.allocatePid();
  const session = (args.flags & SpawnFlags.newSession) !== 0;
  const group = session || (args.flags & SpawnFlags.newProcessGroup) !== 0;
  const inheritedIgnored = args.ignored.filter((signal) => signal > 0 && signal <= 64);
  const child = new Process(vm, credentials, {
    pid,
    ppid: parent.pid,
    processGroup: group ? pid : parent.processGroup,
    session: session ? pid : parent.session,
    argv: image.argv,
    ignored: ignoredFrom(image.kind, image.name, inheritedIgnored),
    budget: parent.budget,
    inheritedIgnored,
    textBytes,
    openFilesLimit: args.openFiles < 0 ? parent.descriptors.limit : args.openFiles,
    fileBytes,
  });
  child.executedAs = executedNames(args.file, image.files);
  child.nice = parent.nice;
  vm.processes.add(child);
  handed.descriptions.forEach((description, fd) => {
    if (description !== undefined) child.descriptors.put(fd, description);
  });
  if (image.kind === "node") openStandardDescriptors(child);
  takesTerminal(parent, child, args.flags);
  vm.lookAtLimits();
  const options = optionsOf(image, environment);
  const engine = vm.engine === "dedicated" && { engineFlags: [] };
  launch(child, { ...options, ...engine }, noSource, { inherited: parent.startOptions?.env });
  // The stop of its group came while this call was on its way, and is the child's as well.
  if (parent.stopped && child.processGroup === parent.processGroup) {
    child.signal(parent.stopSignal, "terminal");
  }
  return { pid, ends: handed.ends };
}

/** Before the child runs, so that it never finds itself in the background of its own terminal. */
function takesTerminal(parent: Process, child: Process, flags: number): void {
  const own = terminalOf(child.descriptors.get(0));
  if ((flags & SpawnFlags.controllingTerminal) !== 0 && own !== undefined) takeTerminal(child, own);
  if ((flags & SpawnFlags.foreground) === 0) return;
  const terminal = parent.vm.terminals.controlling(parent.session);
  if (terminal !== undefined) setForeground(parent, terminal, child.processGroup);
}

/** What the child's descriptors will be, one reference each, and the parent's ends of new pairs. */
function handDown(
  parent: Process,
  fds: readonly number[],
): { descriptions: (Description | undefined)[]; ends: number[] } | number {
  const descriptions: (Description | undefined)[] = [];
  const ends: number[] = [];
  const undo = (errno: number): number => {
    for (const taken of descriptions) taken?.unref();
    for (const end of ends) if (end >= 0) parent.descriptors.close(end);
    return errno;
  };
  for (const fd of fds) {
    let description: Description | undefined;
    let end = -1;
    if (fd === SpawnDescriptor.null) description = new NullStream();
    else if (fd === SpawnDescriptor.pair) {
      const pair = createSocketPair(parent.vm.transit);
      if (typeof pair === "number") return undo(pair);
      const [mine, theirs] = pair;
      description = theirs;
      end = parent.descriptors.add(mine);
      if (end < 0) {
        theirs.unref();
        return undo(end);
      }
    } else if (fd !== SpawnDescriptor.closed) {
      description = parent.descriptors.get(fd);
      if (description === undefined) return undo(-Errno.EBADF);
      description.ref();
    }
    descriptions.push(description);
    ends.push(end);
  }
  return { descriptions, ends };
}
