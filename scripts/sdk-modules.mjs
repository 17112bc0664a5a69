// The host's modules as one script, dist/sdk-modules.cjs: importing the package is one file of Node's module loader
// instead of a hundred and twenty. In their places are files of one line, for programs and tests that import one of them
// by its name: there is one of each module in a process, whoever asks for it.
import { writeFileSync } from "node:fs";
import { join, posix } from "node:path";
import { oneScript } from "./one-script.mjs";

/** Files of their own: what the loader of the script itself imports, and what is imported when it is first needed. */
const isApart = (name) => name === "launcher/engine" || name.startsWith("ports/");

/** Writes it and them to `dist` from what tsc made of the SDK below `compiled`. */
export async function writeSdkModules(compiled, dist) {
  const { names, script } = oneScript(compiled, (name) => !isApart(name));
  writeFileSync(join(dist, "sdk-modules.cjs"), `"use strict";\nmodule.exports = ${script}`);
  const { hostModule } = await import(join(dist, "sdk/modules.js"));
  for (const name of names) {
    const exported = Object.keys(hostModule(name));
    const loader = posix.relative(posix.dirname(name), "sdk/modules.js");
    const text =
      exported.length === 0
        ? "export {};\n"
        : `import { hostModule } from "${loader.startsWith(".") ? loader : `./${loader}`}";\n` +
          `export const { ${exported.join(", ")} } = hostModule("${name}");\n`;
    writeFileSync(join(dist, `${name}.js`), text);
  }
}
