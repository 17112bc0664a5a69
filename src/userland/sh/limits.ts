/**
 * Bounds on what a script can make the shell itself do. The kernel's quotas are
 * the wall; these turn what would be a crash of the interpreter into an error.
 */
export const limits = Object.freeze({
  /** Nested commands, substitutions and quotes of a script. */
  syntaxDepth: 200,
  /** Nested operators and parentheses of an arithmetic expression or a condition. */
  expressionDepth: 200,
  /** Function calls, `eval`, `.` and trap actions inside each other. */
  callDepth: 10_000,
  /** Characters of one value or word. */
  textLength: 128 << 20,
  /** Words that one word becomes by braces, splitting or globbing. */
  expansionCount: 1 << 20,
  /** Words that braces make of one. */
  braceWords: 1 << 18,
  /** Characters that a look ahead in the script may pass. */
  lookAhead: 1 << 14,
  /** Directory entries that one pattern looks at. */
  globEntries: 4 << 20,
  /** Highest descriptor number of a redirection. */
  descriptor: 1023,
  /** Subshells, pipeline members and substitutions alive at once in one shell process. */
  subshells: 1024,
  /** Elements of one array. */
  arrayElements: 1 << 20,
  /** Rules of `complete`. */
  completions: 1 << 14,
} as const);
