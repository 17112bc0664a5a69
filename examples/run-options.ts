// The snippet in the middle is the documentation's; what is around it makes it a program.
import { NodeRuntime } from "secure-exec";

const rt = await NodeRuntime.create();
const source = `
  let input = "";
  for await (const chunk of process.stdin) input += chunk;
  console.log(process.env.EXTRA, process.cwd(), input);
  console.error("to stderr");
`;

const controller = new AbortController();
const result = await rt.exec(source, {
  env: { EXTRA: "1" }, // merged over VM env
  cwd: "/tmp",
  stdin: "piped to the program", // string | Uint8Array
  timeout: 5000, // kill after N ms
  signal: controller.signal, // abort -> SIGTERM, call rejects AbortError
  onStdout: (chunk) => process.stdout.write(chunk), // Uint8Array chunks, live
  onStderr: (chunk) => process.stderr.write(chunk),
});

console.log(result.exitCode, JSON.stringify(result.stdout), JSON.stringify(result.stderr));
await rt.dispose();
