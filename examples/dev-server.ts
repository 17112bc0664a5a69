// The snippet in the middle is the documentation's; what is around it makes it a program.
import { NodeRuntime } from "secure-exec";

const rt = await NodeRuntime.create();

const server = await rt.spawn(`
import http from "node:http";
http.createServer((_, res) => res.end("ok")).listen(3000);
`);
const listener = await rt.waitForListener({ port: 3000 });
const res = await rt.fetch(listener.port ?? 3000, { path: "/" });
server.kill();
await server.wait();

console.log(listener.port, res.status, res.body, server.exitCode);
await rt.dispose();
