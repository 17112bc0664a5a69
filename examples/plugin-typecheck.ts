// A plugin that somebody has uploaded is type-checked before it is enabled, and runs only then.
import { NodeRuntime } from "secure-exec";
import { createTypeScriptTools } from "secure-exec/typescript";

/** What a plugin has to be. */
const contract = `
export interface Plugin { name: string; transform(input: string): string; }
export const define = (plugin: Plugin): Plugin => plugin;
`;
const uploads = {
  "shout.ts": `import { define } from "./contract.js";
    export default define({ name: "shout", transform: (input) => input.toUpperCase() + "!" });`,
  "count.ts": `import { define } from "./contract.js";
    export default define({ name: "count", transform: (input) => input.length });`,
};

const tools = createTypeScriptTools({ files: { "/root/contract.ts": contract } });
const rt = await NodeRuntime.create({
  permissions: { network: "deny", childProcess: "deny" },
  files: { "/plugins/contract.js": "export const define = (plugin) => plugin;" },
});
for (const [name, sourceText] of Object.entries(uploads)) {
  const { success, diagnostics, outputText } = await tools.compileSource({
    sourceText,
    filePath: name,
  });
  if (!success || outputText === undefined) {
    for (const { line, code, message } of diagnostics)
      console.log(`${name} refused: line ${line}, TS${code}: ${message}`);
    continue;
  }
  await rt.writeFile(`/plugins/${name.replace(".ts", ".mjs")}`, outputText);
  const { value } = await rt.run<string>(
    `import plugin from "/plugins/${name.replace(".ts", ".mjs")}";
    __return(plugin.name + ": " + plugin.transform("hello"));`,
  );
  console.log(value);
}
await tools.dispose();
await rt.dispose();
