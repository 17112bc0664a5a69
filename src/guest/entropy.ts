/** Owns what a forked process draws random numbers from: nothing of it is that of the process it was forked from. */
import * as libc from "../sandbox/libc.js";

/** OpenSSL's generator, and the flag that V8 seeds `Math.random` of a realm from that has not drawn yet. */
export function renewEntropy(requireBuiltin: (id: string) => any): void {
  libc.randPoll();
  requireBuiltin("v8").setFlagsFromString(
    `--random-seed=${libc.getrandom(4).readUInt32LE(0) & 0x7fffffff || 1}`,
  );
}
