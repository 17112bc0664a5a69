/**
 * Owns what FUNCNAME, BASH_SOURCE, BASH_LINENO and `caller` tell: the functions and
 * sourced files that are being run. Frames are immutable and linked, so that
 * subshells share them.
 */

export interface Frame {
  /** The function; "source" for a sourced file, "main" for the script. */
  readonly name: string;
  /** The file that the text comes from. */
  readonly source: string;
  /** Where it was called. */
  readonly line: number;
  readonly isFunction: boolean;
  readonly outer: Frame | undefined;
}

/** Innermost first. */
export function stackOf(frame: Frame | undefined): Frame[] {
  const frames: Frame[] = [];
  for (let at = frame; at !== undefined; at = at.outer) frames.push(at);
  return frames;
}

export function sourceOf({ source }: Frame): string {
  return source;
}
