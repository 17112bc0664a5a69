import { NodeRuntime } from "secure-exec";
const rt = await NodeRuntime.create();
try {
  const probe = await rt.run<{
    platform: string;
    hasProcess: boolean;
    hasBuffer: boolean;
    nodeVersion: string;
    sha256: string;
    joinedPath: string;
  }>(`
const { createHash } = await import("node:crypto");
const { join } = await import("node:path");
const sha256 = createHash("sha256").update("secure-exec").digest("hex");
globalThis.__return({
platform: typeof process !== "undefined" ? process.platform : "(no process)",
hasProcess: typeof process !== "undefined",
hasBuffer: typeof Buffer !== "undefined",
nodeVersion: typeof process !== "undefined" ? process.versions.node : "(none)",
sha256,
joinedPath: join("/home/user", "report.txt"),
});
`);
  console.log(probe.value);
} finally {
  await rt.dispose();
}
