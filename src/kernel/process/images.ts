/**
 * Owns the images that native addons are loaded from: a sealed copy in memory of a file that a process has open, or of
 * a part of the libc, for the one thread that asked.
 *
 * Invariants: all images of a machine together have at most as much as one process may have in memory; an image's
 * memory goes back when it is closed, whatever the guest still holds; what was open is read as the process itself could read it.
 * Untrusted: descriptor, name, and how large a file is.
 */
import { Errno } from "../../abi/errno.js";
import { S_IFMT, S_IFREG } from "../../abi/fcntl.js";
import type { guestCalls } from "../../protocol/guest-calls.js";
import type { CallArgs } from "../../protocol/table.js";
import * as libc from "../../sandbox/libc.js";
import { SealedFile } from "../../sandbox/sealed-file.js";
import type { OpenFile } from "../fs/index.js";
import type { Deferred } from "../io/deferred.js";
import { inSteps } from "../io/steps.js";
import type { Steps } from "../io/steps.js";
import type { Account } from "../machine/account.js";
import { systemLibrary } from "../machine/system-libraries.js";
import { Stream } from "../io/stream.js";
import type { DescriptorTable } from "./descriptors.js";

const pieceBytes = 256 * 1024;
/** Of all copies: none keeps anything in it from one step to the next. */
const piece = Buffer.allocUnsafeSlow(pieceBytes);

/** What the images of one machine have together. */
export class ImageRoom {
  readonly #account: Account;
  readonly #mostBytes: number;
  #bytes = 0;

  constructor(account: Account, mostBytes: number) {
    this.#account = account;
    this.#mostBytes = mostBytes;
  }

  take(bytes: number): boolean {
    if (this.#bytes + bytes > this.#mostBytes || !this.#account.take("image")) return false;
    this.#bytes += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#bytes -= bytes;
    this.#account.give("image");
  }
}

export class Image {
  /** For reading; open until it is closed, however often it was sent. */
  readonly fd: number;
  readonly #close: () => void;

  constructor(fd: number, close: () => void) {
    this.fd = fd;
    this.#close = close;
  }

  /** Once. */
  close(): void {
    this.#close();
  }
}

/** What an image needs of a process. */
interface ImageOwner {
  readonly account: Account;
  readonly descriptors: DescriptorTable;
  readonly vm: { readonly nativeAddons: boolean; readonly images: ImageRoom };
}

/** An image of `library`, or of what `fd` names when that is empty. */
export function imageOf(
  owner: ImageOwner,
  { fd, library }: CallArgs<typeof guestCalls, "image">,
): Image | number | Deferred<Image> {
  const { account, descriptors, vm } = owner;
  if (!vm.nativeAddons) return -Errno.EPERM;
  if (library !== "") {
    const bytes = systemLibrary(library);
    return typeof bytes === "number"
      ? bytes
      : inSteps(account, filled(vm.images, bytes.byteLength, ofBytes(bytes)));
  }
  const file = descriptors.get(fd);
  if (file === undefined) return -Errno.EBADF;
  if (file instanceof Stream) return -Errno.EINVAL;
  const { mode, size } = file.stat();
  if ((mode & S_IFMT) !== S_IFREG) return -Errno.EACCES;
  file.ref();
  return inSteps(account, filled(vm.images, size, ofFile(file, size)));
}

type Pieces = Generator<Uint8Array, number, void>;

function* ofBytes(bytes: Uint8Array): Pieces {
  yield bytes;
  return 0;
}

/** What it held when it was looked at, and no more. */
function* ofFile(file: OpenFile, size: number): Pieces {
  try {
    for (let at = 0; at < size;) {
      const read = file.read(piece.subarray(0, Math.min(pieceBytes, size - at)), at);
      if (read <= 0) return read;
      yield piece.subarray(0, read);
      at += read;
    }
    return 0;
  } finally {
    file.unref();
  }
}

/** Takes its room first; gives it back when the image is closed or never comes to be. */
function* filled(room: ImageRoom, size: number, pieces: Pieces): Steps<Image> {
  let sealed: SealedFile | number = -Errno.ENOMEM;
  let made: Image | undefined;
  const taken = room.take(size);
  const giveBack = (): void => {
    if (typeof sealed !== "number") sealed.close();
    if (taken) room.give(size);
  };
  try {
    if (taken) sealed = SealedFile.make();
    if (typeof sealed === "number") return sealed;
    for (;;) {
      const next = pieces.next();
      if (next.done === true) {
        if (next.value < 0) return next.value;
        break;
      }
      const written = sealed.write(next.value);
      if (written < 0) return written;
      yield;
    }
    const fd = sealed.seal();
    if (fd < 0) return fd;
    made = new Image(fd, () => {
      libc.close(fd);
      giveBack();
    });
    return made;
  } finally {
    pieces.return(0);
    if (made === undefined) giveBack();
  }
}
