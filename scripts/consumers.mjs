// Projects as the package's users have them, each made in an empty folder, installed from the tarballs of a release
// and run: strict TypeScript in two kinds of resolution, with Node's types and without, by two compilers, plain JavaScript,
// a traced deployment, Next.js' own standalone build, pnpm, Yarn PnP, Bun.
//   node scripts/consumers.mjs [part of a name...]
// Package managers and tools come from npm into a folder of the system's temporary one. Run before a release.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync, cpSync, existsSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { engineName, packEngine, packPackage, root, run } from "./packing.mjs";

const scratch = mkdtempSync(join(tmpdir(), "secure-exec-consumers-"));
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));
const wanted = process.argv.slice(2);
const tools = join(tmpdir(), "secure-exec-consumer-tools");

const own = packPackage(scratch);
const engine = packEngine(scratch);
const quiet = ["--no-audit", "--no-fund", "--ignore-scripts"];

const program = `import { NodeRuntime } from "secure-exec";
const rt = await NodeRuntime.create();
const { value } = await rt.run("__return(6 * 7)");
await rt.dispose();
console.log(value);
`;
const typed = `import { NodeRuntime } from "secure-exec";
import type { NodeRuntimeRunResult } from "secure-exec";
import { createSecureExecSandbox } from "secure-exec/ai";
import { createSandbox } from "secure-exec/bash-tool";
import { SecureExecExecutor } from "secure-exec/codemode";
import { secureExec } from "secure-exec/computesdk";
import { SecureExecBackend } from "secure-exec/deepagents";
import { serveE2b } from "secure-exec/e2b";
import { SecureExecSandbox } from "secure-exec/mastra";
import { serveMcpHttp } from "secure-exec/mcp";
import { SecureExecSandboxClient } from "secure-exec/openai";
import { createIsolateDriver, secureExecSandbox } from "secure-exec/tanstack";

export const ports: readonly unknown[] = [
  createSecureExecSandbox, createSandbox, SecureExecExecutor, secureExec, SecureExecBackend, serveE2b,
  SecureExecSandbox, serveMcpHttp, SecureExecSandboxClient, createIsolateDriver, secureExecSandbox,
];
await using rt = await NodeRuntime.create({ limits: { memoryBytes: 64 * 1024 * 1024 } });
const result: NodeRuntimeRunResult<number> = await rt.run<number>("__return(6 * 7)");
// @ts-expect-error -- an option that is none
await rt.run("", { timeuot: 1 });
console.log(result.value);
`;

/** A tool of npm's, installed once. */
function tool(name, version) {
  const folder = join(tools, name.replace("/", "+"));
  if (!existsSync(join(folder, "node_modules", name))) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "package.json"), '{ "private": true }');
    run(
      folder,
      "npm",
      "install",
      "--no-audit",
      "--no-fund",
      "--ignore-scripts",
      `${name}@${version}`,
    );
  }
  return join(folder, "node_modules", name);
}

function project(name, files, manifest = {}) {
  const folder = join(scratch, name);
  mkdirSync(folder);
  const own = { name, private: true, type: "module", ...manifest };
  for (const [path, text] of Object.entries({ "package.json": JSON.stringify(own), ...files })) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

function npmProject(name, files, ...more) {
  const folder = project(name, files);
  run(folder, "npm", "install", ...quiet, own.path, engine.path, ...more);
  return folder;
}

function says(folder, command, ...args) {
  const said = run(folder, command, ...args)
    .trim()
    .split("\n")
    .at(-1);
  if (said !== "42") throw new Error(`it said ${JSON.stringify(said)}`);
}

const nextApp = {
  "next.config.mjs": `export default {
  output: "standalone",
  outputFileTracingRoot: import.meta.dirname,
  serverExternalPackages: ["secure-exec"],
  outputFileTracingIncludes: { "/*": ["node_modules/secure-exec/**", "node_modules/${engineName()}/**"] },
};
`,
  "app/layout.js": `export default function Layout({ children }) {
  return <html lang="en"><body>{children}</body></html>;
}
`,
  "app/answer/route.js": `import { NodeRuntime } from "secure-exec";
export const dynamic = "force-dynamic";
export async function GET() {
  const rt = await NodeRuntime.create();
  const { value } = await rt.run("__return(6 * 7)");
  await rt.dispose();
  return new Response(String(value));
}
`,
};

/** What the server of a standalone folder answers at /answer: it is asked once it says that it is ready, and ended. */
async function answerOfServer(folder) {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address();
  probe.close();
  await once(probe, "close");
  const server = spawn(process.execPath, ["server.js"], {
    cwd: folder,
    env: { ...process.env, PORT: String(port), HOSTNAME: "127.0.0.1" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    let said = "";
    for await (const chunk of server.stdout) {
      said += chunk;
      if (said.includes("Ready in")) break;
    }
    if (!said.includes("Ready in")) throw new Error(`the server ended: ${said}`);
    return await (await fetch(`http://127.0.0.1:${port}/answer`)).text();
  } finally {
    if (server.exitCode === null) {
      server.kill("SIGKILL");
      await once(server, "exit");
    }
  }
}

/** Strict, and the declarations of packages are checked like the project's own. */
function typescript(name, options, nodeTypes = ["@types/node@20"]) {
  const compilerOptions = {
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    target: "es2022",
    lib: ["es2022", "esnext.disposable", "dom", "dom.iterable"],
    types: nodeTypes.length > 0 ? ["node"] : [],
    ...options,
  };
  const folder = npmProject(
    name,
    { "main.ts": typed, "tsconfig.json": JSON.stringify({ compilerOptions, files: ["main.ts"] }) },
    ...nodeTypes,
  );
  for (const compiler of ["typescript", "typescript-5"])
    run(folder, process.execPath, join(root, "node_modules", compiler, "bin/tsc"), "-p", ".");
}

const consumers = {
  "typescript-nodenext": () =>
    typescript("nodenext", { module: "nodenext", moduleResolution: "nodenext" }),
  "typescript-bundler": () =>
    typescript("bundler", { module: "esnext", moduleResolution: "bundler" }),
  "typescript-without-node-types": () => {
    typescript("bare-nodenext", { module: "nodenext", moduleResolution: "nodenext" }, []);
    typescript("bare-bundler", { module: "esnext", moduleResolution: "bundler" }, []);
  },
  javascript: () => {
    const common = `import("./main.mjs").catch((error) => { console.error(error); process.exit(1); });`;
    const folder = npmProject("javascript", { "main.mjs": program, "main.cjs": common });
    says(folder, process.execPath, "main.mjs");
    says(folder, process.execPath, "main.cjs");
  },
  // What Next.js copies for output: "standalone", with the two folders that docs/ports.md has it include: what the kernel and
  // the engine read they find by themselves, which no tracer sees.
  "traced-files": async () => {
    const folder = npmProject("traced", { "main.mjs": program });
    const { nodeFileTrace } = await import(join(tool("@vercel/nft", "1"), "out/index.js"));
    const { fileList } = await nodeFileTrace([join(folder, "main.mjs")], { base: folder });
    const standalone = join(scratch, "standalone");
    for (const file of fileList) {
      mkdirSync(join(standalone, dirname(file)), { recursive: true });
      cpSync(join(folder, file), join(standalone, file), { dereference: true });
    }
    for (const name of ["secure-exec", engineName()])
      cpSync(join(folder, "node_modules", name), join(standalone, "node_modules", name), {
        recursive: true,
      });
    says(standalone, process.execPath, "main.mjs");
  },
  // The same as Next.js itself builds it: a route of the App Router, started from the standalone folder alone.
  "next-standalone": async () => {
    const folder = npmProject("next", nextApp, "next@16", "react@19", "react-dom@19");
    run(folder, process.execPath, join(folder, "node_modules/next/dist/bin/next"), "build");
    const standalone = join(scratch, "next-standalone");
    // Turbopack names external packages by links, relative ones.
    cpSync(join(folder, ".next/standalone"), standalone, {
      recursive: true,
      verbatimSymlinks: true,
    });
    rmSync(folder, { recursive: true });
    const said = await answerOfServer(standalone);
    if (said !== "42") throw new Error(`the route said ${JSON.stringify(said)}`);
  },
  pnpm: () => {
    const folder = project("pnpm", { "main.mjs": program });
    const pnpm = join(tool("pnpm", "10"), "bin/pnpm.cjs");
    run(
      folder,
      process.execPath,
      pnpm,
      "add",
      "--store-dir",
      join(scratch, "store"),
      own.path,
      engine.path,
    );
    says(folder, process.execPath, "main.mjs");
  },
  "yarn-pnp": () => {
    const dependencies = {
      "secure-exec": `file:${own.path}`,
      [engineName()]: `file:${engine.path}`,
    };
    // What no registry has yet.
    const resolutions = { [engineName()]: `file:${engine.path}` };
    const config =
      "nodeLinker: pnp\nenableGlobalCache: false\nenableTelemetry: false\nenableScripts: false\n";
    const folder = project(
      "yarn",
      { "main.mjs": program, ".yarnrc.yml": config, "yarn.lock": "" },
      { dependencies, resolutions },
    );
    const yarn = join(tool("@yarnpkg/cli-dist", "4"), "bin/yarn.js");
    run(folder, process.execPath, yarn, "install");
    says(folder, process.execPath, yarn, "node", "main.mjs");
  },
  bun: () => {
    const folder = npmProject("bun", { "main.mjs": program });
    const bun = join(
      tool(`@oven/bun-linux-${process.arch === "x64" ? "x64" : "aarch64"}`, "1"),
      "bin/bun",
    );
    says(folder, bun, "main.mjs");
  },
};

let failed = 0;
for (const [name, attempt] of Object.entries(consumers)) {
  if (wanted.length > 0 && !wanted.some((part) => name.includes(part))) continue;
  try {
    await attempt();
    console.log(`${name}: works`);
  } catch (error) {
    failed++;
    const { stdout = "", message } = error;
    console.log(`${name}: FAILED\n${String(stdout).slice(-2000)}${message.slice(0, 2000)}`);
  }
}
console.log(
  `in ${relative(process.cwd(), scratch)}: ${failed === 0 ? "all work" : `${failed} fail`}`,
);
process.exitCode = failed === 0 ? 0 : 1;
