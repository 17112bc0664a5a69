// TanStack AI: a provider for defineSandbox({ provider }).
import { secureExecSandbox } from "secure-exec/tanstack";

const provider = secureExecSandbox();
const sandbox = await provider.create({});
await sandbox.fs.write("count.txt", "one two three");
const { stdout } = await sandbox.process.exec("wc -w < count.txt");
const fork = await sandbox.fork();
await fork.fs.remove("count.txt");
console.log(stdout.trim(), await sandbox.fs.exists("count.txt"), await fork.fs.exists("count.txt"));
await provider.dispose();
