/**
 * Owns `node --run name`: runs a script of the nearest package.json, as the engine's
 * src/node_task_runner.cc does from C++. The script is a process of the machine; its
 * text and the file it is in are the program's own business.
 */
import type { RequireBuiltin } from "./engine-types.js";
interface Tools {
  requireBuiltin: RequireBuiltin;
}

/** src/node_exit_code.h: kGenericUserError. */
const failed = 1;
const shell = "/bin/sh";

interface Package {
  path: string;
  text: string;
  /** The `node_modules/.bin` directories on the way to the root, each with a colon behind it. */
  binaries: string;
}

export function runTask(tools: Tools, name: string, positional: readonly string[]): void {
  const fail = (message: string): void => {
    process.stderr.write(message);
    process.exit(failed);
  };
  const found = findPackage(tools, process.cwd());
  if (found === undefined)
    return fail(`Can't find package.json for directory ${process.cwd()}\n\n`);
  let content: unknown;
  try {
    content = JSON.parse(found.text);
  } catch {
    return fail(`Can't parse ${found.path}\n`);
  }
  if (!isObject(content)) return fail(`Root value unexpected not an object for ${found.path}\n\n`);
  const { scripts } = content;
  if (!isObject(scripts)) return fail(`Can't find "scripts" field in ${found.path}\n`);
  const command = Object.hasOwn(scripts, name) ? scripts[name] : undefined;
  if (command === undefined)
    return fail(`Missing script: "${name}" for ${found.path}\n\n${available(scripts)}`);
  if (typeof command !== "string")
    return fail(`Script "${name}" is unexpectedly not a string for ${found.path}\n\n`);
  start(tools, found, name, [command, ...positional.map(quote)].join(" "), fail);
}

/** What `--run` without a name shows; nothing where there is no package. */
export function listTasks(tools: Tools): string {
  const found = findPackage(tools, process.cwd());
  try {
    const { scripts } = JSON.parse(found?.text ?? "{}") as { scripts?: unknown };
    return isObject(scripts) ? available(scripts) : "";
  } catch {
    return "";
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function available(scripts: Record<string, unknown>): string {
  const lines = Object.entries(scripts)
    .filter(([, command]) => typeof command === "string")
    .map(([name, command]) => `  ${name}: ${command as string}\n`);
  return `Available scripts are:\n${lines.join("")}`;
}

function findPackage(tools: Tools, from: string): Package | undefined {
  const fs = tools.requireBuiltin("fs");
  const { dirname, join } = tools.requireBuiltin("path");
  let path: string | undefined;
  let text = "";
  let binaries = "";
  for (let directory = from; directory !== "/"; directory = dirname(directory)) {
    const bin = join(directory, "node_modules/.bin");
    if (fs.statSync(bin, { throwIfNoEntry: false })?.isDirectory() === true) binaries += `${bin}:`;
    if (text !== "") continue;
    path = join(directory, "package.json");
    try {
      text = fs.readFileSync(path, "utf8");
    } catch {
      // The one above may have it.
    }
  }
  return text === "" ? undefined : { path: path!, text, binaries };
}

/** EscapeShell of src/node_task_runner.cc, for a POSIX shell. */
function quote(argument: string): string {
  if (argument === "") return "''";
  if (!/[\t\n\r "#$&'()*;<>?\\`|~[\]]/.test(argument)) return argument;
  return `'${argument.replaceAll("'", "'\\''")}'`;
}

function start(
  tools: Tools,
  { path, binaries }: Package,
  name: string,
  command: string,
  fail: (message: string) => void,
): void {
  const env = {
    ...process.env,
    PATH: binaries + (process.env["PATH"] ?? ""),
    NODE_RUN_SCRIPT_NAME: name,
    NODE_RUN_PACKAGE_JSON_PATH: path,
  };
  const cwd = tools.requireBuiltin("path").dirname(path) as string;
  const child = tools
    .requireBuiltin("child_process")
    .spawn(shell, ["-c", command], { cwd, env, stdio: "inherit" });
  child.on("error", (error: Error) => fail(`Error: ${error.message}\n`));
  // A signal leaves no code, and Node then ends with 0.
  child.on("exit", (code: number | null) => process.exit((code ?? 0) > 0 ? failed : 0));
}
