/** Owns the C library's wording of errno names, for messages that read like those of the usual tools. */
const wording = new Map<string, string>([
  ["ENOENT", "No such file or directory"],
  ["EACCES", "Permission denied"],
  ["EPERM", "Operation not permitted"],
  ["EEXIST", "File exists"],
  ["EISDIR", "Is a directory"],
  ["ENOTDIR", "Not a directory"],
  ["ENOTEMPTY", "Directory not empty"],
  ["EINVAL", "Invalid argument"],
  ["ENOSPC", "No space left on device"],
  ["EDQUOT", "Disk quota exceeded"],
  ["EROFS", "Read-only file system"],
  ["ELOOP", "Too many levels of symbolic links"],
  ["ENAMETOOLONG", "File name too long"],
  ["EXDEV", "Invalid cross-device link"],
  ["EBADF", "Bad file descriptor"],
  ["EIO", "Input/output error"],
  ["EMFILE", "Too many open files"],
  ["ENFILE", "Too many open files in system"],
  ["EMLINK", "Too many links"],
  ["EBUSY", "Device or resource busy"],
  ["ETXTBSY", "Text file busy"],
  ["EFBIG", "File too large"],
  ["ESPIPE", "Illegal seek"],
  ["EPIPE", "Broken pipe"],
  ["ENODEV", "No such device"],
  ["ENXIO", "No such device or address"],
  ["ESRCH", "No such process"],
  ["ENOMEM", "Cannot allocate memory"],
  ["EAGAIN", "Resource temporarily unavailable"],
  ["ENOEXEC", "Exec format error"],
  ["E2BIG", "Argument list too long"],
  ["ENOSYS", "Function not implemented"],
  ["ENOTSUP", "Operation not supported"],
  ["EOPNOTSUPP", "Operation not supported"],
  ["EOVERFLOW", "Value too large for defined data type"],
  ["ECONNREFUSED", "Connection refused"],
  ["ECONNRESET", "Connection reset by peer"],
  ["ETIMEDOUT", "Connection timed out"],
  ["EHOSTUNREACH", "No route to host"],
  ["ENETUNREACH", "Network is unreachable"],
]);

export function errorCode(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : undefined;
}

/** Rethrows what is not an errno: a mistake of ours must not read like one of the user's. */
export function errorText(error: unknown): string {
  const code = errorCode(error);
  if (code === undefined || !/^E[A-Z0-9]+$/.test(code)) throw error;
  return wording.get(code) ?? code;
}

export function codeText(code: string): string {
  return wording.get(code) ?? code;
}
