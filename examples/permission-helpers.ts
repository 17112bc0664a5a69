// The two drivers are the documentation's; what follows shows what they let through.
import { NodeRuntime, createNodeRuntimeDriverFactory } from "secure-exec";
import {
  createNodeDriver,
  allowAll,
  allowAllFs,
  allowAllNetwork,
  allowAllChildProcess,
  allowAllEnv,
} from "secure-exec";

// Allow everything
const driver = createNodeDriver({ permissions: allowAll });

// Allow only filesystem and network
const selective = createNodeDriver({
  permissions: {
    fs: allowAllFs,
    network: allowAllNetwork,
  },
});

// What they let through. Helpers can also be spread.
const commands = createNodeDriver({
  permissions: { ...allowAllChildProcess, ...allowAllEnv },
});
for (const [name, systemDriver] of Object.entries({ driver, selective, commands })) {
  const runtime = new NodeRuntime({
    systemDriver,
    runtimeDriverFactory: createNodeRuntimeDriverFactory(),
  });
  const { stdout } = await runtime.exec(`
    const { spawnSync } = require("node:child_process");
    const { readdirSync } = require("node:fs");
    const allowed = [];
    try {
      readdirSync("/");
      allowed.push("fs");
    } catch {}
    const { cause } = await fetch("http://nobody.invalid/").catch((error) => error);
    if (cause.code !== "EACCES") allowed.push("network");
    if (spawnSync("node", ["--version"]).status === 0) allowed.push("childProcess");
    if (process.env.HOME !== undefined) allowed.push("env");
    console.log(allowed.join(" "));
  `);
  console.log(`${name}: ${stdout.trim()}`);
  await runtime.dispose();
}
