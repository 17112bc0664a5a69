// OpenAI Agents SDK: the shell for shellTool({ shell }), the editor for applyPatchTool({ editor }).
import { createAgentMachine, SecureExecSandboxClient } from "secure-exec/openai";

// Of @openai/agents; here a diff is what a file is to be.
const applyDiff = (_input: string, diff: string) => diff;

await using machine = await createAgentMachine({ applyDiff });
await machine.editor.createFile({ path: "notes.txt", diff: "one\ntwo\n" });
const { output } = await machine.shell.run({ commands: ["wc -l < notes.txt", "exit 3"] });
console.log(JSON.stringify(output.map(({ stdout, outcome }) => [stdout.trim(), outcome])));

// Sandbox agents: run(agent, input, { sandbox: { client } }). Of @openai/agents/sandbox; here the least of it.
class Manifest {
  readonly version = 1;
  readonly root = "/workspace";
  readonly entries = { "task.md": { type: "file", content: "count to three\n" } };
  readonly environment = {};
  readonly users = [];
  readonly groups = [];
  readonly extraPathGrants = [];
  readonly remoteMountCommandAllowlist = [];
}
await using client = new SecureExecSandboxClient({ Manifest, applyDiff });
const session = await client.create();
const { exitCode, stdout } = await session.exec({ cmd: "cat task.md; seq 3" });
console.log(exitCode, JSON.stringify(stdout));
