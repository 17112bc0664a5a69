/**
 * Owns `secure-exec typecheck`: the TypeScript compiler of the working directory's packages looks at a project or at
 * files, in a machine that sees nothing else of the host, but for files: the packages that they would import.
 * Untrusted: the code, and so the texts of diagnostics, which are made printable.
 */
import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import type { TypeScriptDiagnostic } from "../ports/typescript/index.js";
import { printable } from "../sdk/errors.js";
import type { Arguments, Flag } from "./arguments.js";
import { UsageError } from "./arguments.js";

export const typecheckFlags: readonly Flag[] = [
  {
    name: "compiler",
    value: "DIR",
    help: "the package of the compiler; by default the one that is installed here",
  },
  { name: "config", value: "FILE", help: "another tsconfig.json, relative to the project" },
  { name: "json", help: "print diagnostics as lines of JSON" },
];

/** Where the machine sees the project. */
const projectDir = "/app";
/** Where the machine sees the compiler: not in a directory that is shown itself. */
const compilerDir = "/usr/lib/secure-exec-typescript";
const longestMessageChars = 4096;
/** What the compiler says of a name, or of a module, of Node's that it knows nothing of. */
const nodeTypesCodes: readonly number[] = [2307, 2580, 2591];

/** The packages that a file would find: the next node_modules at or above it, rather one with types of Node. */
function packagesAt(file: string): string | undefined {
  const found: string[] = [];
  for (let at = dirname(resolve(file)); ; at = dirname(at)) {
    const packages = join(at, "node_modules");
    if (existsSync(packages)) found.push(packages);
    if (at === dirname(at)) break;
  }
  const packages = found.find((each) => existsSync(join(each, "@types/node"))) ?? found[0];
  return packages === undefined ? undefined : realpathSync(packages);
}

/** The packages of types that count by themselves; the compiler's version 6 wants them named. */
function ambientTypes(packages: string | undefined): string[] {
  const types = packages === undefined ? undefined : join(packages, "@types");
  return types === undefined || !existsSync(types) ? [] : readdirSync(types);
}

function nodeTypesHint(path: string, isProject: boolean): string {
  const place = isProject ? `in ${path}` : "beside the file or above it";
  return `secure-exec: hint: the types of Node are in @types/node: npm install --save-dev @types/node ${place}\n`;
}

/** As tsc writes it; `path` is the host's. */
function lineOf(
  { code, category, message, line, column }: TypeScriptDiagnostic,
  path: string,
): string {
  const place = line === undefined ? "" : `(${line},${column ?? 1})`;
  const where = path === "" ? "" : `${path}${place}: `;
  return `${where}${category} TS${code}: ${printable(message, longestMessageChars)}\n`;
}

/** Exit code: 0, or 1 when there are errors. */
export async function typecheck({ given, rest }: Arguments): Promise<number> {
  const [first = ".", ...more] = rest;
  const isProject = statSync(first).isDirectory();
  if (isProject && more.length > 0) throw new UsageError("typecheck takes one directory, or files");
  const config = given.get("config")?.[0];
  if (config !== undefined && !isProject) throw new UsageError("--config is for a directory");
  const compilerPackageDir = given.get("compiler")?.[0];
  const packages = isProject ? undefined : packagesAt(first);
  const types = ambientTypes(packages);
  const shown = [
    ...(isProject ? [{ guestPath: projectDir, hostPath: resolve(first) }] : []),
    ...(packages === undefined
      ? []
      : [{ guestPath: `${projectDir}/node_modules`, hostPath: packages }]),
  ];
  const { createTypeScriptTools } = await import("../ports/typescript/index.js");
  const tools = createTypeScriptTools({
    ...(compilerPackageDir !== undefined && { compilerPackageDir }),
    compilerGuestDir: compilerDir,
    mounts: shown,
  });
  let errors = 0;
  let wantsNode = false;
  const show = (path: string, diagnostic: TypeScriptDiagnostic): void => {
    const { category, code, message } = diagnostic;
    if (category === "error") errors++;
    if (nodeTypesCodes.includes(code) && /'node:|@types\/node/.test(message)) wantsNode = true;
    const text = given.has("json")
      ? `${JSON.stringify({ ...diagnostic, filePath: path })}\n`
      : lineOf(diagnostic, path);
    process.stdout.write(text);
  };
  try {
    if (isProject) {
      const options = { cwd: projectDir, ...(config !== undefined && { configFilePath: config }) };
      const { diagnostics } = await tools.typecheckProject(options);
      for (const one of diagnostics) show((one.filePath ?? "").replace(`${projectDir}/`, ""), one);
    } else {
      for (const path of rest) {
        const sourceText = readFileSync(path, "utf8");
        const { diagnostics } = await tools.typecheckSource({
          sourceText,
          filePath: basename(path),
          cwd: projectDir,
          compilerOptions: { types },
        });
        for (const one of diagnostics) show(path, one);
      }
    }
    if (wantsNode && !types.includes("node")) process.stderr.write(nodeTypesHint(first, isProject));
    return errors > 0 ? 1 : 0;
  } finally {
    await tools.dispose();
  }
}
