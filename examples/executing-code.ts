import { NodeRuntime } from "secure-exec";
const rt = await NodeRuntime.create();
const { stdout, exitCode } = await rt.exec(`
import os from "node:os";
console.log("platform:", os.platform());
`);
console.log(stdout, exitCode);
await rt.dispose();
