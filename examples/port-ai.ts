// AI SDK: tools for generateText({ tools }), and a sandbox session.
import { Session, SecureExecSandboxSession, codeTool, commandTool } from "secure-exec/ai";

const run = codeTool({
  tools: { price: { description: "price of an item", execute: async ({ item }) => item.length } },
});
console.log(
  JSON.stringify(await run.execute({ code: 'return 2 * (await price({ item: "bolt" }))' })),
);
await run.dispose();

const shell = commandTool();
console.log(JSON.stringify(await shell.execute({ command: "echo hello | tr a-z A-Z" })));
await shell.dispose();

await using session = await Session.create({ cwd: "/workspace" });
const sandbox = new SecureExecSandboxSession(session);
await sandbox.writeTextFile({ path: "notes.txt", content: "one\ntwo\n" });
const { stdout } = await sandbox.run({ command: "wc -l < notes.txt" });
console.log(stdout.trim());
