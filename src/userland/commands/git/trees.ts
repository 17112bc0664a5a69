/** Owns what revisions, the index and the work tree hold: paths with object, mode and content. */
import type { Repository } from "./repository.js";

/** One file of a tree. */
export interface Version {
  oid: string;
  /** Octal, as in a tree: 100644. */
  mode: string;
  /** As a byte string. */
  text(): Promise<string>;
}

export type Files = Map<string, Version>;

/** What a commit or tree holds; nothing for no revision. */
export async function filesOf(repository: Repository, oid: string | undefined): Promise<Files> {
  const files: Files = new Map();
  if (oid === undefined) return files;
  const { git, base } = repository;
  const visit = async (tree: string, prefix: string): Promise<void> => {
    for (const entry of (await git.readTree({ ...base, oid: tree })).tree) {
      const path = prefix + entry.path;
      if (entry.type === "tree") await visit(entry.oid, `${path}/`);
      else if (entry.type === "blob")
        files.set(path, {
          oid: entry.oid,
          mode: entry.mode,
          text: () => repository.blob(entry.oid),
        });
    }
  };
  await visit(oid, "");
  return files;
}

/** What the index or the work tree holds of the tracked files. */
export async function tracked(repository: Repository, where: "index" | "work"): Promise<Files> {
  const { git, base } = repository;
  const files: Files = new Map();
  const trees = [git.STAGE(), ...(where === "work" ? [git.WORKDIR()] : [])];
  await git.walk({
    ...base,
    trees,
    map: async (path, [staged, work]) => {
      const entry = where === "work" ? work : staged;
      // Undefined would end the walk below a folder of the index, which has no entry there of its own.
      if (!staged) return path === "." ? true : null;
      if (!entry || (await entry.type()) !== "blob") return true;
      const oid = (await entry.oid())!;
      const text = async (): Promise<string> => {
        const content = where === "work" ? await entry.content() : undefined;
        return content === undefined
          ? repository.blob(oid)
          : Buffer.from(content).toString("latin1");
      };
      files.set(path, { oid, mode: (await entry.mode()).toString(8), text });
      return true;
    },
  });
  return files;
}

interface TreeNode {
  readonly trees: Map<string, TreeNode>;
  readonly blobs: Map<string, { oid: string; mode: string }>;
}

/** Writes the tree of these files; its object. */
export async function writeTreeOf(
  repository: Repository,
  files: ReadonlyMap<string, { oid: string; mode: string }>,
): Promise<string> {
  const made = (): TreeNode => ({ trees: new Map(), blobs: new Map() });
  const root = made();
  for (const [path, { oid, mode }] of files) {
    const parts = path.split("/");
    const name = parts.pop()!;
    let node = root;
    for (const part of parts) {
      if (!node.trees.has(part)) node.trees.set(part, made());
      node = node.trees.get(part)!;
    }
    node.blobs.set(name, { oid, mode });
  }
  const write = async (node: TreeNode): Promise<string> => {
    const tree = [];
    for (const [path, below] of node.trees)
      tree.push({ mode: "040000", path, oid: await write(below), type: "tree" as const });
    for (const [path, { oid, mode }] of node.blobs)
      tree.push({ mode, path, oid, type: "blob" as const });
    return repository.git.writeTree({ ...repository.base, tree });
  };
  return write(root);
}

/** Puts a file of a tree at its place in the work tree, or takes it away. */
export async function place(
  { context, dir }: Repository,
  path: string,
  version: Version | undefined,
): Promise<void> {
  const { fs } = context;
  const target = `${dir}/${path}`;
  if (version === undefined) {
    fs.rmSync(target, { force: true });
    for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1)) {
      try {
        fs.rmdirSync(`${dir}/${path.slice(0, at)}`);
      } catch {
        // There is something else in it.
        break;
      }
    }
    return;
  }
  const data = Buffer.from(await version.text(), "latin1");
  fs.mkdirSync(target.slice(0, target.lastIndexOf("/")), { recursive: true });
  fs.rmSync(target, { force: true });
  if (version.mode === "120000") fs.symlinkSync(data, target);
  else fs.writeFileSync(target, data, { mode: parseInt(version.mode, 8) & 0o777 });
}

/** Makes the index name these files, of which the objects are there. */
export async function stage(
  repository: Repository,
  path: string,
  version: { oid: string; mode: string } | undefined,
): Promise<void> {
  const { git, base } = repository;
  if (version === undefined) await git.remove({ ...base, filepath: path });
  else
    await git.updateIndex({
      ...base,
      filepath: path,
      oid: version.oid,
      mode: parseInt(version.mode, 8),
      add: true,
    });
}
