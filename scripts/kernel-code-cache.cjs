// Run on the engine, with the kernel's flags: loads the kernel's modules, and keeps what the engine compiled for that.
const { writeFileSync } = require("node:fs");
const { join } = require("node:path");

const dist = process.argv[2];
const { files, openModules } = require(join(dist, "kernel/modules.cjs"));
const { script, names, load } = openModules(dist);
/** It takes possession of the process when it is loaded. */
const acting = "kernel/main";
for (const name of names) if (name !== acting) load(name);
writeFileSync(join(dist, files.compiled), script.createCachedData());
