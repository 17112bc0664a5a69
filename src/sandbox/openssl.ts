/**
 * Owns what of OpenSSL a guest loads after its start. The legacy provider is part of the
 * engine's binary: nothing is read from a file.
 */
import * as ffi from "node:ffi";
import { cString } from "./libc.js";
import { bind, openEngine } from "./native.js";

/** MD4, RC4 and their like, beside the default algorithms; answers whether they are there. */
export function loadLegacyProvider(): boolean {
  const engine = openEngine();
  const load = bind<[bigint, bigint], bigint>(
    engine,
    "OSSL_PROVIDER_load",
    ["pointer", "pointer"],
    "pointer",
  );
  // The default one is loaded by itself only while no other is.
  return ["default", "legacy"].every((name) => {
    const text = cString(name);
    return load(0n, ffi.getRawPointer(text)) !== 0n;
  });
}
