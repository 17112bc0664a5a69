// OpenAI Agents SDK: the shell for shellTool({ shell }), the editor for applyPatchTool({ editor }).
import { createAgentMachine } from "secure-exec/openai";

// Of @openai/agents; here a diff is what a file is to be.
const applyDiff = (_input: string, diff: string) => diff;

await using machine = await createAgentMachine({ applyDiff });
await machine.editor.createFile({ path: "notes.txt", diff: "one\ntwo\n" });
const { output } = await machine.shell.run({ commands: ["wc -l < notes.txt", "exit 3"] });
console.log(JSON.stringify(output.map(({ stdout, outcome }) => [stdout.trim(), outcome])));
