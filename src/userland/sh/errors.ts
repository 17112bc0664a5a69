/** Owns the texts of system errors, in the C library's words and in dash's. */
import { Errno } from "../../abi/errno.js";

const texts = new Map<number, string>([
  [Errno.EPERM, "Operation not permitted"],
  [Errno.ENOENT, "No such file or directory"],
  [Errno.ESRCH, "No such process"],
  [Errno.EIO, "I/O error"],
  [Errno.ESPIPE, "Illegal seek"],
  [Errno.E2BIG, "Argument list too long"],
  [Errno.ENOEXEC, "Exec format error"],
  [Errno.EBADF, "Bad file descriptor"],
  [Errno.EAGAIN, "Resource temporarily unavailable"],
  [Errno.ENOMEM, "Cannot allocate memory"],
  [Errno.EACCES, "Permission denied"],
  [Errno.EEXIST, "File exists"],
  [Errno.ENOTDIR, "Not a directory"],
  [Errno.EISDIR, "Is a directory"],
  [Errno.EINVAL, "Invalid argument"],
  [Errno.ENFILE, "Too many open files in system"],
  [Errno.EMFILE, "Too many open files"],
  [Errno.ETXTBSY, "Text file busy"],
  [Errno.EFBIG, "File too large"],
  [Errno.ENOSPC, "No space left on device"],
  [Errno.EROFS, "Read-only file system"],
  [Errno.EPIPE, "Broken pipe"],
  [Errno.ENAMETOOLONG, "File name too long"],
  [Errno.ELOOP, "Too many levels of symbolic links"],
]);

export function errorText(errno: number): string {
  return texts.get(errno) ?? `Error ${errno}`;
}

/** dash names a missing file after what was tried. */
export function fileErrorText(errno: number, tried: "open" | "create" | "exec"): string {
  if (errno === Errno.ENOENT || errno === Errno.ENOTDIR) {
    return { open: "No such file", create: "Directory nonexistent", exec: "not found" }[tried];
  }
  return errorText(errno);
}
