/**
 * Owns what the bindings of a set-up do about being copied. When it has ended they stop what a copy could not have
 * a part in, and in each copy they begin again what it can.
 *
 * Nothing here protects anything: what of a process's descriptors goes to a copy, the kernel process decides.
 */

export interface CopiedPart {
  /** In a set-up that has ended, and will do nothing any more. */
  stop(): void;
  /**
   * In a copy: "program", when the text of its program has run up to its first await, as what comes from outside meets a
   * process after fork(2) back in its event loop; otherwise before it.
   */
  begins: "first" | "program";
  begin(): void;
}

const parts: CopiedPart[] = [];

/** Once for each kind of handle in a process, in the order in which they are to stop. */
export function joinCopies(part: CopiedPart): void {
  parts.push(part);
}

export function stopForCopies(): void {
  for (const part of parts) part.stop();
}

export function beginInCopy(when: CopiedPart["begins"]): void {
  for (const part of parts) if (part.begins === when) part.begin();
}
