// A machine for an agent, as deepagents, bash-tool and ComputeSDK take it.
import { createSandbox } from "secure-exec/bash-tool";
import { sandboxMethods } from "secure-exec/computesdk";
import { SecureExecBackend } from "secure-exec/deepagents";

const backend = await SecureExecBackend.create({
  initialFiles: { "/work/a.md": "# Title\ntext\n" },
});
const found = await backend.grep("Title", "/work", "*.md");
console.log(JSON.stringify(found.matches));
await backend.close();

const bash = await createSandbox();
await bash.writeFiles([{ path: "a.txt", content: "text" }]);
console.log((await bash.executeCommand("ls; pwd")).stdout.trim());
await bash.stop();

const methods = sandboxMethods();
const { sandbox, sandboxId } = await methods.create({}, { envs: { WHO: "world" } });
console.log((await methods.runCommand(sandbox, "echo hello $WHO")).stdout.trim());
await methods.destroy({}, sandboxId);
