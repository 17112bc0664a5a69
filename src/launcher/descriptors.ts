/**
 * Owns the descriptors that a new process and this one talk over: a zygote's and a guest's.
 *
 * Invariant: all of a process's are made or none is, so that whoever is refused some has nothing to close.
 * Untrusted: nothing. Linux may refuse any of them, for a while.
 */
import { errnoName } from "../abi/errno.js";
import * as libc from "../sandbox/libc.js";

/** This process has no descriptors left for what is to be started. Later there may be some. */
export class DescriptorsExhausted extends Error {
  constructor(what: string, errno: number) {
    super(`there are no descriptors for ${what}: ${errnoName(errno) ?? `errno ${errno}`}`);
  }
}

export interface GuestDescriptors {
  /** This process's ends. */
  socket: number;
  stderr: number;
  /** What the guest gets, in the order of `ControlKind.fork`. */
  theirs: number[];
}

/**
 * What one guest is given, or -errno. The null device is opened for each: a common one would be
 * a place where guests of different machines see each other's file status flags.
 */
export function guestDescriptors(): GuestDescriptors | number {
  const ends = socketAndPipe(libc.O_NONBLOCK);
  if (typeof ends === "number") return ends;
  const nothing = libc.openReadWrite("/dev/null");
  if (nothing >= 0) {
    const { mine, theirs } = ends;
    return { socket: mine[0], stderr: mine[1], theirs: [...theirs, nothing] };
  }
  for (const fd of [...ends.mine, ...ends.theirs]) libc.close(fd);
  return nothing;
}

interface Ends {
  /** A socket, and a pipe to be read. */
  readonly mine: readonly [number, number];
  /** The socket's other end, and what is written to the pipe. */
  readonly theirs: readonly [number, number];
}

/** Control socket and stderr of a zygote. Throws `DescriptorsExhausted`. */
export function zygoteDescriptors(): Ends {
  const ends = socketAndPipe(0);
  if (typeof ends === "number") throw new DescriptorsExhausted("another zygote", -ends);
  return ends;
}

/** Or -errno. */
function socketAndPipe(pipeFlags: number): Ends | number {
  const pair = libc.socketpair(libc.SOCK_STREAM, libc.SOCK_CLOEXEC);
  if (typeof pair === "number") return pair;
  const pipe = libc.pipe2(libc.O_CLOEXEC | pipeFlags);
  if (typeof pipe !== "number") return { mine: [pair[0], pipe[0]], theirs: [pair[1], pipe[1]] };
  for (const fd of pair) libc.close(fd);
  return pipe;
}
