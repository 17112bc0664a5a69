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
import type { Deferred } from "./deferred.js";
import { inSteps, step } from "./steps.js";
import type { Steps } from "./steps.js";
import type { Account } from "../machine/account.js";
import { systemLibrary } from "./system-libraries.js";
import { Stream } from "./stream.js";
import type { DescriptorTable } from "../process/descriptors.js";

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
    if (typeof bytes === "number") return bytes;
    return inSteps(account, filled(vm.images, bytes.byteLength, ofBytes(bytes)));
  }
  const file = descriptors.get(fd);
  if (file === undefined) return -Errno.EBADF;
  if (file instanceof Stream) return -Errno.EINVAL;
  return inSteps(account, ofFile(vm.images, file));
}

/** What it holds when it is looked at, and no more. */
function* ofFile(room: ImageRoom, file: OpenFile): Steps<Image> {
  file.ref();
  try {
    const stat = yield* step(() => file.stat());
    if (typeof stat === "number") return stat;
    const { mode, size } = stat;
    if ((mode & S_IFMT) !== S_IFREG) return -Errno.EACCES;
    return yield* filled(room, size, (sealed, at) => {
      const bytes = file.read(piece.subarray(0, Math.min(pieceBytes, size - at)), at);
      const failed = bytes > 0 ? sealed.write(piece.subarray(0, bytes)) : 0;
      return failed < 0 ? failed : bytes;
    });
  } finally {
    file.unref();
  }
}

/** Writes the next piece, that from `at` on: how many bytes, none at the end, or -errno. */
type Fill = (sealed: SealedFile, at: number) => number;

const ofBytes =
  (bytes: Uint8Array): Fill =>
  (sealed, at) =>
    at > 0 ? 0 : sealed.write(bytes) || bytes.byteLength;

/** Takes its room first; gives it back when the image is closed or never comes to be. */
function* filled(room: ImageRoom, size: number, fill: Fill): Steps<Image> {
  if (!room.take(size)) return -Errno.ENOMEM;
  const sealed = SealedFile.make();
  let made: Image | undefined;
  const giveBack = (): void => {
    if (typeof sealed !== "number") sealed.close();
    room.give(size);
  };
  try {
    if (typeof sealed === "number") return sealed;
    for (let at = 0; at < size;) {
      const from = at;
      const bytes = yield* step(() => fill(sealed, from));
      if (bytes < 0) return bytes;
      if (bytes === 0) break;
      at += bytes;
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
    if (made === undefined) giveBack();
  }
}
