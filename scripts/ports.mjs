// Runs the public test suites of other packages against our ports and prints what passes.
// Suites come from the packages' repositories and peers from npm, both into a folder outside this
// repository; nothing of them is kept here. Usage:
//   node scripts/ports.mjs [part of a suite's name...]
// SECURE_EXEC_PORT_SOURCES: a folder with git directories named owner+name or owner+name/repo, instead of
// GitHub. SECURE_EXEC_PORT_FOLDER: where suites and peers are put; what is there is used again.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = process.env.SECURE_EXEC_PORT_FOLDER ?? join(tmpdir(), "secure-exec-port-suites");
const sources = process.env.SECURE_EXEC_PORT_SOURCES;
const wanted = process.argv.slice(2);
const engine = join(
  dirname(createRequire(import.meta.url).resolve(`node-linux-${process.arch}/package.json`)),
  "bin/node",
);
const port = (name) => JSON.stringify(join(root, "dist/ports", name));
const suiteTimeoutMs = 15 * 60_000;

/**
 * `files`: what is taken of the repository, path there → path here; a folder is taken whole.
 * `edits`: texts of the taken files that name the implementation under test.
 * `own`: files that stand in for it; without a `repo` they are all there is, and run what a peer has. `expected`: what has to pass; a failure beyond it is ours.
 */
const suites = [
  {
    name: "codemode",
    repo: "cloudflare/agents",
    files: { "packages/codemode/src/tests/executor.test.ts": "executor.test.ts" },
    edits: [
      ['from "../executor"', 'from "./ours"'],
      ['import { env } from "cloudflare:workers";', "const env = { LOADER: 0 };"],
    ],
    own: {
      "ours.ts": `import { SecureExecExecutor } from ${port("codemode.js")};
export class DynamicWorkerExecutor extends SecureExecExecutor {
  constructor({ loader, ...options }) { super(options); }
}
export class ToolDispatcher {}`,
    },
    peers: [],
    expected: 33,
  },
  {
    name: "tanstack-isolate",
    repo: "TanStack/ai",
    files: {
      "packages/ai-isolate-node/tests/isolate-driver.test.ts": "node-driver.test.ts",
      "packages/ai-isolate-node/tests/escape-attempts.test.ts": "node-escape.test.ts",
      "packages/ai-isolate-quickjs/tests/isolate-driver.test.ts": "quickjs-driver.test.ts",
      "packages/ai-isolate-quickjs/tests/escape-attempts.test.ts": "quickjs-escape.test.ts",
      "packages/ai-isolate-quickjs/src/error-normalizer.ts": "error-normalizer.ts",
    },
    edits: [
      ["'../src/isolate-driver'", "'./ours'"],
      ["'../src/error-normalizer'", "'./error-normalizer'"],
    ],
    own: {
      "ours.ts": `export {
  createIsolateDriver as createNodeIsolateDriver,
  createIsolateDriver as createQuickJSIsolateDriver,
} from ${port("tanstack/index.js")};
export const probeIsolatedVm = () => ({ compatible: true });`,
    },
    peers: [],
    expected: 56,
  },
  {
    name: "tanstack-sandbox",
    repo: "TanStack/ai",
    files: {
      ...Object.fromEntries(
        ["local-process", "journal.conformance", "reaper.conformance", "takeover.conformance"].map(
          (name) => [`packages/ai-sandbox-local-process/tests/${name}.test.ts`, `${name}.test.ts`],
        ),
      ),
      // The published package is older than its test kit.
      "packages/ai-sandbox/src": "ai-sandbox",
    },
    edits: [
      ["'../src/index'", "'./ours'"],
      ["'@tanstack/ai-sandbox/testkit'", "'./ai-sandbox/testkit/conformance'"],
      ["'@tanstack/ai-sandbox'", "'./ai-sandbox/index'"],
    ],
    own: {
      "ours.ts": `import { secureExecSandbox } from ${port("tanstack/index.js")};
export const localProcessSandbox = () => secureExecSandbox();`,
    },
    peers: ["@tanstack/ai", "@modelcontextprotocol/sdk"],
    expected: 40,
  },
  {
    name: "ai-session",
    repo: "vercel/ai",
    files: {
      "packages/sandbox-just-bash/src/just-bash-sandbox-session.test.ts": "session.test.ts",
      "packages/sandbox-just-bash/src/just-bash-network-sandbox-session.test.ts": "network.test.ts",
    },
    edits: [
      ["from 'just-bash'", "from './ours'"],
      ["from './just-bash-sandbox-session'", "from './ours'"],
      ["from './just-bash-network-sandbox-session'", "from './ours'"],
    ],
    own: {
      "ours.ts": `import { HarnessCapabilityUnsupportedError } from "@ai-sdk/harness";
import { Session, SecureExecNetworkSandboxSession } from ${port("ai/index.js")};
export { SecureExecSandboxSession as JustBashSandboxSession } from ${port("ai/index.js")};
export const Sandbox = Session;
export class JustBashNetworkSandboxSession extends SecureExecNetworkSandboxSession {
  constructor({ sandbox }) { super(sandbox, () => sandbox.dispose(), undefined, HarnessCapabilityUnsupportedError); }
}`,
    },
    peers: ["@ai-sdk/harness", "zod"],
    expected: 17,
  },
  {
    name: "ai-harness",
    repo: "vercel/ai",
    files: { "packages/sandbox-vercel/src/vercel-sandbox.test.ts": "vercel-sandbox.test.ts" },
    edits: [["'./vercel-sandbox'", "'./ours'"]],
    own: {
      // The suite's stand-in for Vercel's client gives the ports, where they are reached, and hears of the end; the machine is ours.
      "ours.ts": `import { HarnessCapabilityUnsupportedError } from "@ai-sdk/harness";
import { afterEach } from "vitest";
import { Session, createSecureExecSandbox } from ${port("ai/index.js")};
const ends = [];
afterEach(() => Promise.all(ends.splice(0).map((end) => end())));
export function createVercelSandbox({ sandbox, ...options }) {
  const create = async () => {
    if (sandbox === undefined) return createSecureExecSandbox({ ...options, HarnessCapabilityUnsupportedError });
    const session = await Session.create({
      ports: sandbox.routes.map(({ port }) => port),
      publicUrl: (port) => sandbox.domain(port),
    });
    ends.push(session.dispose.bind(session));
    session.dispose = async () => (await sandbox.stop(), await sandbox.delete());
    return createSecureExecSandbox({ session, HarnessCapabilityUnsupportedError });
  };
  return {
    createSession: async (asked) => (await create()).createSession(asked),
    resumeSession: async (asked) => (await create()).resumeSession(asked),
  };
}`,
      // The client that the suite puts its stand-in in the place of is not needed.
      "client.ts": "export {};",
      "vitest.config.ts": `export default { resolve: { alias: { "@vercel/sandbox": new URL("client.ts", import.meta.url).pathname } } };`,
    },
    peers: ["@ai-sdk/harness", "zod"],
    expected: 9,
  },
  {
    name: "ai-harness-agent",
    repo: "vercel/ai",
    files: { "packages/harness/src": "src" },
    only: /^(?!.*\.test(?:-d)?\.ts$)|\/harness-agent\.test\.ts$/,
    edits: [
      // The agent's sessions are machines, but for the tests that look at calls of a stand-in.
      [
        "  sandboxSession = makeSandboxSession(),\n): HarnessV1SandboxProvider {",
        "  sandboxSession?: HarnessV1NetworkSandboxSession,\n): HarnessV1SandboxProvider {\n  if (sandboxSession === undefined) return ours();",
      ],
      [
        "import { HarnessAgent } from './harness-agent';",
        "import { HarnessAgent } from './harness-agent';\nimport { ours } from '../../ours';",
      ],
    ],
    own: {
      "ours.ts": `import { HarnessCapabilityUnsupportedError } from "./src/errors/harness-capability-unsupported-error";
import { afterEach } from "vitest";
import { createSecureExecSandbox } from ${port("ai/index.js")};
const providers = [];
afterEach(() => Promise.all(providers.splice(0).map((provider) => provider.dispose())));
export function ours() {
  const provider = createSecureExecSandbox({ cwd: "/work", HarnessCapabilityUnsupportedError });
  providers.push(provider);
  const { specificationVersion, providerId, createSession } = provider;
  // The suite resumes sessions that nobody made: its stand-in has any.
  const resumeSession = (options) => provider.resumeSession(options).catch(() => createSession(options));
  return { specificationVersion, providerId, createSession, resumeSession };
}`,
    },
    peers: ["@ai-sdk/harness", "ai", "zod"],
    expected: 65,
  },
  {
    name: "deepagents",
    repo: "langchain-ai/deepagentsjs",
    files: { "libs/standard-tests/src": "src" },
    edits: [],
    own: {
      "secure-exec.test.ts": `import { sandboxStandardTests } from "./src/vitest.js";
import { SecureExecBackend } from ${port("deepagents.js")};
sandboxStandardTests({
  name: "secure-exec",
  createSandbox: (options) => SecureExecBackend.create({ initialFiles: options?.initialFiles ?? {} }),
  createUninitializedSandbox: () => new SecureExecBackend(),
  closeSandbox: (sandbox) => sandbox.close(),
  resolvePath: (path) => "/tmp/" + path,
});`,
    },
    peers: ["deepagents", "langchain", "@langchain/core", "@langchain/langgraph"],
    expected: 93,
  },
  {
    name: "bash-tool",
    repo: "vercel-labs/bash-tool",
    files: { src: "src" },
    only: /^(?!.*\.test\.ts$)|\/tool\.(?:integration\.)?test\.ts$/,
    edits: [
      ['import { createBashTool } from "./tool.js"', 'import { createBashTool } from "../ours.js"'],
      [
        "const mockFiles: Record<string, string> = {};",
        'import { shown as mockFiles } from "../ours.js";',
      ],
    ],
    own: {
      "ours.ts": `import { createBashTool as create } from "./src/tool.js";
import { createSandbox } from ${port("bash-tool.js")};
// What one of the suites looks at in its own stand-in's memory, and puts there: here they are files of the machine.
export const shown = {};
async function shownSandbox() {
  const machine = await createSandbox();
  const written = new Map();
  const put = async () => {
    const files = Object.entries(shown).map(([path, content]) => ({ path, content }));
    const put = files.filter(({ path, content }) => written.get(path) !== content);
    for (const { path, content } of put) written.set(path, content);
    if (put.length > 0) await machine.writeFiles(put);
  };
  return {
    executeCommand: async (command) => (await put(), machine.executeCommand(command)),
    readFile: async (path) => (await put(), machine.readFile(path)),
    writeFiles: async (files) => {
      await machine.writeFiles(files);
      for (const { path } of files) written.set(path, (shown[path] = await machine.readFile(path)));
    },
  };
}
export const createBashTool = async (options = {}) =>
  create(options.sandbox ? options : { destination: "/workspace", ...options, sandbox: await shownSandbox() });`,
    },
    peers: ["ai", "zod", "just-bash"],
    expected: 41,
  },
  {
    name: "computesdk",
    repo: "computesdk/computesdk",
    files: { "packages/test-utils/src/provider-test-suite.ts": "provider-test-suite.ts" },
    edits: [],
    own: {
      "secure-exec.test.ts": `import { defineProvider } from "@computesdk/provider";
import { secureExec } from ${port("computesdk.js")};
import { runProviderTestSuite } from "./provider-test-suite";
runProviderTestSuite({
  name: "secure-exec",
  provider: secureExec(defineProvider)({}),
  supportsFilesystem: true,
  supportsStreaming: true,
  ports: [38471, 38472],
});`,
    },
    peers: ["@computesdk/provider"],
    expected: 19,
  },
  {
    name: "openai-sandbox",
    repo: "openai/openai-agents-js",
    files: { "packages/agents-core/test/sandboxes/unixLocal.test.ts": "sandbox.test.ts" },
    edits: [
      ["'../../src/sandbox/local'", "'./ours'"],
      ["'../../src/sandbox/internal'", "'./internal'"],
      ["'../../src/sandbox/sandboxes/shared/localWorkspace'", "'./workspace'"],
    ],
    own: {
      "internal.ts": `export * from "../../node_modules/@openai/agents-core/dist/sandbox/internal.mjs";`,
      "workspace.ts": `export * from "../../node_modules/@openai/agents-core/dist/sandbox/sandboxes/shared/localWorkspace.mjs";`,
      // The suite looks at its workspaces on the host: they are, as mounts, but for those that have mounts
      // themselves or are the machine's root. One that is deleted there is a machine that is gone.
      "ours.ts": `import { existsSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { applyDiff } from "@openai/agents-core";
import { Manifest, SandboxMountError } from "@openai/agents-core/sandbox/local";
import { SecureExecSandboxClient } from ${port("openai/index.js")};
export * from "@openai/agents-core/sandbox/local";
const isMount = ({ type }) => type === "mount";
export class UnixLocalSandboxClient extends SecureExecSandboxClient {
  constructor({ workspaceBaseDir = tmpdir(), ...options } = {}) {
    const given = { Manifest, applyDiff, SandboxMountError, ...options };
    super(given);
    this.place = workspaceBaseDir;
    this.given = given;
    this.inner = new Map();
  }
  async shown(manifest, use) {
    const { root = "/workspace", entries = {} } = manifest ?? {};
    const isShown = root !== "/" && !Object.values(entries).some(isMount);
    const hostPath = isShown ? await mkdtemp(join(this.place, "workspace-")) : root;
    const runtime = isShown ? { mounts: [{ guestPath: root, hostPath, readOnly: false }] } : {};
    const client = new SecureExecSandboxClient({ ...this.given, runtime });
    const session = await use(client);
    const resolve = session.resolveSandboxPath.bind(session);
    session.resolveSandboxPath = (path, options) => join(hostPath, resolve(path, options).slice(root.length));
    session.state.workspaceRootPath = hostPath;
    this.inner.set(session.state.sessionId, client);
    return session;
  }
  create(args = {}, options = {}) {
    return this.shown(args.manifest ?? args, (client) => client.create(args, options));
  }
  of(state) { return this.inner.get(state.sessionId) ?? [...this.inner.values()][0]; }
  serializeSessionState(state) { return this.of(state).serializeSessionState(state); }
  async resume(state, options) {
    if (existsSync(state.workspaceRootPath) || state.workspaceRootPath === state.manifest.root)
      return this.of(state).resume(state, options);
    await this.of(state).dispose();
    return this.shown(state.manifest, (client) => client.resume(state, options));
  }
}`,
    },
    peers: ["@openai/agents-core@0.20"],
    expected: 48,
  },
  {
    name: "e2b",
    repo: "e2b-dev/E2B",
    files: { "packages/js-sdk/src": "src", "packages/js-sdk/tests": "tests" },
    only: /\/src\/|tests\/(?:setup|template|cmdHelper|foreignPlatformObjects)\.ts$|tests\/sandbox\/(?:commands|files|pty)\//,
    edits: [["sandboxTest.override(", "sandboxTest.scoped("]],
    own: {
      "vitest.config.ts": `export default { test: { globalSetup: "./serve.ts" } };`,
      // The SDK is the published one's source, unchanged: it is pointed here by its variables.
      "serve.ts": `import { serveE2b } from ${port("e2b/index.js")};
export default async () => {
  const { url, apiKey, close } = await serveE2b({ runtime: { permissions: { network: "allow" } } });
  Object.assign(process.env, { E2B_API_URL: url, E2B_SANDBOX_URL: url, E2B_API_KEY: apiKey });
  return close;
};`,
      "package.json": `{ "type": "module", "version": "2.51.0", "name": "e2b" }`,
    },
    peers: ["e2b@2.51", "error-stack-parser-es"],
    expected: 111,
  },
  {
    name: "mcp-toolkit",
    repo: "nuxt-modules/mcp-toolkit",
    files: {
      "packages/nuxt-mcp-toolkit/src/runtime/server/mcp/codemode":
        "src/runtime/server/mcp/codemode",
      "packages/nuxt-mcp-toolkit/test/codemode-executor.test.ts": "test/executor.test.ts",
    },
    only: /executor\.ts$|executor\.test\.ts$|normalize-code\.ts$|types\.ts$/,
    edits: [],
    own: {
      // A dependent, unchanged: the package's name stands for this one.
      "vitest.config.ts": `export default { resolve: { alias: { "secure-exec": ${JSON.stringify(join(root, "dist/index.js"))} } } };`,
    },
    peers: ["zod"],
    expected: 19,
  },
  {
    name: "mastra",
    repo: "mastra-ai/mastra",
    files: { "workspaces/_test-utils/src": "src" },
    only: /^(?!.*\.test\.ts$)/,
    edits: [],
    own: {
      // What the suites leave to a provider to claim: reconnection to a stopped machine, and mounts of other providers' file systems.
      "secure-exec.test.ts": `import * as workspace from "@mastra/core/workspace";
import { SecureExecFilesystem, SecureExecSandbox } from ${port("mastra/index.js")};
import { Session } from ${port("ai/index.js")};
import { createFilesystemTestSuite } from "./src/filesystem";
import { createWorkspaceIntegrationTests } from "./src/integration";
import { createSandboxTestSuite } from "./src/sandbox";
createSandboxTestSuite({
  suiteName: "sandbox",
  createSandbox: (options) => new SecureExecSandbox(options),
});
let session;
createFilesystemTestSuite({
  suiteName: "file system",
  createFilesystem: async () => {
    session = await Session.create();
    return new SecureExecFilesystem(session, { errors: workspace });
  },
  cleanupFilesystem: () => session.dispose(),
});
createWorkspaceIntegrationTests({
  suiteName: "workspace",
  mountPath: "/workspace",
  testScenarios: { fileSync: true, writeReadConsistency: true, concurrentOperations: true, largeFileHandling: true },
  createWorkspace: async () => {
    const sandbox = new SecureExecSandbox();
    const filesystem = await sandbox.filesystem({ errors: workspace });
    return new workspace.Workspace({ filesystem, sandbox });
  },
});`,
    },
    peers: ["@mastra/core@1.71"],
    expected: 133,
  },
  {
    name: "conformance",
    files: {},
    edits: [],
    own: {
      // The package's own runner; each of its scenarios is a test here. The server is McpServer with what they call.
      "conformance.test.mjs": `import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { afterAll, expect, test } from "vitest";
const server = spawn(process.execPath, [${JSON.stringify(join(root, "scripts/mcp-conformance-server.mjs"))}], { stdio: ["ignore", "pipe", "inherit"] });
afterAll(() => server.kill());
const [url] = await once(createInterface({ input: server.stdout }), "line");
const runner = ${JSON.stringify(join(folder, "node_modules/@modelcontextprotocol/conformance/dist/index.js"))};
let said;
try {
  said = execFileSync(process.execPath, [runner, "server", "--suite", "all", "--url", url], { encoding: "utf8" });
} catch (error) {
  said = error.stdout;
}
for (const [, mark, name] of said.matchAll(/^(✓|✗) ([\\w-]+): /gm)) test(name, () => expect(mark).toBe("✓"));`,
    },
    peers: ["@modelcontextprotocol/conformance"],
    expected: 32,
  },
  {
    name: "driver-api",
    repo: "computesdk/computesdk",
    files: {
      "packages/test-utils/src/provider-test-suite.ts": "provider-test-suite.ts",
      // A dependent of the older generation, unchanged but for where the package lies.
      "packages/secure-exec/src/index.ts": "provider.ts",
    },
    edits: [["} from 'secure-exec';", `} from ${JSON.stringify(join(root, "dist/index.js"))};`]],
    own: {
      "secure-exec.test.ts": `import { secureExec } from "./provider";
import { runProviderTestSuite } from "./provider-test-suite";
runProviderTestSuite({
  name: "secure-exec",
  provider: secureExec({}),
  supportsFilesystem: true,
  supportsGetUrl: false,
});`,
    },
    peers: ["@computesdk/provider", "nanoid"],
    expected: 0,
  },
];

/** The git directory of a repository, cloned where no folder has it. */
function repository(repo) {
  const plain = repo.replace("/", "+");
  for (const path of sources === undefined
    ? []
    : [join(sources, plain, "repo"), join(sources, plain)])
    if (existsSync(path)) return path;
  const clone = join(folder, "repositories", plain);
  if (!existsSync(clone))
    execFileSync("git", [
      "clone",
      "-q",
      "--bare",
      "--depth",
      "1",
      `https://github.com/${repo}`,
      clone,
    ]);
  return clone;
}

/** Puts a suite's files into its folder; answers the commit that they are of. */
function take(suite) {
  const git = suite.repo === undefined ? undefined : repository(suite.repo);
  const run = (...args) =>
    execFileSync("git", ["-C", git, ...args], { encoding: "utf8", maxBuffer: 2 ** 28 });
  const place = join(folder, "suites", suite.name);
  for (const [from, to] of Object.entries(suite.files)) {
    for (const path of run("ls-tree", "-r", "--name-only", "HEAD", from).trim().split("\n")) {
      if (suite.only !== undefined && !suite.only.test(path)) continue;
      const file = join(place, to, path.slice(from.length + 1));
      let text = run("show", `HEAD:${path}`);
      for (const [old, ours] of suite.edits) text = text.replaceAll(old, ours);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text);
    }
  }
  mkdirSync(place, { recursive: true });
  for (const [name, text] of Object.entries(suite.own)) writeFileSync(join(place, name), text);
  if (git === undefined) return "";
  return run("rev-parse", "--short=10", "HEAD").trim();
}

function installPeers(chosen) {
  const peers = ["vitest@3", ...new Set(chosen.flatMap((suite) => suite.peers))];
  mkdirSync(folder, { recursive: true });
  const manifest = join(folder, "package.json");
  if (!existsSync(manifest)) writeFileSync(manifest, '{"private":true,"type":"module"}');
  const missing = peers.filter(
    (name) => !existsSync(join(folder, "node_modules", name.replace(/(.)@.*/, "$1"))),
  );
  if (missing.length === 0) return;
  const flags = ["--legacy-peer-deps", "--ignore-scripts", "--no-audit", "--no-fund"];
  execFileSync("npm", ["install", ...flags, ...missing], { cwd: folder, stdio: "inherit" });
}

/** Runs one suite; answers its tests as vitest's JSON has them. */
function run(suite) {
  const report = join(folder, `${suite.name}.json`);
  const { stdout, stderr } = spawnSync(
    engine,
    [
      join(folder, "node_modules/vitest/vitest.mjs"),
      "run",
      "--root",
      join(folder, "suites", suite.name),
      "--no-file-parallelism",
      "--testTimeout=60000",
      "--reporter=json",
      `--outputFile=${report}`,
    ],
    { cwd: folder, encoding: "utf8", timeout: suiteTimeoutMs },
  );
  if (!existsSync(report)) throw new Error(`${suite.name} did not run\n${stdout}\n${stderr}`);
  const { testResults } = JSON.parse(readFileSync(report, "utf8"));
  for (const { name, message, assertionResults } of testResults)
    if (assertionResults.length === 0) console.log(`  ${name}: ${message}`);
  return testResults.flatMap(({ assertionResults }) => assertionResults);
}

const chosen = suites.filter(
  ({ name }) => wanted.length === 0 || wanted.some((part) => name.includes(part)),
);
if (chosen.length === 0) {
  console.error(
    `Usage: node scripts/ports.mjs [part of a suite's name...]\n\nSuites: ${suites.map(({ name }) => name).join(", ")}`,
  );
  process.exit(wanted.includes("--help") ? 0 : 2);
}
installPeers(chosen);
let short = false;
for (const suite of chosen) {
  const commit = take(suite);
  const tests = run(suite);
  const passed = tests.filter(({ status }) => status === "passed");
  console.log(
    `${suite.name}: ${passed.length} of ${tests.length} (${`${suite.repo ?? suite.peers.join(", ")} ${commit}`.trim()})`,
  );
  for (const { fullName, status, failureMessages } of tests)
    if (status !== "passed")
      console.log(`  ${status}: ${fullName}: ${failureMessages[0]?.split("\n")[0] ?? ""}`);
  if (passed.length < suite.expected) short = true;
}
process.exit(short ? 1 : 0);
