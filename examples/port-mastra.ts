// Mastra: a workspace's sandbox and files, and code mode's transport.
import { SecureExecCodeModeTransport, SecureExecSandbox } from "secure-exec/mastra";

// new Workspace({ sandbox, filesystem })
await using sandbox = new SecureExecSandbox({ env: { GREETING: "hello" } });
const filesystem = await sandbox.filesystem();
await filesystem.writeFile("name.txt", "world");
const { stdout } = await sandbox.executeCommand("echo $GREETING $(cat name.txt)");
console.log(stdout.trim());

// createCodeMode({ tools, transport })
const transport = new SecureExecCodeModeTransport();
const { result } = await transport.run({
  program: "return (await external_double(20)) + 2;",
  toolIds: ["double"],
  dispatch: async (_tool, n) => (n as number) * 2,
  timeout: 30_000,
});
console.log(result);
