/** Owns `git archive`: the files of a commit or tree as a tar. */
import { gzipSync } from "node:zlib";
import { CommandFailure, type CommandContext } from "../../command.js";
import { parseOptions } from "../../support/options.js";
import { headerBlocks, padded, type Entry } from "../../../protocol/tar.js";
import { fatal } from "./failures.js";
import { isWithin } from "./diff.js";
import { peeled } from "./refs.js";
import type { Repository } from "./repository.js";

const recordBytes = 10_240;
const endBytes = 1024;

export async function archive(repository: Repository, context: CommandContext): Promise<number> {
  const options = parseOptions(
    context,
    "lvo:",
    { "format=": "format", "prefix=": "prefix", "output=": "o", list: "l", verbose: "v" },
    { status: 129 },
  );
  if (options.has("l")) {
    context.write("tar\ntgz\ntar.gz\n");
    return 0;
  }
  const [name, ...paths] = options.operands;
  if (name === undefined)
    throw new CommandFailure("usage: git archive [<options>] <tree-ish> [<path>...]", 129);
  const output = options.get("o");
  const byName = /\.(tgz|tar\.gz|zip)$/.exec(output ?? "")?.[1] ?? "tar";
  const format = options.get("format") ?? byName;
  if (!["tar", "tgz", "tar.gz"].includes(format)) throw fatal(`Unknown archive format '${format}'`);
  const oid = await repository.resolve(name);
  if (oid === undefined) throw fatal(`not a valid object name: ${name}`);
  const blocks = await tarOf(repository, oid, {
    prefix: options.get("prefix") ?? "",
    paths: paths.map((path) => repository.pathOf(path)),
    report: (path) => (options.has("v") ? context.writeError(`${path}\n`) : undefined),
  });
  const bytes = format === "tar" ? blocks : gzipSync(blocks);
  if (output === undefined) context.write(bytes);
  else context.fs.writeFileSync(output, bytes);
  return 0;
}

interface Wanted {
  readonly prefix: string;
  readonly paths: readonly string[];
  report(path: string): void;
}

async function tarOf(
  repository: Repository,
  oid: string,
  { prefix, paths, report }: Wanted,
): Promise<Buffer> {
  const { git, base } = repository;
  const target = await peeled(repository, oid);
  const { type } = await git.readObject({ ...base, oid: target, format: "content" });
  const commit =
    type === "commit" ? (await git.readCommit({ ...base, oid: target })).commit : undefined;
  const mtimeSeconds = commit?.committer.timestamp ?? Math.floor(Date.now() / 1000);
  const parts: Buffer[] = [];
  const put = (entry: Partial<Entry> & { name: string }, content = Buffer.alloc(0)): void => {
    parts.push(
      headerBlocks({
        mode: 0o664,
        uid: 0,
        gid: 0,
        size: content.length,
        mtimeSeconds,
        type: "0",
        link: "",
        user: "root",
        group: "root",
        ...entry,
      }),
      padded(content),
    );
  };
  if (commit !== undefined)
    put(
      { name: "pax_global_header", type: "g", mode: 0o666 },
      Buffer.from(`52 comment=${target}\n`),
    );
  const found = new Set<string>();
  const visit = async (tree: string, below: string): Promise<void> => {
    for (const entry of (await git.readTree({ ...base, oid: tree })).tree) {
      const path = below + entry.path;
      const isMeant = isWithin(path, paths);
      for (const wanted of paths) if (isWithin(path, [wanted])) found.add(wanted);
      const leads = paths.some((wanted) => wanted.startsWith(`${path}/`));
      if (!isMeant && !leads) continue;
      const name = prefix + path;
      if (entry.type === "tree") {
        report(`${name}/`);
        put({ name: `${name}/`, type: "5", mode: 0o775 });
        await visit(entry.oid, `${path}/`);
        continue;
      }
      if (entry.type !== "blob") continue;
      report(name);
      const content = Buffer.from(await repository.blob(entry.oid), "latin1");
      if (entry.mode === "120000")
        put({ name, type: "2", mode: 0o777, size: 0, link: content.toString("utf8") });
      else put({ name, mode: entry.mode === "100755" ? 0o775 : 0o664 }, content);
    }
  };
  const root = commit?.tree ?? target;
  if (prefix.endsWith("/")) put({ name: prefix, type: "5", mode: 0o775 });
  await visit(root, "");
  const missing = paths.find((path) => path !== "" && path !== "." && !found.has(path));
  if (missing !== undefined) throw fatal(`pathspec '${missing}' did not match any files`);
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const rest = (length + endBytes) % recordBytes;
  parts.push(Buffer.alloc(endBytes + ((recordBytes - rest) % recordBytes)));
  return Buffer.concat(parts);
}
