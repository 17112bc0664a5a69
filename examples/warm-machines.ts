// A set-up that every tenant's programs begin with, run once; and a machine of its own for each tenant.
import { NodeRuntime } from "secure-exec";

const rt = await NodeRuntime.create();
const template = await rt.template(
  `import { readFileSync, writeFileSync } from "node:fs";
   const words = readFileSync("words.txt", "utf8").split(" ");
   globalThis.index = new Map(words.map((word, at) => [word, at]));
   writeFileSync("/tmp/built", "once");`,
  {
    cwd: "/data",
    files: { "words.txt": "to be or not to be" },
    permissions: { network: "deny", childProcess: "deny" },
  },
);

// One fresh process per run, each with the index as the set-up left it.
for (const word of ["or", "not"]) {
  const { value } = await template.run<number>(`__return(index.get(${JSON.stringify(word)}))`);
  console.log(word, value);
}

const tenants = await Promise.all(
  ["ann", "eve"].map((TENANT) =>
    NodeRuntime.create({ template, env: { TENANT }, limits: { wallTimeMs: 5000 } }),
  ),
);
for (const tenant of tenants) {
  const { stdout } = await tenant.exec(`
    import { appendFileSync, readFileSync } from "node:fs";
    index.set(process.env.TENANT, index.size);
    appendFileSync("/tmp/built", " for " + process.env.TENANT);
    console.log(readFileSync("/tmp/built", "utf8"), index.size);`);
  process.stdout.write(stdout);
}
await Promise.all([...tenants, template, rt].map((each) => each.dispose()));
