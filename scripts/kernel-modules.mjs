// The kernel's modules as two scripts, which start in a fraction of the time that as many files take, and
// the forms of them that the pinned engine compiles, with the flags of the kernel; src/kernel/modules.cts reads both.
// With it go the forms of the guest-side modules, which zygotes take; src/launcher/zygote/compiled-forms.ts.
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { loadedWith, oneScript } from "./one-script.mjs";

const require = createRequire(import.meta.url);
const compilers = ["kernel-code-cache.cjs", "guest-code-cache.cjs"].map((name) =>
  fileURLToPath(new URL(name, import.meta.url)),
);

/** Writes all of them to `dist`, where guest.json is by then, from what tsc made of the kernel below `compiled`. */
export async function writeKernelModules(compiled, dist) {
  const { files, firstModule } = require(join(dist, "kernel/modules.cjs"));
  const first = loadedWith(compiled, firstModule);
  [true, false].forEach((isFirst, at) => {
    const { script } = oneScript(compiled, (name) => first.has(name) === isFirst);
    writeFileSync(join(dist, files[at].script), script);
  });
  const { findEngine } = await import(join(dist, "launcher/engine.js"));
  const { kernelFlags } = await import(join(dist, "sdk/kernel-process.js"));
  const engine = findEngine();
  if ("problem" in engine) {
    console.warn(`no compiled forms of the modules, which starts the kernel slower: ${engine.why}`);
    return;
  }
  for (const compiler of compilers)
    execFileSync(engine.path, [...kernelFlags, compiler, dist], { stdio: "inherit" });
}
