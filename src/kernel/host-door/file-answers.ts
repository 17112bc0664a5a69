/** Owns what the host is told of a file call: its result, at once or once something stored elsewhere has answered, or why there is none. */
import { errnoName } from "../../abi/errno.js";
import type { Credentials } from "../fs/index.js";
import { Deferred } from "../io/deferred.js";
import { hostCaller } from "../machine/host-caller.js";
import { HostError } from "./error.js";

export function fileError(operation: string, path: string, errno: number): HostError {
  const name = errnoName(-errno) ?? `errno ${-errno}`;
  return new HostError("ERR_SECURE_EXEC_FILE", `${name}: ${operation} '${path}'`);
}

/** Why a call by `who` failed, which may be a link that was not followed. */
function refusal(who: Credentials, operation: string, path: string, errno: number): HostError {
  const link = who.links?.refused;
  if (link === undefined) return fileError(operation, path, errno);
  return new HostError(
    "ERR_SECURE_EXEC_LINK_LEADS_OUT",
    `${operation} '${path}': the link ${link} leads out of its directory; pass followLinks: true to follow it`,
  );
}

/** An answer that is no failure. */
export function checked<T>(
  result: T | number,
  operation: string,
  path: string,
  who: Credentials = hostCaller(false),
): T {
  if (typeof result === "number" && result < 0) throw refusal(who, operation, path, result);
  return result as T;
}

/** What is stored elsewhere is waited for. */
export function answeredWith<S, R>(
  answer: S | number | Deferred<S>,
  operation: string,
  path: string,
  result: (answer: S) => R,
  who?: Credentials,
): R | Promise<R> {
  const finish = (late: S | number): R => result(checked(late, operation, path, who) as S);
  if (!(answer instanceof Deferred)) return finish(answer);
  return new Promise<S | number>((resolve) => answer.whenSettled(resolve)).then(finish);
}
