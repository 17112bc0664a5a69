// The SDK in use: output line by line, command lines, files, events. See docs/sdk.md.
import { NodeRuntime, SecureExecError } from "secure-exec";

const rt = await NodeRuntime.create({ cwd: "/home/user" });
rt.on("processEnd", ({ exitCode }) => exitCode === 3 && console.log("event: exit code 3"));

const proc = await rt.spawn("for (const name of ['one', 'two']) console.log('line', name)");
for await (const line of proc.lines()) console.log(line);

await rt.fs.mkdir("notes");
await rt.fs.writeFile("notes/it's here.txt", "b\na\n");
const file = "notes/it's here.txt";
console.log(await rt.sh`sort ${file}`.lines());
console.log(await rt.fs.readdir("notes"));
try {
  await rt.sh`echo to stderr >&2; exit 3`;
} catch (error) {
  if (error instanceof SecureExecError) console.log(error.code, error.details?.exitCode);
}
try {
  await rt.fs.readFile("missing.txt", "utf8");
} catch (error) {
  console.log((error as NodeJS.ErrnoException).code);
}
await rt.dispose();
