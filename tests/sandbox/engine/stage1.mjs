import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { buildStage1, install } from "../../../dist/sandbox/seccomp.js";

install(buildStage1());
const [script, ...args] = process.argv.slice(2);
const child = spawn(
  process.execPath,
  [
    "--expose-internals",
    "--expose-gc",
    "--single-threaded",
    "--minor-ms",
    "--v8-pool-size=0",
    "--disable-sigusr1",
    "--no-warnings",
    fileURLToPath(new URL(script, import.meta.url)),
    ...args,
  ],
  { stdio: "inherit", env: { TZ: "UTC" } },
);
child.on("exit", (code, signal) => {
  if (signal) console.error(`zygote: ${signal}`);
  process.exitCode = code ?? 1;
});
