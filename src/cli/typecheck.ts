/**
 * Owns `secure-exec typecheck`: the TypeScript compiler of the working directory's packages looks at a project or at
 * files, in a machine that sees nothing else of the host.
 * Untrusted: the code, and so the texts of diagnostics, which are made printable.
 */
import { readFileSync, statSync } from "node:fs";
import { basename, resolve } from "node:path";
import { createTypeScriptTools } from "../ports/typescript/index.js";
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
const longestMessageChars = 4096;

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
  const tools = createTypeScriptTools({
    ...(compilerPackageDir !== undefined && { compilerPackageDir }),
    ...(isProject && { mounts: [{ guestPath: projectDir, hostPath: resolve(first) }] }),
  });
  let errors = 0;
  const show = (path: string, diagnostic: TypeScriptDiagnostic): void => {
    if (diagnostic.category === "error") errors++;
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
        });
        for (const one of diagnostics) show(path, one);
      }
    }
    return errors > 0 ? 1 : 0;
  } finally {
    await tools.dispose();
  }
}
