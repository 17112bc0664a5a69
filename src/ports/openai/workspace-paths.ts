/**
 * Owns which paths the file helpers of a session take: those of the workspace and of the manifest's grants, by their
 * name and by the links on their way.
 *
 * This keeps a model's helpers where the package keeps them; it is no wall. Commands see the whole machine and may
 * change a link meanwhile, and the machine is what is isolated.
 * Untrusted: paths are the model's, links the machine's.
 */
import { posix } from "node:path";
import type { Session } from "../core/session.js";
import type { Manifest } from "./manifest.js";

export interface PathOptions {
  forWrite?: boolean;
}

type Base = { path: string; readOnly?: boolean };

/** SYMLINK_MAX's kin: Linux follows so many links on one way (MAXSYMLINKS of include/linux/namei.h). */
const mostLinks = 40;

const isBelow = (path: string, base: string): boolean =>
  path === base || path.startsWith(base === "/" ? base : `${base}/`);

/** Whether `..` leads above where the path begins. */
function climbsOut(path: string): boolean {
  let depth = 0;
  for (const part of path.split("/")) {
    if (part === "..") depth--;
    else if (part !== "" && part !== ".") depth++;
    if (depth < 0) return true;
  }
  return false;
}

export class WorkspacePaths {
  readonly #session: Session;
  readonly #manifest: () => Manifest;

  constructor(session: Session, manifest: () => Manifest) {
    this.#session = session;
    this.#manifest = manifest;
  }

  /** The directory of the workspace or of a grant that has `full`. Throws where none has. */
  #baseOf(full: string, path: string, { forWrite = false }: PathOptions): Base {
    const { root, extraPathGrants } = this.#manifest();
    if (isBelow(full, root)) return { path: root };
    const grants = extraPathGrants.filter((grant) => isBelow(full, grant.path));
    const [grant] = grants.sort((left, right) => right.path.length - left.path.length);
    if (grant === undefined)
      throw new RangeError(
        `Sandbox path ${JSON.stringify(path)} escapes the workspace root ${root}`,
      );
    if (forWrite && grant.readOnly === true)
      throw new RangeError(
        `Sandbox path ${JSON.stringify(path)} uses read-only extra path grant ${grant.path}`,
      );
    return grant;
  }

  /** The absolute path that is meant, by its name alone. Throws for one that no helper may use. */
  resolve(path: string, options: PathOptions = {}): string {
    if (climbsOut(path))
      throw new RangeError(`Sandbox path ${JSON.stringify(path)} must not escape root`);
    const full = posix.resolve(this.#manifest().root, path);
    this.#baseOf(full, path, options);
    return full;
  }

  /** The same, where links on the way do not lead elsewhere either; in another base, it is the path there. */
  async locate(path: string, options: PathOptions = {}): Promise<string> {
    const full = this.resolve(path, options);
    const first = this.#baseOf(full, path, options).path;
    let at = full;
    for (let links = 0; links < mostLinks; links++) {
      const base = this.#baseOf(at, path, options).path;
      const next = await this.#firstLink(at, base);
      if (next === undefined) return base === first ? full : at;
      at = next;
    }
    throw new RangeError(`Sandbox path ${JSON.stringify(path)} has too many symbolic links`);
  }

  /** Where the first link below `base` leads, with what follows it; undefined where there is none. */
  async #firstLink(full: string, base: string): Promise<string | undefined> {
    const rest = posix.relative(base, full).split("/").filter(Boolean);
    let at = base;
    for (let part = rest.shift(); part !== undefined; part = rest.shift()) {
      const next = posix.join(at, part);
      const stat = await this.#session.stat(next, { follow: false });
      if (stat === undefined) return undefined;
      if (stat.type === "symlink") {
        const target = await this.#session.runtime.fs.readlink(next);
        return posix.resolve(at, target, ...rest);
      }
      at = next;
    }
    return undefined;
  }
}
