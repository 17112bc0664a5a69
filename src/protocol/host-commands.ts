/**
 * Owns what crosses for a command that the host's executor runs (`commandExecutor` of a driver): the steps that
 * its process in the machine takes, what each is answered with, and the bounds.
 *
 * A step travels as the call of a tool whose name no guest can call.
 */

/** The tool that answers steps. It matches no name that a tool may have. */
export const executorTool = "#commands";

/** What its descriptor says where commands that the machine's shell does not find are the executor's as well. */
export const fromShellMark = "from the shell as well";

export const HostCommandStep = Object.freeze({
  /** Starts the command; answered when it has ended. Ends the command when its process is gone. */
  run: 0,
  /** The next piece of output, or the end. */
  read: 1,
  /** Bytes for its stdin. */
  write: 2,
  /** The end of its stdin. */
  close: 3,
} as const);

/** As the kernel writes it; `run` has all fields. */
export interface HostCommandOrder {
  step: number;
  /** Which one it is: a name that the kernel gave it, of which there is no second. */
  id: string;
  command?: string;
  args?: string[];
  cwd?: string;
  env?: Record<string, string>;
  /** Base64, of `write`. */
  data?: string;
}

/** The answer to `read`; data is base64. The first one comes when the command has been started, and may be empty. */
export type HostCommandPiece =
  | { stream: "stdout" | "stderr"; data: string }
  | { exitCode: number; message?: string };

export const hostCommandLimits = Object.freeze({
  /** Of stdin in one step, and of output in one piece. */
  pieceBytes: 64 * 1024,
  /** Output of one command that waits for its process to take it; more ends the command. */
  waitingBytes: 16 * 1024 * 1024,
  /** Input of one command, where its executor does not hold it back. */
  stdinBytes: 64 * 1024 * 1024,
  /** Commands of one machine at a time. */
  commands: 16,
});
