/**
 * Owns what becomes of a native program that somebody tries to run: the same program in WebAssembly, where that
 * is installed beside it, or the words that say what does its work here.
 */

/** Part of its path, and what to use instead. */
const instead: readonly (readonly [part: RegExp, hint: string])[] = [
  [/(^|\/)esbuild$|@esbuild\//, "use the esbuild-wasm package"],
  [/@biomejs\/|(^|\/)biome$/, "use the @biomejs/wasm-nodejs package"],
  [/@typescript\/|(^|\/)tsgo?$/, "use typescript 5 or 6, which are JavaScript"],
  [/@rollup\/|(^|\/)rollup$/, "use the @rollup/wasm-node package"],
  [/@swc\/|(^|\/)swc$/, "use the @swc/wasm package"],
  [/(^|\/)(?:dart-sass|sass)$|sass-embedded/, "use the sass package"],
  [/(^|\/)(?:oxlint|oxfmt)$/, "use eslint or prettier"],
  [/(^|\/)rg$|ripgrep/, "use the machine's own rg"],
  [/(^|\/)(?:python\d?|python3\.\d+)$/, "use the pyodide package"],
];

/** The program of a package, by its path without links, and the file of another package that is the same program. */
const ports: readonly (readonly [program: RegExp, port: string])[] = [
  [
    /^(.*\/node_modules)\/(?:@esbuild\/[^/]+|esbuild)\/bin\/esbuild$/,
    "$1/esbuild-wasm/bin/esbuild",
  ],
];

/** Where the same program lies in WebAssembly, if that is installed; undefined for one without. */
export function portOf(program: string): string | undefined {
  const [pattern, port] = ports.find(([known]) => known.test(program)) ?? [];
  return pattern === undefined ? undefined : program.replace(pattern, port!);
}

/** For the end of a message: `a native program, and …`. */
export function nativeProgramHint(path: string): string {
  const hint = instead.find(([part]) => part.test(path))?.[1];
  return `a native program, and this machine runs JavaScript and WebAssembly only${hint === undefined ? "" : `: ${hint}`}`;
}
