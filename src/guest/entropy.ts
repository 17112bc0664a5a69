/**
 * Owns what a forked process draws random numbers from: nothing of it is that of the process it was forked
 * from, nor that of its siblings.
 *
 * A guest begins where nobody has drawn: renewing the sources is enough. The copy of a template begins where a
 * set-up may have drawn, and then V8 and Node hold numbers ahead. Those that V8 keeps for a realm cannot be taken
 * back, so in a template `Math.random` is that of another realm, in which nobody has drawn when the set-up
 * ends. Node's are used up.
 */
import * as libc from "../sandbox/libc.js";
import type { EngineTools } from "./environment.js";
import { setInertFlags } from "./engine-flags.js";
import type { InternalBinding, RequireBuiltin } from "./engine-types.js";

/** OpenSSL's generator, and the flag that V8 seeds `Math.random` of a realm from that has not drawn yet. */
export function renewEntropy(internalBinding: InternalBinding): void {
  libc.randPoll();
  setInertFlags(
    internalBinding,
    `--random-seed=${libc.getrandom(4).readUInt32LE(0) & 0x7fffffff || 1}`,
  );
}

/** lib/internal/crypto/random.js: kBatchSize, and the numbers in randomCache. */
const uuidsPerBatch = 128;
const integersPerCache = 1024;

/** Where `Math.random` of a template draws; undefined in every other process. */
let draw: (() => number) | undefined;

function randomOfFreshRealm(requireBuiltin: RequireBuiltin): () => number {
  const { createContext, runInContext } = requireBuiltin("vm");
  return runInContext("Math.random", createContext({})) as () => number;
}

/** Before a set-up runs. What it keeps of `Math.random` it keeps of this one. */
export function installTemplateRandom(requireBuiltin: RequireBuiltin): void {
  if (draw === undefined) {
    // Bound: it has no text of ours.
    const random = ((): number => draw!()).bind(undefined);
    Object.defineProperty(random, "name", { value: "random", configurable: true });
    Math.random = random;
  }
  draw = randomOfFreshRealm(requireBuiltin);
}

/** When a set-up has ended: whatever is drawn next is made then, from what the copy has. */
export function spendEntropy({ internalBinding, requireBuiltin }: EngineTools): void {
  draw = randomOfFreshRealm(requireBuiltin);
  const { randomInt, randomUUID } = requireBuiltin("internal/crypto/random");
  const { prototype } = internalBinding("crypto").RandomBytesJob;
  const { run } = prototype;
  let filled = 0;
  prototype.run = function (...args: unknown[]): unknown {
    filled++;
    return Reflect.apply(run, this, args);
  };
  const spend = (use: () => void, count: number): void => {
    // Up to the next filling, and then all of that.
    for (filled = 0; filled === 0;) use();
    for (let used = 1; used < count; used++) use();
  };
  try {
    spend(() => randomUUID(), uuidsPerBatch);
    // Of a range of one no number is rejected.
    spend(() => randomInt(0, 1), integersPerCache);
  } finally {
    prototype.run = run;
  }
}
