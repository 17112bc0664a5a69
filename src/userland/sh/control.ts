/**
 * Owns the ways a command ends other than with a status. They are thrown, are
 * not `Error`s, and carry no stack: a loop that breaks is nothing exceptional.
 */

/** `break n` and `continue n`. */
export class LoopJump {
  constructor(
    readonly kind: "break" | "continue",
    public count: number,
  ) {}
}

export class Return {
  constructor(readonly status: number) {}
}

/** Ends this environment: the shell or a subshell. */
export class Exit {
  constructor(
    readonly status: number,
    /** `exec` leaves without running the EXIT trap. */
    readonly runTrap = true,
  ) {}
}

/** This environment would have been killed by a signal: a subshell that wrote to a closed pipe. */
export class Killed {
  constructor(readonly signal: number) {}
}

/**
 * What dash calls an error: printed as `sh: line: message`. It ends a
 * non-interactive shell, except where a regular builtin meets it.
 */
export class ShellError {
  constructor(
    readonly message: string,
    readonly status = 2,
  ) {}
}

/** The script does not parse. `incomplete` when more text could make it parse. */
export class SyntaxFailure extends ShellError {
  constructor(
    message: string,
    readonly line: number,
    readonly incomplete = false,
    /** The here-document delimiter that is missing, if that is why. */
    readonly awaitedDelimiter?: string,
  ) {
    super(message);
  }
}
