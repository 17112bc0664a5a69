// Run on the engine, with the kernel's flags: loads the kernel's modules, and keeps what the engine compiled for that. Also what begins the
// first zygote before the engine runs; src/launcher/early-library.ts.
const { readFileSync, writeFileSync } = require("node:fs");
const { join } = require("node:path");
const { setFlagsFromString } = require("node:v8");
const { Script } = require("node:vm");

const dist = process.argv[2];
const { files, openModules } = require(join(dist, "kernel/modules.cjs"));

/** Of the first script every function: most of them run before anything else does, and here none can. */
function compile(folder, of) {
  const filename = join(folder, of.script);
  const whole = of === files[0];
  if (whole) setFlagsFromString("--no-lazy");
  const script = new Script(readFileSync(filename, "utf8"), { filename });
  if (whole) setFlagsFromString("--lazy");
  return script;
}

const { scripts, names, load } = openModules(dist, compile);
/** It takes possession of the process when it is loaded. */
const acting = "kernel/main";
for (const name of names()) if (name !== acting) load(name);
scripts.forEach((script, at) => {
  writeFileSync(join(dist, files[at].compiled), script.createCachedData());
});
void import(join(dist, "launcher/early-library.js")).then(({ earlyZygoteLibrary }) => {
  const library = earlyZygoteLibrary();
  if (library !== undefined) writeFileSync(join(dist, `early-start.${process.arch}.so`), library);
});
