// A directory that code of the host serves, and one of the host's whose changes stay in memory.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NodeRuntime, type NodeRuntimeFileProvider } from "secure-exec";

// Rows of a table as files: programs read them as they read any file.
const rows = new Map([
  ["ann", { plan: "team" }],
  ["eve", { plan: "free" }],
]);
const nameOf = (path: string): string => path.replace(/^\/|\.json$/g, "");
const missing = (): Error => Object.assign(new Error("no such row"), { code: "ENOENT" });
const table: NodeRuntimeFileProvider = {
  stat(path) {
    if (path === "/") return { isDirectory: true };
    const row = rows.get(nameOf(path));
    if (row === undefined) throw missing();
    return { isDirectory: false, size: JSON.stringify(row).length };
  },
  readDir: () => [...rows.keys()].map((name) => `${name}.json`),
  readFile: async (path) => JSON.stringify(rows.get(nameOf(path))),
  writeFile(path, data) {
    rows.set(nameOf(path), JSON.parse(Buffer.from(data).toString("utf8")) as { plan: string });
  },
};

const project = mkdtempSync(join(tmpdir(), "project-"));
writeFileSync(join(project, "config.json"), '{"debug":false}');

const rt = await NodeRuntime.create({
  mounts: [
    { guestPath: "/table", provider: table, timeoutMs: 1000 },
    { guestPath: "/project", overlay: { lower: project } },
  ],
});
const { stdout, stderr } = await rt.exec(`
  import { readFileSync, readdirSync, writeFileSync } from "node:fs";
  for (const name of readdirSync("/table")) console.log(name, readFileSync("/table/" + name, "utf8"));
  writeFileSync("/table/eve.json", '{"plan":"team"}');
  writeFileSync("/project/config.json", '{"debug":true}');
  writeFileSync("/project/notes.txt", "new");
  try { writeFileSync("/table/not-json", "{"); } catch ({ code }) { console.log(code); }
`);
process.stdout.write(stdout);
process.stderr.write(stderr);
console.log(rows.get("eve"));
for (const { path, change } of await rt.diff("/project")) console.log(change, path);
console.log(readFileSync(join(project, "config.json"), "utf8"));
await rt.dispose();
rmSync(project, { recursive: true });
