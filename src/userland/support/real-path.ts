/** Owns resolving a path whose last or any parts may be missing, for readlink and realpath. */
import type { CommandContext } from "../command.js";
import { errorCode } from "./errors.js";

const maxLinks = 40;

/** `need`: which components must exist — all, all but the last, or none. */
export function resolvePath(
  context: CommandContext,
  path: string,
  need: "all" | "parent" | "none",
): string {
  const { fs } = context;
  const failure = (code: string) => Object.assign(new Error(code), { code, path });
  if (path === "") throw failure("ENOENT");
  const pending = path.split("/").reverse();
  let resolved = path.startsWith("/") ? "" : fs.realpathSync(context.cwd()).replace(/^\/$/, "");
  let links = 0;
  while (pending.length > 0) {
    const part = pending.pop()!;
    if (part === "" || part === ".") continue;
    if (part === "..") {
      resolved = resolved.slice(0, Math.max(resolved.lastIndexOf("/"), 0));
      continue;
    }
    const next = `${resolved}/${part}`;
    const more = pending.some((name) => name !== "" && name !== ".");
    try {
      const stats = fs.lstatSync(next);
      if (stats.isSymbolicLink()) {
        if (++links > maxLinks) throw failure("ELOOP");
        const target = fs.readlinkSync(next);
        if (target.startsWith("/")) resolved = "";
        pending.push(...target.split("/").reverse());
        continue;
      }
      if (pending.length > 0 && !stats.isDirectory() && need !== "none") throw failure("ENOTDIR");
    } catch (error) {
      if (errorCode(error) !== "ENOENT" && !(need === "none" && errorCode(error) === "ENOTDIR")) {
        throw error;
      }
      if (need === "all" || (need === "parent" && more)) throw error;
    }
    resolved = next;
  }
  return resolved || "/";
}
