/**
 * Owns `secure-exec playground`: a page on loopback for one machine, until a signal comes.
 * Untrusted: nothing; a module of tools is the caller's, as its other options are.
 */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { basename, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { HostTools } from "../index.js";
import { UsageError } from "./arguments.js";
import type { Arguments, Flag } from "./arguments.js";
import { machineOptionsOf } from "./machine-options.js";

export const playgroundFlags: readonly Flag[] = [
  {
    name: "http",
    value: "PORT",
    help: "listen on that port of 127.0.0.1; a free one by default",
  },
  {
    name: "tools",
    value: "MODULE",
    help: "host tools: what that module of the host exports as `tools`, or by default",
  },
];

const greeting = `// A program sees its own machine and nothing of the host.
import { readdirSync } from "node:fs";
import os from "node:os";

console.log(\`Node \${process.version} on \${os.hostname()}, \${readdirSync("/usr/bin").length} commands\`);
console.log("a tool of the host says", await callHostTool("add", { a: 2, b: 40 }));
__return({ pid: process.pid });
`;

const mostPort = 65_535;

function portOf(text: string | undefined): number {
  if (text === undefined) return 0;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : -1;
  if (port < 0 || port > mostPort) throw new UsageError("--http takes a port from 0 to 65535");
  return port;
}

async function toolsOf(file: string | undefined): Promise<HostTools> {
  if (file === undefined) return (await import("../playground/watched-tools.js")).exampleTools;
  const module = (await import(pathToFileURL(resolve(file)).href)) as {
    tools?: HostTools;
    default?: HostTools;
  };
  const tools = module.tools ?? module.default;
  if (tools === undefined) throw new UsageError(`--tools: ${file} exports no tools`);
  return tools;
}

/** Serves until SIGINT, SIGTERM or SIGHUP. */
export async function playground({ given, rest }: Arguments): Promise<number> {
  const [file, ...more] = rest;
  if (more.length > 0) throw new UsageError("playground takes one FILE at most");
  const ended = Promise.race(["SIGINT", "SIGTERM", "SIGHUP"].map((name) => once(process, name)));
  const { servePlayground } = await import("../playground/server.js");
  const served = await servePlayground({
    runtime: machineOptionsOf(given),
    tools: await toolsOf(given.get("tools")?.[0]),
    port: portOf(given.get("http")?.[0]),
    example:
      file === undefined
        ? { name: "example.mjs", source: greeting }
        : { name: basename(file), source: readFileSync(file, "utf8") },
  });
  process.stdout.write(`${served.url}\n`);
  process.stderr.write("Open that address in a browser of this machine; ^C ends it.\n");
  await ended;
  await served.close();
  return 0;
}
