/** `cd` and `pwd`. */
import { S_IFDIR, S_IFMT, X_OK } from "../../../abi/fcntl.js";
import { Errno } from "../../../abi/errno.js";
import { errorText } from "../errors.js";
import type { Builtin, BuiltinCall } from "./builtin.js";

/** A path without `.`, `..` and doubled slashes, as the names say and not as links lead. */
function normalizePath(path: string): string {
  const components: string[] = [];
  for (const component of path.split("/")) {
    if (component === "..") components.pop();
    else if (component !== "" && component !== ".") components.push(component);
  }
  // Two slashes in front may mean something else than one, says POSIX; none more.
  return (/^\/\/(?!\/)/.test(path) ? "//" : "/") + components.join("/");
}

async function cd(call: BuiltinCall): Promise<number> {
  const { env, shell } = call;
  const { flags, operands } = call.options(shell.bash ? "LPe@" : "LP");
  let target = operands[0];
  let announce = false;
  if (operands.length > 1 && shell.bash) return call.complain("too many arguments");
  if (target === undefined) {
    target = env.variables.value("HOME");
    if (target === undefined) return shell.bash ? call.complain("HOME not set") : 0;
  } else if (target === "-") {
    const before = env.variables.value("OLDPWD");
    if (before === undefined && shell.bash) return call.complain("OLDPWD not set");
    target = before ?? env.cwd;
    announce = true;
  }
  return changeDirectory(call, target, { announce, physical: flags.has("P") });
}

/** Goes to a directory, by way of CDPATH where that applies. */
export async function changeDirectory(
  call: BuiltinCall,
  target: string,
  { announce = false, physical: wantsPhysical = false } = {},
): Promise<number> {
  const { env, shell } = call;
  const isPhysical = wantsPhysical || (shell.bash && env.options.has("physical"));
  const candidates = searched(call, target);
  let failure: number = Errno.ENOENT;
  for (const [path, fromSearch] of candidates) {
    const logical = env.resolve(path);
    const status = shell.system.stat(logical);
    if (typeof status === "number") {
      failure = -status;
      continue;
    }
    failure = (status.mode & S_IFMT) === S_IFDIR ? Errno.EACCES : Errno.ENOTDIR;
    if (failure === Errno.ENOTDIR || shell.system.access(logical, X_OK) < 0) continue;
    const physical = isPhysical ? shell.system.realpath(logical) : normalizePath(logical);
    if (typeof physical === "number") continue;
    env.assign("OLDPWD", env.cwd);
    env.cwd = physical;
    env.assign("PWD", physical);
    return announce || fromSearch ? call.print(`${physical}\n`) : 0;
  }
  if (shell.bash) {
    const named = env.shellOptions.has("cdable_vars") ? env.variables.value(target) : undefined;
    if (named !== undefined && named !== target) {
      return changeDirectory(call, named, { announce: true, physical: wantsPhysical });
    }
    return call.complain(`${target}: ${errorText(failure)}`);
  }
  return call.complain(`can't cd to ${target}`, 2);
}

/** The directory by way of CDPATH; true when it is to be printed. */
function searched(call: BuiltinCall, target: string): [path: string, fromSearch: boolean][] {
  const direct: [string, boolean] = [target === "" ? "." : target, false];
  const search = call.env.variables.value("CDPATH");
  if (search === undefined || /^(?:\/|\.\.?(?:\/|$))/.test(target)) return [direct];
  const candidates = search
    .split(":")
    .map((directory): [string, boolean] =>
      directory === "" ? direct : [`${directory}/${target}`, true],
    );
  return [...candidates, direct];
}

function pwd(call: BuiltinCall): Promise<number> {
  const { env, shell } = call;
  const { flags } = call.options("LP");
  const isPhysical = flags.has("P") || (env.options.has("physical") && !flags.has("L"));
  const physical = isPhysical ? shell.system.realpath(env.cwd) : env.cwd;
  return call.print(`${typeof physical === "number" ? env.cwd : physical}\n`);
}

export const directoryBuiltins: Record<string, Builtin> = { cd: { run: cd }, pwd: { run: pwd } };
