// The snippets in the middle are the documentation's; what is around them makes them a program.
// The two directories /abs/… stand for yours: a typescript package, and one with a WASI command "hello".
import { NodeRuntime } from "secure-exec";

const rt = await NodeRuntime.create({
  env: { API_BASE: "https://example.test" }, // guest process env
  cwd: "/home/user", // default working dir
  files: { "/root/data.json": '{"ok":true}' }, // seed VFS bytes
  mounts: [
    // project host dirs, Docker-style, lazy
    { guestPath: "/root/node_modules/typescript", hostPath: "/abs/typescript", readOnly: true },
  ],
  permissions: { network: "allow" }, // merged over secure default (network denied)
  tools: {
    // host capabilities the guest calls as commands
    add: {
      description: "Add two numbers",
      inputSchema: {
        type: "object",
        properties: { a: { type: "number" }, b: { type: "number" } },
        required: ["a", "b"],
      },
      handler: ({ a, b }: { a: number; b: number }) => ({ sum: a + b }),
    },
  },
  loopbackExemptPorts: [3000], // let non-loopback connections reach this port
  commandsDir: "/abs/wasm/commands", // override the WASM `sh`/coreutils dir
});

await rt.writeFile("/root/late.json", '{"added":"after boot"}');
const bytes = await rt.readFile("/root/late.json"); // Uint8Array
await rt.registerTools({ now: { description: "epoch ms", handler: () => Date.now() } });

console.log(Buffer.from(bytes).toString());
const { stdout, stderr } = await rt.exec(`
  import { execFileSync } from "node:child_process";
  import { readFileSync } from "node:fs";
  import { createRequire } from "node:module";
  console.log(process.env.API_BASE, process.cwd(), readFileSync("/root/data.json", "utf8"));
  console.log(createRequire("/root/main.js")("typescript").version);
  console.log(execFileSync("add", ["add", "--json", '{"a":1,"b":2}'], { encoding: "utf8" }).trim());
  console.log((await callHostTool("now", {})) > 0);
  console.log(execFileSync("hello", { encoding: "utf8" }).trim());
`);
process.stdout.write(stdout);
process.stderr.write(stderr);
await rt.dispose();
