// What a program used, why it ended, what it was allowed, and the least permissions it needs.
import { NodeRuntime } from "secure-exec";

const files = { "/data/one.txt": "1", "/data/two.txt": "2" };
const code = `
  import { readFileSync } from "node:fs";
  __return(Number(readFileSync("/data/one.txt", "utf8")) + Number(readFileSync("/data/two.txt", "utf8")));`;

// Once, with code that is trusted: what does it need?
const learning = await NodeRuntime.create({ permissions: "learn", files });
await learning.run(code);
const permissions = await learning.learnedPermissions({ generalize: true });
await learning.dispose();
console.log(JSON.stringify(permissions.fs));

// From then on under exactly that, with a bill.
const rt = await NodeRuntime.create({
  permissions,
  files,
  onDecision: ({ decision, scope, operation, resource }) => {
    if (decision === "deny") console.log(`denied: ${scope}.${operation} ${resource}`);
  },
});
const { value, usage, end } = await rt.run<number>(code, { limits: { cpuTimeMs: 5000 } });
console.log(value, end.reason, usage.processes, usage.cpuMs < 5000);

const curious = await rt.exec(`import { statSync } from "node:fs"; statSync("/etc/passwd");`);
console.log(curious.end.reason);

await rt.setPermissions({ fs: "deny" });
console.log((await rt.run(code)).exitCode);
await rt.dispose();
