/**
 * Owns what V8 takes its flags to be, as far as that decides about compiled forms of modules. A zygote has V8 take forms
 * that were made under plain Node's flags (../launcher/zygote/compiled-forms.ts). V8 forgets that with each flag that is
 * set; flags that no form depends on, of random numbers and of memory, are set here, and it goes on.
 *
 * Invariant: after a program has set a flag V8 judges forms by itself, for good. Nothing here protects anything.
 */
import * as libc from "../sandbox/libc.js";
import type { InternalBinding } from "./engine-types.js";

/** Plain Node's digest of flags, and where V8 keeps its own. */
export interface Pretence {
  readonly digest: number;
  readonly address: number;
}

let digest = 0;
/** V8's own; 0 where it has to be worked out again. */
let word: Uint32Array | undefined;

/** In each thread that sets flags; the address was found to be the right one. */
export function adoptPretence(pretence: Pretence): void {
  ({ digest } = pretence);
  word = libc.wordAt(BigInt(pretence.address));
}

/** Has V8 take forms again, whatever was set before. */
export function pretend(): void {
  if (word !== undefined) word[0] = digest;
}

/** Sets flags that no form depends on. */
export function setInertFlags(internalBinding: InternalBinding, flags: string): void {
  const holds = word?.[0] === digest;
  internalBinding("v8").setFlagsFromString(flags);
  if (holds) pretend();
}
