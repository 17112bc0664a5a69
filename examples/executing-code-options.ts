// The snippet in the middle is the documentation's; what is around it makes it a program.
import { NodeRuntime } from "secure-exec";

const rt = await NodeRuntime.create();

const result = await rt.run<string>(
  `
let input = "";
for await (const chunk of process.stdin) input += chunk;
globalThis.__return(input.trim().toUpperCase());
`,
  { stdin: "piped through stdin", timeout: 10_000 },
);

console.log(result.exitCode, result.value);
await rt.dispose();
