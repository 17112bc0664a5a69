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

/** How bash tells the same error, where it differs. */
export interface BashError {
  readonly message?: string;
  /** 1 unless it is said. */
  readonly status?: number;
  /**
   * What the error ends outside of a builtin: "line", the complete command that
   * is being run, or "shell". A subshell ends in either case.
   */
  readonly ends?: "line" | "shell";
}

/**
 * What dash calls an error: printed as `sh: line: message`. It ends a
 * non-interactive shell, except where a regular builtin meets it. bash has other
 * words for most, and goes on with the next line after many.
 */
export class ShellError {
  /** The source of the function that it came out of, which its message names in bash. */
  source: string | undefined;

  constructor(
    readonly message: string,
    readonly status = 2,
    readonly bash: BashError = {},
  ) {}

  messageFor(bash: boolean): string {
    return bash ? (this.bash.message ?? this.message) : this.message;
  }

  statusFor(bash: boolean): number {
    if (!bash) return this.status;
    // bash fails with 1 where dash fails with 2.
    return this.bash.status ?? (this.status === 2 ? 1 : this.status);
  }
}

/** What bash says of a text that does not parse. */
export type SyntaxCause =
  | { readonly kind: "token"; readonly token: string; readonly text: string }
  | { readonly kind: "unclosed"; readonly quote: string; readonly line: number }
  | { readonly kind: "end"; readonly line: number }
  | { readonly kind: "words"; readonly message: string }
  | { readonly kind: "other" };

/** The script does not parse. `incomplete` when more text could make it parse. */
export class SyntaxFailure extends ShellError {
  constructor(
    message: string,
    readonly line: number,
    readonly incomplete = false,
    /** The here-document delimiter that is missing, if that is why. */
    readonly awaitedDelimiter?: string,
    readonly cause: SyntaxCause = { kind: "other" },
  ) {
    super(message);
  }

  /** bash's lines, each with the number of the line that it names. */
  bashLines(): readonly (readonly [line: number, message: string])[] {
    const { cause, line } = this;
    switch (cause.kind) {
      case "token":
        return [
          [line, `syntax error near unexpected token \`${cause.token}'`],
          [line, `\`${cause.text}'`],
        ];
      case "unclosed":
        return [[cause.line, `unexpected EOF while looking for matching \`${cause.quote}'`]];
      case "end":
        return [[cause.line, "syntax error: unexpected end of file"]];
      case "words":
        return [[line, cause.message]];
      case "other":
        return [[line, this.message.replace(/^Syntax error: /, "syntax error: ")]];
    }
  }
}
