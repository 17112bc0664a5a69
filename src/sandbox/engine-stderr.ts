/**
 * Owns what the engine's C++ prints about an error that nobody caught, in a process that is about to end:
 * only C++ knows where a value was thrown that is no Error. The text stays in the process, in a stream
 * of memory that takes the place of stderr, and is read once C++ has said everything.
 *
 * Symbols are resolved as native.ts says.
 */
import * as ffi from "node:ffi";
import { bind, openEngine, openLibrary } from "./native.js";

const engine = openEngine();
const library = openLibrary();
const nOpenMemstream = bind<[bigint, bigint], bigint>(
  library,
  "open_memstream",
  ["pointer", "pointer"],
  "pointer",
);
const nFflush = bind<[bigint], number>(library, "fflush", ["pointer"], "i32");
const isolateNow = bind<[], bigint>(engine, "_ZN2v87Isolate10GetCurrentEv", [], "pointer");
const contextOf = bind<[bigint], bigint>(
  engine,
  "_ZN2v87Isolate17GetCurrentContextEv",
  ["pointer"],
  "pointer",
);
const environmentOf = bind<[bigint], bigint>(
  engine,
  "_ZN4node21GetCurrentEnvironmentEN2v85LocalINS0_7ContextEEE",
  ["pointer"],
  "pointer",
);
const nAtExit = bind<[bigint, bigint, bigint], void>(
  engine,
  "_ZN4node6AtExitEPNS_11EnvironmentEPFvPvES2_",
  ["pointer", "pointer", "pointer"],
  "void",
);
/** Where `FILE *stderr` is. */
const stderrVariable = engine.getSymbol("stderr");

/** What a stream into memory keeps up to date whenever it is flushed: where its text is, and how long. */
const place = new BigUint64Array(2);
const placePointer = ffi.getRawPointer(place);
let stream = 0n;

/** From here on what C++ prints to stderr goes to memory; answers how to read it. */
export function holdEngineStderr(): () => string {
  if (stream === 0n) {
    stream = nOpenMemstream(placePointer, placePointer + 8n);
    if (stream !== 0n) ffi.setUint64(stderrVariable, 0, stream);
  }
  return () => {
    if (stream === 0n || nFflush(stream) !== 0) return "";
    return ffi.toBuffer(place[0]!, Number(place[1]), true).toString("utf8");
  };
}

/** Runs `ended` when C++ has reported a fatal error, before it begins to shut the engine down. */
export function beforeEngineEnds(ended: () => void): void {
  const signature = { arguments: ["pointer"], return: "void" } as const;
  const run = engine.registerCallback(signature, () => (ended(), 0));
  nAtExit(environmentOf(contextOf(isolateNow())), run, 0n);
}
