/** Owns how a worker says no to a caller: an error with a code of the public table. */
export class Refusal extends Error {
  readonly code: string;
  /** The caller's option that was refused. */
  readonly option: string | undefined;

  constructor(code: string, message: string, option?: string) {
    super(message);
    this.code = code;
    this.option = option;
  }
}

/** What only the worker's owner can allow, or what is more than the worker keeps. */
export function refused(message: string): Refusal {
  return new Refusal("ERR_SECURE_EXEC_FLEET_REFUSED", message);
}

/** Not what the SDK of this version sends. */
export function malformed(what: string): Refusal {
  return new Refusal("ERR_SECURE_EXEC_INVALID_OPTION", `${what} is not as the SDK sends it`);
}
