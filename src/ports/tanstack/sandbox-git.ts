/**
 * Owns the `git` of a TanStack sandbox: the machine's own command, with values that are quoted and never flags.
 *
 * Invariant: a token is in the environment of the one command that needs it, and in no argument.
 * Untrusted: git's output. Values come from the host, and may have been a model's.
 */
import type { Session } from "../core/session.js";

/** The machine's own git, in `dir` or the working directory. */
export interface SandboxGit {
  /** Clones a repository. */
  clone(input: {
    url: string;
    dir?: string;
    ref?: string;
    auth?: { username?: string; token: string };
    depth?: number | "full";
  }): Promise<void>;
  /** What `git status` prints. */
  status(dir?: string): Promise<string>;
  /** Adds paths to what is committed. */
  add(paths: string[], dir?: string): Promise<void>;
  /** Commits with that message. */
  commit(message: string, dir?: string): Promise<void>;
  /** Pushes the branch. */
  push(dir?: string): Promise<void>;
  /** Pulls the branch. */
  pull(dir?: string): Promise<void>;
  /** The current branch. */
  branch(dir?: string): Promise<string>;
}

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

function value(name: string, text: string): string {
  if (text.startsWith("-")) throw new RangeError(`git: ${name} must not begin with "-"`);
  return quoted(text);
}

/** git-credential(1): a helper that prints what is in its environment. */
const helper = '!f() { echo "username=$GIT_USER"; echo "password=$GIT_TOKEN"; }; f';

export function gitOf(session: Session): SandboxGit {
  const git = async (line: string, env?: Record<string, string>): Promise<string> => {
    const { exitCode, stdout, stderr } = await session.exec(`git ${line}`, { env });
    if (exitCode !== 0) throw new Error(`git: ${stderr.trim() || `exit code ${exitCode}`}`);
    return stdout;
  };
  const at = (dir = session.cwd): string => `-C ${value("dir", session.resolve(dir))}`;
  return {
    clone: async ({ url, dir = session.cwd, ref, auth, depth = 1 }) => {
      if (depth !== "full" && !(Number.isInteger(depth) && depth > 0))
        throw new RangeError('git: depth must be a positive whole number or "full"');
      const flags = [
        ...(auth === undefined ? [] : ["-c", `credential.helper=${quoted(helper)}`]),
        "clone",
        ...(ref === undefined ? [] : ["--branch", value("ref", ref)]),
        ...(depth === "full" ? [] : ["--depth", String(depth)]),
      ];
      const env = auth && { GIT_USER: auth.username ?? "x-access-token", GIT_TOKEN: auth.token };
      await git(
        `${flags.join(" ")} ${value("url", url)} ${value("dir", session.resolve(dir))}`,
        env,
      );
    },
    status: (dir) => git(`${at(dir)} status --porcelain`),
    add: async (paths, dir) =>
      void (await git(`${at(dir)} add -- ${paths.map((path) => quoted(path)).join(" ")}`)),
    commit: async (message, dir) => void (await git(`${at(dir)} commit -m ${quoted(message)}`)),
    push: async (dir) => void (await git(`${at(dir)} push`)),
    pull: async (dir) => void (await git(`${at(dir)} pull`)),
    branch: async (dir) => (await git(`${at(dir)} rev-parse --abbrev-ref HEAD`)).trim(),
  };
}
