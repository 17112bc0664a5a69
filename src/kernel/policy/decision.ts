/**
 * Owns the outcome of a judgement: 0, or a denial with the words the guest gets.
 * Handlers of system calls answer a denial like an errno.
 */
import { Errno } from "../../abi/errno.js";
import { permissionScopes } from "../../protocol/permissions.js";
import type { Request } from "../../protocol/permissions.js";
import { Deferred } from "../io/deferred.js";

const resourceLimitChars = 1024;
const reasonLimitChars = 256;

export class Denial {
  readonly errno: number;
  readonly message: string;

  constructor(message: string, errno: number = -Errno.EACCES) {
    this.errno = errno;
    this.message = message;
  }
}

/** What the handler of a system call may answer: a result, -errno, a denial, now or later. */
export type Answer<R> = R | number | Denial | Deferred<R> | Deferred<R | Denial>;

/** 0 when allowed. */
export type Decision = 0 | Denial;

function withPort(host: string, port: number | undefined): string {
  const shown = host.includes(":") ? `[${host}]` : host;
  return port === undefined ? shown : `${shown}:${port}`;
}

/** What a request is about, as denials name it. */
export function resourceOf(request: Request): string {
  switch (request.scope) {
    case "fs":
      return request.path;
    case "network": {
      const { operation, protocol, hostname, port } = request;
      return operation === "dns"
        ? `dns://${hostname}`
        : `${protocol}://${withPort(hostname, port)}`;
    }
    case "childProcess":
      return request.command;
    case "process":
      return `process ${request.pid}`;
    case "env":
    case "tool":
      return request.name;
  }
}

/** `EACCES: permission denied, <resource>: blocked by <scope>.<operation> policy`. */
export function denial(request: Request, resource = resourceOf(request), reason?: string): Denial {
  const scope = permissionScopes[request.scope].prefixes[0];
  const why = reason === undefined || reason === "" ? "" : `: ${reason.slice(0, reasonLimitChars)}`;
  const what = resource.slice(0, resourceLimitChars);
  return new Denial(
    `EACCES: permission denied, ${what}: blocked by ${scope}.${request.operation} policy${why}`,
  );
}

/** Runs `work` once a decision, which may come later, allows it. */
export function afterwards<R>(
  decision: Decision | Deferred<Decision>,
  work: () => Answer<R>,
): Answer<R> {
  if (!(decision instanceof Deferred)) return decision === 0 ? work() : decision;
  const later = new Deferred<R | Denial>();
  later.onCancel(() => decision.cancel());
  decision.whenSettled((late) => {
    if (late !== 0) return later.settle(late);
    later.follow(work());
  });
  return later;
}
