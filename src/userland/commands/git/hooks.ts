/**
 * Owns hooks: programs of the repository, or of `core.hooksPath`, that are run around a commit or a push. They run as
 * programs of the machine, with what that lets this process start.
 */
import { CommandExit } from "../../command.js";
import { statOrNothing } from "../../support/files.js";
import type { Repository } from "./repository.js";

/** What runs the hook of this name; nothing where there is none. */
async function hookPath(repository: Repository, name: string): Promise<string | undefined> {
  const { context, dir } = repository;
  const given = await repository.config("core.hookspath");
  const folder = (given ?? `${dir}/.git/hooks`).replace(/^~(?=\/)/, context.env["HOME"] ?? "~");
  const path = `${folder.startsWith("/") ? folder : `${dir}/${folder}`}/${name}`;
  const stat = statOrNothing(context, path, true);
  if (stat === undefined || !stat.isFile()) return undefined;
  if ((stat.mode & 0o111) !== 0) return path;
  if ((await repository.config("advice.ignoredhook")) !== "false")
    context.writeError(
      `hint: The '${given ?? ".git/hooks"}/${name}' hook was ignored because it's not set as executable.\n` +
        "hint: You can disable this warning with `git config advice.ignoredHook false`.\n",
    );
  return undefined;
}

/** The hook's exit code; 0 where there is no such hook. */
export async function runHook(
  repository: Repository,
  name: string,
  args: readonly string[] = [],
  input?: string,
): Promise<number> {
  const path = await hookPath(repository, name);
  if (path === undefined) return 0;
  const { context, dir } = repository;
  context.flush();
  // A hook's output goes where git's own errors go.
  const end = context.spawnSync("sh", ["-c", 'exec "$@" >&2', "sh", path, ...args], {
    cwd: dir,
    stdin: "ignore",
    env: {
      ...context.env,
      GIT_INDEX_FILE: `${dir}/.git/index`,
      GIT_EDITOR: ":",
      GIT_PREFIX: "",
    },
    ...(input !== undefined && { input: Buffer.from(input) }),
  });
  return end.code;
}

/** Ends git where the hook does not agree. */
export async function needHook(
  repository: Repository,
  name: string,
  args: readonly string[] = [],
  input?: string,
): Promise<void> {
  if ((await runHook(repository, name, args, input)) !== 0) throw new CommandExit(1);
}
