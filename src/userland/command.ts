/**
 * Owns what a command is: the context it is given and the ways it may end.
 * A command is an ordinary program of the guest; nothing here decides what is
 * allowed. Text that commands work on is a "byte string": one character
 * (U+0000–U+00FF) per byte, so that any input survives and order is byte order.
 */
import type { Fifos, NodeFiles, Surroundings, Terminal } from "./system.js";

export interface SpawnOptions {
  env?: Record<string, string | undefined>;
  cwd?: string;
  stdin?: "inherit" | "ignore";
}

export interface SpawnEnd {
  /** 128 + n after signal n; 127 and 126 as a shell counts them when the start failed. */
  code: number;
  signal: string | null;
  /** Errno name when the program could not be started. */
  error?: string;
}

export interface CaptureOptions extends SpawnOptions {
  /** Bytes for the child's input; without it the child inherits ours. */
  input?: Uint8Array;
  /** Collect the child's output instead of letting it inherit ours. */
  capture?: boolean;
}

export interface CommandContext extends NodeFiles, Fifos, Pick<Surroundings, "cwd"> {
  /** `argv[0]` is the command's name. */
  readonly argv: readonly string[];
  readonly name: string;
  readonly env: Record<string, string | undefined>;
  /** Blocking. Empty at end of file. */
  readInput(maxBytes?: number): Uint8Array;
  /** Puts the last bytes read back where that is possible, for whoever reads after this command. */
  unreadInput(byteCount: number): void;
  /** Buffered; text is written as UTF-8. Throws `BrokenPipe` when nobody reads any more. */
  write(data: string | Uint8Array): void;
  /** Buffered; a byte string. */
  writeBytes(byteString: string): void;
  flush(): void;
  /** Flushes output first, so that the order on a terminal is the order of the calls. */
  writeError(text: string): void;
  /** In front of output that is still buffered, unless that goes to a terminal. */
  writeErrorFirst(text: string): void;
  isTerminal(fd: number): boolean;
  /** Where there are terminals to set. */
  readonly terminal?: Terminal;
  /** Starts another program on our descriptors and waits; signals sent to us are passed on. */
  spawn(file: string, args: readonly string[], options?: SpawnOptions): Promise<SpawnEnd>;
  /** The same, blocking. */
  spawnSync(
    file: string,
    args: readonly string[],
    options?: CaptureOptions,
  ): SpawnEnd & { stdout?: Uint8Array };
}

export type Command = (context: CommandContext) => number | Promise<number>;

/** Ends the command with `name: message` on stderr. */
export class CommandFailure extends Error {
  constructor(
    message: string,
    readonly status = 1,
    readonly hint = "",
  ) {
    super(message);
  }
}

/** Ends the command at once; everything has been said. */
export class CommandExit extends Error {
  constructor(readonly status: number) {
    super("exit");
  }
}

/** Nobody reads our output any more; ends the command as SIGPIPE would. */
export class BrokenPipe extends CommandExit {
  constructor() {
    super(141);
  }
}
