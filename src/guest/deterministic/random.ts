/**
 * Owns the randomness of a deterministic run: a stream of bytes that the seed alone decides (AES-256 in
 * counter mode), under the functions of `crypto` that hand out random bytes, and V8's seed for `Math.random`.
 *
 * Node's own functions are called first, so arguments are checked and buffers made as ever; what they drew is
 * written over. What OpenSSL draws for itself cannot be: what makes keys and primes is refused.
 * It protects nothing, and nothing made with it is a secret.
 */
import { setInertFlags } from "../engine-flags.js";
import type { EngineTools } from "../environment.js";
import { unavailable } from "../unavailable.js";
import type { EngineModule } from "../engine-types.js";

const keyBytes = 32;
/** Largest range of `randomInt`: 48 bits. */
const integerBytes = 6;
const integerRange = 2 ** 48;

/** Those of `crypto` that draw inside OpenSSL. */
const refused = [
  "generateKey",
  "generateKeySync",
  "generateKeyPair",
  "generateKeyPairSync",
  "generatePrime",
  "generatePrimeSync",
];

type Draw = (length: number) => Buffer;

function streamOf(crypto: EngineModule, seed: string): Draw {
  const key = crypto.createHash("sha256").update(`deterministic run ${seed}`).digest() as Buffer;
  const cipher = crypto.createCipheriv("aes-256-ctr", key.subarray(0, keyBytes), Buffer.alloc(16));
  return (length) => cipher.update(Buffer.alloc(length)) as Buffer;
}

type Fillable = ArrayBufferView | ArrayBufferLike;

/** The bytes of what `randomFill` and `getRandomValues` take. */
function bytesOf(target: Fillable): Buffer {
  return ArrayBuffer.isView(target)
    ? Buffer.from(target.buffer, target.byteOffset, target.byteLength)
    : Buffer.from(target);
}

function overwrite(draw: Draw, target: Fillable, offset = 0, size?: number): void {
  const unit = (target as { BYTES_PER_ELEMENT?: number }).BYTES_PER_ELEMENT ?? 1;
  const bytes = bytesOf(target);
  const from = offset * unit;
  const to = size === undefined ? bytes.length : from + size * unit;
  draw(to - from).copy(bytes, from);
}

/** Uniform in [0, range). */
function integer(draw: Draw, range: number): number {
  const limit = integerRange - (integerRange % range);
  for (;;) {
    const drawn = draw(integerBytes).readUIntBE(0, integerBytes);
    if (drawn < limit) return drawn % range;
  }
}

/** RFC 9562, version 4. */
function uuid(draw: Draw): string {
  const bytes = draw(16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = bytes.toString("hex");
  return [8, 12, 16, 20, 32].map((end, at, ends) => hex.slice(ends[at - 1] ?? 0, end)).join("-");
}

function replaceFunctions(crypto: EngineModule, draw: Draw): void {
  const native = { ...crypto };
  const put = (name: string, value: Function, on: object = crypto): void => {
    Object.defineProperty(value, "name", { value: name, configurable: true });
    const before = Object.getOwnPropertyDescriptor(on, name);
    Object.defineProperty(on, name, { enumerable: true, configurable: true, ...before, value });
  };
  const randomBytes = (size: number, callback?: (error: unknown, bytes?: Buffer) => void) => {
    if (callback === undefined) {
      const bytes = native.randomBytes(size) as Buffer;
      overwrite(draw, bytes);
      return bytes;
    }
    if (typeof callback !== "function") return native.randomBytes(size, callback);
    const drawn: Buffer[] = [];
    native.randomBytes(size, (error: unknown, bytes?: Buffer) => {
      if (bytes !== undefined) drawn[0]!.copy(bytes);
      callback(error, bytes);
    });
    drawn.push(draw(size));
  };
  put("randomBytes", randomBytes);
  for (const name of ["rng", "prng", "pseudoRandomBytes"]) {
    const enumerable = Object.prototype.propertyIsEnumerable.call(crypto, name);
    const value = randomBytes;
    Object.defineProperty(crypto, name, { value, enumerable, configurable: true, writable: true });
  }
  put("randomFillSync", (target: Fillable, offset?: number, size?: number) => {
    native.randomFillSync(target, ...[offset, size].filter((value) => value !== undefined));
    overwrite(draw, target, offset, size);
    return target;
  });
  put("randomFill", (target: Fillable, ...rest: unknown[]) => {
    const callback = rest.pop();
    if (typeof callback !== "function") return native.randomFill(target, ...rest, callback);
    const [offset, size] = rest as [number?, number?];
    native.randomFill(target, ...rest, (error: unknown) => {
      if (error === null || error === undefined) overwrite(draw, target, offset, size);
      callback(error, error ? undefined : target);
    });
  });
  put("randomInt", (min: number, max?: unknown, callback?: unknown) => {
    const done = typeof max === "function" ? max : callback;
    const bounded = typeof max === "number";
    // Throws what is to be thrown.
    native.randomInt(...(bounded ? [min, max] : [min]));
    const value = bounded ? min + integer(draw, max - min) : integer(draw, min);
    if (done === undefined) return value;
    process.nextTick(done as Function, undefined, value);
  });
  put("randomUUID", (options?: object) => {
    native.randomUUID(options);
    return uuid(draw);
  });
  for (const name of refused)
    put(name, () => {
      throw unavailable(`crypto.${name}`, "a deterministic run cannot decide what OpenSSL draws");
    });
}

function replaceWeb(crypto: EngineModule, draw: Draw): void {
  const { webcrypto } = crypto;
  const prototype = Object.getPrototypeOf(webcrypto) as EngineModule;
  const native = { getRandomValues: prototype.getRandomValues, randomUUID: prototype.randomUUID };
  const define = (on: object, name: string, value: Function): void =>
    void Object.defineProperty(on, name, {
      ...Object.getOwnPropertyDescriptor(on, name),
      value,
    });
  define(prototype, "getRandomValues", function getRandomValues(this: unknown, target: Fillable) {
    Reflect.apply(native.getRandomValues, this, [target]);
    overwrite(draw, target);
    return target;
  });
  define(prototype, "randomUUID", function randomUUID(this: unknown, options?: object) {
    Reflect.apply(native.randomUUID, this, [options]);
    return uuid(draw);
  });
  define(Object.getPrototypeOf(webcrypto.subtle) as object, "generateKey", async () => {
    throw unavailable("subtle.generateKey", "a deterministic run cannot decide what OpenSSL draws");
  });
}

export function replaceRandomness(
  { internalBinding, requireBuiltin }: EngineTools,
  seed: string,
): void {
  const crypto = requireBuiltin("crypto");
  const draw = streamOf(crypto, seed);
  // 31 bits, and 0 would mean none.
  const seedForV8 = draw(4).readUInt32LE(0) & 0x7fffffff || 1;
  setInertFlags(internalBinding, `--random-seed=${seedForV8}`);
  replaceFunctions(crypto, draw);
  // The `getRandomValues` of `crypto` is this one's.
  replaceWeb(crypto, draw);
  requireBuiltin("module").syncBuiltinESMExports();
}
