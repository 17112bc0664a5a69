// What the threat model grants an attacker: native code in its own process. A copy of the build
// whose guests find their natives and their channel on `globalThis.__natives`; nothing else differs.
import {
  cpSync,
  chmodSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const project = fileURLToPath(new URL("../..", import.meta.url));

const handOver = `
  Object.defineProperty(globalThis, "__natives", {
    configurable: true,
    value: {
      libc: require("../sandbox/libc.js"),
      ffi: tools.requireBuiltin("node:ffi"),
      channel: tools.channel,
      requireBuiltin: tools.requireBuiltin,
      internalBinding: tools.internalBinding,
    },
  });
`;

/** `ffi` stays loadable by those who have a way to it. */
const ffiRow = /"ffi",\s*/;

function patched(modules) {
  const start = /function runProgram\([^)]*\)\s*\{/.exec(modules["guest/program"]);
  if (start === null || !ffiRow.test(modules["guest/public-modules"])) {
    throw new Error("the guest's start has moved: tests/support/natives.mjs must follow");
  }
  const at = start.index + start[0].length;
  const program = modules["guest/program"];
  return {
    ...modules,
    "guest/program": program.slice(0, at) + handOver + program.slice(at),
    "guest/public-modules": modules["guest/public-modules"].replace(ffiRow, ""),
  };
}

/** A copy of the build, removed when this process ends: its directory, in which `dist` is. */
export function copyBuild(dist = join(project, "dist")) {
  const directory = mkdtempSync(join(tmpdir(), "build-"));
  process.on("exit", () => rmSync(directory, { recursive: true, force: true }));
  chmodSync(directory, 0o755);
  cpSync(dist, join(directory, "dist"), { recursive: true });
  cpSync(join(project, "package.json"), join(directory, "package.json"));
  symlinkSync(join(project, "node_modules"), join(directory, "node_modules"));
  return directory;
}

/**
 * The path of such a build's entry. `dist` may be given to start from another one.
 */
export function buildWithNatives(dist) {
  const directory = copyBuild(dist);
  const bundle = join(directory, "dist/guest.json");
  writeFileSync(bundle, JSON.stringify(patched(JSON.parse(readFileSync(bundle, "utf8")))));
  return pathToFileURL(join(directory, "dist/index.js")).href;
}

/** The SDK of such a build. */
export const importWithNatives = () => import(buildWithNatives());
