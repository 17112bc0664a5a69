/**
 * Owns what a program reads that loads a native addon, which a machine does not: which package does the
 * same work there. It protects nothing; the process's filter maps no file.
 */

/** A package's native part, as its path or name has it, and what to use in its place. */
const instead: readonly (readonly [native: RegExp, alternative: string])[] = [
  [/@rollup\/rollup-/, "@rollup/wasm-node"],
  [/lightningcss/, "lightningcss-wasm"],
  [/@swc\/core/, "@swc/wasm"],
  [/@img\/sharp-|\/sharp\//, "@img/sharp-wasm32"],
  [/@esbuild\//, "esbuild-wasm"],
  [/better-sqlite3|\/sqlite3\//, "node:sqlite"],
  [/tree-sitter/, "web-tree-sitter"],
  [/\/bcrypt\//, "bcryptjs"],
  [/\/argon2\//, "hash-wasm"],
  [/@parcel\/watcher/, "@parcel/watcher-wasm"],
  [/@oxc-|oxc-parser/, "@oxc-parser/binding-wasm32-wasi"],
  [/@tailwindcss\/oxide/, "@tailwindcss/oxide-wasm32-wasi"],
  [/@node-rs\//, "the package's wasm32-wasi build"],
];

/** In place of `process.dlopen`. */
export function refuseAddon(_module: unknown, path: unknown): never {
  const name = String(path);
  const alternative = instead.find(([native]) => native.test(name))?.[1];
  const hint = alternative === undefined ? "" : `; use ${alternative} in its place`;
  throw Object.assign(
    new Error(`Native addons are not supported in this virtual machine: ${name}${hint}`),
    { code: "ERR_DLOPEN_FAILED" },
  );
}
