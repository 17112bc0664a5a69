/**
 * Owns `.env` files: process.loadEnvFile and what --env-file names, which the engine's
 * C++ (src/node_dotenv.cc) would read past the machine's file system. The parser is the
 * engine's own.
 */
import { O_RDONLY } from "../abi/fcntl.js";
import type { EngineTools } from "./environment.js";
import type { CommandLine } from "./node-cli.js";

/** Of the command line; the second may be missing. */
const options = ["--env-file", "--env-file-if-exists"] as const;

/** Throws what `fs` has for it: ENOENT, EISDIR and so on. */
function read(tools: EngineTools, path: string): Record<string, string> {
  const text = tools.internalBinding("fs").readFileUtf8(path, O_RDONLY) as string;
  return tools.internalBinding("util").parseEnv(text) as Record<string, string>;
}

/** Replaces the function in this thread; what C++ reads, the filter of the process would refuse. */
export function installEnvFiles(tools: EngineTools): void {
  const { getValidatedPath } = tools.requireBuiltin("internal/fs/utils");
  const { UVException } = tools.requireBuiltin("internal/errors");
  process.loadEnvFile = function loadEnvFile(given: unknown = undefined): void {
    const path = given == null ? ".env" : (getValidatedPath(given) as string);
    let variables: Record<string, string>;
    try {
      variables = read(tools, path);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EISDIR")
        throw Object.assign(new TypeError(`Contents of '${path}' should be a valid string.`), {
          code: "ERR_INVALID_ARG_TYPE",
        });
      if (code !== "ENOENT" && code !== "ENOTDIR") throw error;
      throw new UVException({
        errno: (error as NodeJS.ErrnoException).errno,
        syscall: "open",
        path,
      });
    }
    for (const [name, value] of Object.entries(variables)) process.env[name] ??= value;
  };
}

/**
 * Sets what the files of the command line say and the environment does not; a later file wins over
 * an earlier one. Answers the file that is missing, or undefined.
 */
export function loadEnvFiles(tools: EngineTools, line: CommandLine): string | undefined {
  const collected: Record<string, string> = Object.create(null);
  for (const [option, file] of filesInOrder(line)) {
    try {
      Object.assign(collected, read(tools, file));
    } catch {
      if (option === "--env-file") return file;
      process.stderr.write(`${file} not found. Continuing without it.\n`);
    }
  }
  for (const [name, value] of Object.entries(collected)) process.env[name] ??= value;
  return undefined;
}

function* filesInOrder(line: CommandLine): Generator<readonly [option: string, file: string]> {
  const next = new Map(options.map((option) => [option as string, 0]));
  for (const text of line.execArgv) {
    const option = text.split("=", 1)[0]!;
    const at = next.get(option);
    if (at === undefined) continue;
    next.set(option, at + 1);
    const file = (line.values.get(option) as string[] | undefined)?.[at];
    if (file !== undefined) yield [option, file];
  }
}
