// The checks are the documentation's; what follows shows what they let through.
import { NodeRuntime, createNodeDriver, createNodeRuntimeDriverFactory } from "secure-exec";

const driver = createNodeDriver({
  permissions: {
    // Allow reads, block writes
    fs: (req) => req.operation === "read",

    // Block internal hosts
    network: (req) => !req.hostname.endsWith(".internal"),

    // Only allow specific commands
    childProcess: (req) => ["node", "python3"].includes(req.command),

    // Allow specific env vars
    env: (req) => ["PATH", "HOME"].includes(req.name),
  },
});

const runtime = new NodeRuntime({
  systemDriver: driver,
  runtimeDriverFactory: createNodeRuntimeDriverFactory(),
});
await runtime.writeFile("/tmp/note.txt", "written by the host");
const { stdout } = await runtime.exec(`
  const { spawnSync } = require("node:child_process");
  const { readFileSync, writeFileSync } = require("node:fs");
  const attempt = async (what, work) => {
    try {
      console.log(what, await work());
    } catch (error) {
      console.log(what, error.cause?.code ?? error.code);
    }
  };
  await attempt("read", () => readFileSync("/tmp/note.txt", "utf8"));
  await attempt("write", () => writeFileSync("/tmp/note.txt", ""));
  await attempt("fetch", () => fetch("http://db.internal/"));
  await attempt("node", () => spawnSync("node", ["-p", "1 + 1"], { encoding: "utf8" }).stdout.trim());
  await attempt("ls", () => spawnSync("ls").error.code);
  await attempt("env", () => Object.keys(process.env).sort().join());
`);
process.stdout.write(stdout);
await runtime.dispose();
