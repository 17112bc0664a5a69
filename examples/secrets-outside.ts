// A program uses an API with a key that it never holds. The API is a server on this host here.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { NodeRuntime } from "secure-exec";

const key = "key-4711-of-the-host";
const api = createServer((request, response) => {
  const known = request.headers.authorization === `Bearer ${key}`;
  response.end(known ? `hello from ${request.url}` : "who are you?");
});
await new Promise<void>((resolve) => api.listen(0, "127.0.0.1", resolve));
const { port } = api.address() as AddressInfo;

const rt = await NodeRuntime.create({
  loopbackExemptPorts: [port],
  permissions: { network: { rules: [{ mode: "allow", patterns: ["localhost"] }] } },
  network: {
    rules: [{ host: `localhost:${port}`, methods: ["GET"], paths: ["/v1/**"] }],
    inject: [
      {
        host: `localhost:${port}`,
        header: "authorization",
        value: async () => `Bearer ${key}`,
      },
    ],
  },
});
const { stdout } = await rt.exec(`
  for (const path of ["/v1/users", "/admin"]) {
    const response = await fetch("http://localhost:${port}" + path);
    console.log(response.status, response.ok ? await response.text() : "");
  }`);
console.log(stdout.trim());
const { hosts } = await rt.usage();
console.log(hosts?.[`localhost:${port}`]?.requests);
await rt.dispose();
api.close();
api.closeAllConnections();
