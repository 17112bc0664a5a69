/**
 * Owns what a call that runs a program to its end answers: the shapes, and what of them is on results without being
 * enumerable.
 * Untrusted: everything a program produces; here it is text, numbers and decoded JSON.
 */
import type { End, Usage } from "../protocol/usage.js";
import { printable } from "./errors.js";
import type { GuestOutcome, ProgramEnd } from "./guest-process.js";
import { learnedPermissionsOf } from "./learned-permissions.js";
import type { LearnedPermissions } from "./learned-permissions.js";
import type { NodeRuntimeDecision } from "./option-types.js";
import type { NodeRuntimeRecording, Recorder } from "./recording.js";
import { bytesOfParts } from "./in-parts.js";
import { decodeReturnValueInSteps, returnValueError } from "./return-value.js";

/**
 * `usage`, `end` and `policy` are there on results, but not enumerable: they take no part in comparisons,
 * spreading or JSON.
 */
export interface NodeRuntimeExecResult {
  /** Everything the program wrote, decoded as UTF-8, up to `limits.outputBytes` (16 MiB) per stream. */
  stdout: string;
  /** The same of stderr. */
  stderr: string;
  /** The program's exit code, or 128 + the number of the signal that ended it. */
  exitCode: number;
  /** Whether output beyond `limits.outputBytes` was dropped. */
  stdoutTruncated: boolean;
  /** The same of stderr. */
  stderrTruncated: boolean;
  /** What the program and all it started had used when it ended. */
  readonly usage: Usage;
  /** Why it ended. */
  readonly end: End;
  /**
   * Only in learn mode: the least permissions under which the program, and all it started, may do what
   * they did until it ended. Reading it throws LEARNED_TOO_MUCH where it would not be whole.
   */
  readonly policy?: LearnedPermissions;
  /** Only with `record`: what `replay` takes. JSON carries it. */
  readonly recording?: NodeRuntimeRecording;
  /** Only of a runtime made with `new`: the same as `exitCode`; 124 when cpuTimeLimitMs was used up. */
  code?: number;
  /** Only of a runtime made with `new`: what made the program fail, in one line. */
  errorMessage?: string;
}

/** What `audit()` answers: decisions in the order in which they were made. */
export type NodeRuntimeAudit = NodeRuntimeDecision[] & {
  /** How many earlier ones are not kept any more. */
  readonly dropped: number;
};

/** What `run` answers: that of `exec`, and the value. */
export interface NodeRuntimeRunResult<T = unknown> extends NodeRuntimeExecResult {
  /** What the program passed to `__return`, as `encoding` says; undefined without it, or when the exit code is not 0. */
  value?: T;
}

export type PlainResult = Omit<NodeRuntimeExecResult, "usage" | "end" | "policy" | "recording">;

/** A program that has ended. */
export interface Finished {
  result: NodeRuntimeExecResult;
  recorder?: Recorder | undefined;
  outcome: GuestOutcome;
}

/** The result of `run`. Throws RETURN_VALUE. */
export async function withValue<T>({
  result,
  outcome,
  recorder,
}: Finished): Promise<NodeRuntimeRunResult<T>> {
  const { end, value } = outcome;
  if (end.exitCode !== 0 || end.returned === "none") return result;
  if (end.returned === "failure") {
    throw returnValueError(printable(end.returnReason ?? "it is not JSON"), end.returnPath);
  }
  const bytes = value.length === 1 ? value[0]! : await bytesOfParts(value);
  const decoded = (await decodeReturnValueInSteps(bytes, end.returned)) as T;
  return withAccount({ ...result, value: decoded }, end, recorder);
}

/** `result`, with what the program used and why it ended. */
export function withAccount<R extends PlainResult>(
  result: R,
  { usage, cause, learned }: ProgramEnd,
  recorder?: Recorder,
): R & Pick<NodeRuntimeExecResult, "usage" | "end"> {
  return Object.defineProperties(result, {
    usage: { value: usage },
    end: { value: cause },
    ...(learned !== undefined && {
      policy: { get: () => learnedPermissionsOf(learned) },
    }),
    ...(recorder !== undefined && { recording: { get: () => recorder.recording } }),
  }) as R & Pick<NodeRuntimeExecResult, "usage" | "end">;
}
