// A service that runs its customers' programs: a machine for each customer with bounds of their own, no more than so many
// runs at one time, and a bill for each. It asks itself here, so that it ends.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { NodeRuntime } from "secure-exec";
import type { NodeRuntimeUsage } from "secure-exec";

const plans = {
  free: { memoryBytes: 64 * 1024 * 1024, cpuTimeMs: 300, processes: 4 },
  paid: { memoryBytes: 256 * 1024 * 1024, cpuTimeMs: 10_000, processes: 32 },
};
const tenants = new Map<string, keyof typeof plans>([
  ["ann", "paid"],
  ["bob", "free"],
]);
const longestProgramBytes = 64 * 1024;
const runsAtOneTime = 2;

const machines = new Map<string, Promise<NodeRuntime>>();
let running = 0;

/** A customer's machine, made when it is first needed. */
function machineOf(tenant: string): Promise<NodeRuntime> {
  const known = machines.get(tenant);
  if (known !== undefined) return known;
  const made = NodeRuntime.create({ env: { TENANT: tenant }, limits: plans[tenants.get(tenant)!] });
  machines.set(tenant, made);
  // One that could not be made is tried again.
  made.catch(() => machines.delete(tenant));
  return made;
}

const server = createServer(async (request, response) => {
  const say = (status: number, body: object): void => {
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  };
  try {
    const [, tenant = "", what] = /^\/(\w+)\/(run|bill)$/.exec(request.url ?? "") ?? [];
    if (!tenants.has(tenant)) return say(404, { error: "no such customer" });
    const rt = await machineOf(tenant);
    if (what === "bill") return say(200, await rt.usage());
    const parts: Buffer[] = [];
    let bytes = 0;
    for await (const part of request) {
      bytes += (part as Buffer).length;
      if (bytes > longestProgramBytes) return say(413, { error: "the program is too long" });
      parts.push(part as Buffer);
    }
    if (running >= runsAtOneTime) return say(503, { error: "busy; try again" });
    running++;
    try {
      const { stdout, exitCode, end } = await rt.run(Buffer.concat(parts).toString("utf8"), {
        timeout: 20_000,
      });
      say(200, { stdout, exitCode, ended: end.limit ?? end.reason });
    } finally {
      running--;
    }
  } catch (error) {
    // An outcome that is not known is the service's fault, and not the program's.
    say(500, { error: error instanceof Error ? error.message : String(error) });
  }
});
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

async function ask(path: string, program?: string): Promise<unknown> {
  const sent = program === undefined ? {} : { method: "POST", body: program };
  return (await fetch(address + path, sent)).json();
}

console.log(await ask("/ann/run", "console.log(process.env.TENANT)"));
console.log(await ask("/bob/run", "for (;;);"));
console.log(await ask("/eve/run", "1"));
// Files of one customer are nothing to another.
await ask("/ann/run", `require("fs").writeFileSync("note", "ann's")`);
console.log(await ask("/bob/run", `console.log(require("fs").existsSync("note"))`));
const [ann, bob] = (await Promise.all([ask("/ann/bill"), ask("/bob/bill")])) as NodeRuntimeUsage[];
console.log("runs billed:", ann!.processes, bob!.processes, bob!.cpuMs > ann!.cpuMs);

server.close();
for (const made of machines.values()) await (await made).dispose();
