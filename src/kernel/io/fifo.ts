/**
 * Owns the opening of fifos, as fifo(7) and fifo_open() of Linux have it: who opens one side waits for
 * somebody on the other.
 *
 * Invariants: the pipe behind a name is there while anybody has it open or waits to; a clone of the file
 * system has the name and none of the pipe; nobody waits who asked not to.
 * Untrusted: flags. Permission to open has been judged.
 */
import { Errno } from "../../abi/errno.js";
import { O_ACCMODE, O_NONBLOCK, O_RDONLY, O_WRONLY } from "../../abi/fcntl.js";
import type { Fifo, OpenFile } from "../fs/index.js";
import type { Account } from "../machine/account.js";
import { Deferred } from "./deferred.js";
import { Pipe, PipeEnd } from "./pipe.js";
import type { Stream } from "./stream.js";

const pipes = new WeakMap<Fifo, Pipe>();

/**
 * The end that `file`, just opened, stands for; -errno, or a wait. Takes over the reference. With `now`,
 * -EAGAIN in place of a wait, with no effect.
 */
export function openFifo(
  file: OpenFile,
  fifo: Fifo,
  account: Account,
  now: boolean,
): Stream | number | Deferred<Stream> {
  const mode = file.flags & O_ACCMODE;
  const reads = mode !== O_WRONLY;
  const writes = mode !== O_RDONLY;
  const nonBlocking = (file.flags & O_NONBLOCK) !== 0;
  const present = pipes.get(fifo);
  const alone = (reads ? present?.writers : present?.readers) ?? 0;
  const waits = !(reads && writes) && alone === 0 && !(nonBlocking && reads);
  const refused = !waits ? 0 : nonBlocking ? Errno.ENXIO : now ? Errno.EAGAIN : 0;
  const pipe = refused === 0 ? (present ?? Pipe.make(account, () => pipes.delete(fifo))) : present;
  if (refused !== 0 || pipe === undefined) {
    file.unref();
    return -(refused || Errno.ENFILE);
  }
  pipes.set(fifo, pipe);
  const before = reads ? pipe.writersEver : pipe.readersEver;
  const end = new PipeEnd(pipe, { reads, writes, nonBlocking, file });
  if (!waits) return end;
  const deferred = new Deferred<Stream>();
  let stop = (): void => undefined;
  const look = (): void => {
    if ((reads ? pipe.writersEver : pipe.readersEver) === before) stop = pipe.opened.add(look);
    else deferred.settle(end);
  };
  look();
  deferred.onCancel(() => {
    stop();
    end.unref();
  });
  return deferred;
}
