/** Owns the errors of `rt.fs`, in the shape of Node's own. */
import { constants as osConstants } from "node:os";
import { failure, SecureExecError } from "./errors.js";

const errnoOf: Readonly<Record<string, number>> = osConstants.errno;

/** What Node's file calls reject with. */
export interface NodeRuntimeFsError extends Error {
  /** As `ENOENT`; `ERR_SECURE_EXEC_LINK_LEADS_OUT` where a program's link was not followed. */
  code: string;
  errno?: number;
  syscall: string;
  path: string;
  dest?: string;
}

/** `error` in Node's shape; others, such as DISPOSED, as they are. */
export function shaped(error: unknown, syscall: string, path: string, dest?: string): unknown {
  if (!(error instanceof SecureExecError)) return error;
  const errno = error.details?.errno;
  const leadsOut = error.code === "ERR_SECURE_EXEC_LINK_LEADS_OUT";
  if (typeof errno !== "string" && !leadsOut) return error;
  const code = typeof errno === "string" ? errno : error.code;
  const target = dest === undefined ? "" : ` -> '${dest}'`;
  const text = leadsOut ? error.message : `${code}: ${syscall} '${path}'${target}`;
  const number = errnoOf[code];
  return Object.assign(new Error(text, { cause: error }), {
    code,
    ...(number !== undefined && { errno: -number }),
    syscall,
    path,
    ...(dest !== undefined && { dest }),
  });
}

export function refused(errno: string, syscall: string, path: string, dest?: string): unknown {
  const details = { path, errno };
  return shaped(
    failure("FILE", { operation: syscall, path, why: errno }, { details }),
    syscall,
    path,
    dest,
  );
}
