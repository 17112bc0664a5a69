/** Owns what refs there are, how they are shown and sorted, and the commands that read and move them: for-each-ref, show-ref, symbolic-ref, update-ref. */
import { CommandFailure, type CommandContext } from "../../command.js";
import { globRegex } from "../../support/glob.js";
import { parseOptions } from "../../support/options.js";
import { compareBytes } from "../../support/text.js";
import { compareVersions } from "../../support/versions.js";
import { dated, short, type Person } from "./commit-text.js";
import { fatal } from "./failures.js";
import type { Repository } from "./repository.js";

const none = "0".repeat(40);

export interface Ref {
  /** In full: refs/heads/main. */
  name: string;
  oid: string;
}

/** Branches, remote branches, tags and the stash, by name. */
export async function allRefs(repository: Repository): Promise<Ref[]> {
  const { git, base } = repository;
  const refs: Ref[] = [];
  for (const below of await git.listRefs({ ...base, filepath: "refs" })) {
    const name = `refs/${below}`;
    const oid = await git.resolveRef({ ...base, ref: name }).catch(() => undefined);
    if (oid !== undefined) refs.push({ name, oid });
  }
  return refs.sort((a, b) => compareBytes(a.name, b.name));
}

/** As git shortens it. */
export const shortName = (name: string): string =>
  name.replace(/^refs\/(?:heads|tags|remotes)\//, "").replace(/^refs\//, "");

/** The object behind annotated tags. */
export async function peeled(repository: Repository, oid: string): Promise<string> {
  const { git, base } = repository;
  for (let at = oid; ;) {
    const { type } = await git.readObject({ ...base, oid: at, format: "content" });
    if (type !== "tag") return at;
    at = (await git.readTag({ ...base, oid: at })).tag.object;
  }
}

/** The names that a log shows beside each commit, in git's order: HEAD, tags, remote branches, branches. */
export async function decorations(
  repository: Repository,
  full = false,
): Promise<ReadonlyMap<string, string[]>> {
  const shown = new Map<string, string[]>();
  const add = (oid: string, text: string): void =>
    void shown.set(oid, [...(shown.get(oid) ?? []), text]);
  const head = await repository.resolve("HEAD");
  const branch = await repository.branch();
  const own = `refs/heads/${branch}`;
  if (head !== undefined)
    add(head, branch === undefined ? "HEAD" : `HEAD -> ${full ? own : branch}`);
  for (const { name, oid } of (await allRefs(repository)).toReversed()) {
    if (name === own) continue;
    const text = full || name === "refs/stash" ? name : shortName(name);
    add(await peeled(repository, oid), name.startsWith("refs/tags/") ? `tag: ${text}` : text);
  }
  return shown;
}

/** The ref that a branch follows, in full. */
export async function upstreamOf(
  repository: Repository,
  branch: string,
): Promise<string | undefined> {
  const remote = await repository.config(`branch.${branch}.remote`);
  const merge = await repository.config(`branch.${branch}.merge`);
  if (remote === undefined || merge === undefined) return undefined;
  return remote === "." ? merge : merge.replace(/^refs\/heads\//, `refs/remotes/${remote}/`);
}

/** What is known of one ref to be shown or sorted by. */
interface Facts {
  ref: Ref;
  type: string;
  message: string;
  /** Of the commit, or of the tag. */
  creator: Person | undefined;
  committer: Person | undefined;
  author: Person | undefined;
  tagger: Person | undefined;
  /** The object behind an annotated tag. */
  target: string;
}

async function factsOf(repository: Repository, ref: Ref): Promise<Facts> {
  const { git, base } = repository;
  const { type } = await git.readObject({ ...base, oid: ref.oid, format: "content" });
  const facts = { ref, type: String(type), target: ref.oid };
  const nobody = { committer: undefined, author: undefined, tagger: undefined };
  if (type === "tag") {
    const { tag } = await git.readTag({ ...base, oid: ref.oid });
    const { tagger } = tag;
    return {
      ...facts,
      ...nobody,
      message: tag.message,
      creator: tagger,
      tagger,
      target: tag.object,
    };
  }
  if (type !== "commit") return { ...facts, ...nobody, message: "", creator: undefined };
  const { message, committer, author } = (await git.readCommit({ ...base, oid: ref.oid })).commit;
  return { ...facts, ...nobody, message, creator: committer, committer, author };
}

async function fieldOf(repository: Repository, facts: Facts, field: string): Promise<string> {
  const [name = "", form = ""] = field.split(":", 2);
  const { ref, message } = facts;
  const branch = /^refs\/heads\/(.*)$/s.exec(ref.name)?.[1];
  const lines = message.replace(/\n+$/, "").split("\n");
  const people = /^(creator|committer|author|tagger)(name|email|date)?$/.exec(name);
  if (people !== null) {
    const person = facts[people[1] as "creator" | "committer" | "author" | "tagger"];
    if (person === undefined) return "";
    if (people[2] === "name") return person.name;
    if (people[2] === "email") return form === "trim" ? person.email : `<${person.email}>`;
    return dated(person, form === "" ? "default" : form);
  }
  switch (name) {
    case "refname":
      if (form === "short") return shortName(ref.name);
      return /^(?:lstrip|strip)=\d+$/.test(form)
        ? ref.name
            .split("/")
            .slice(Number(form.split("=")[1]))
            .join("/")
        : ref.name;
    case "objectname":
      return form.startsWith("short") ? short(ref.oid) : ref.oid;
    case "objecttype":
      return facts.type;
    case "*objectname":
      return facts.target === ref.oid ? "" : facts.target;
    case "subject":
      return lines[0]!;
    case "contents":
      return form === "subject" ? lines[0]! : message;
    case "body":
      return lines.slice(2).join("\n");
    case "HEAD":
      return branch !== undefined && branch === (await repository.branch()) ? "*" : " ";
    case "upstream": {
      const upstream = branch === undefined ? undefined : await upstreamOf(repository, branch);
      return form === "short" ? shortName(upstream ?? "") : (upstream ?? "");
    }
    default:
      throw fatal(`unknown field name: ${field}`);
  }
}

export async function formattedRef(
  repository: Repository,
  facts: Facts,
  format: string,
): Promise<string> {
  const pieces = format.split(/(%\([^)]*\)|%%|%[0-9A-Fa-f]{2})/);
  const texts = pieces.map((piece) => {
    if (piece.startsWith("%(")) return fieldOf(repository, facts, piece.slice(2, -1));
    if (piece === "%%") return "%";
    return /^%[0-9A-Fa-f]{2}$/.test(piece)
      ? String.fromCharCode(parseInt(piece.slice(1), 16))
      : piece;
  });
  return (await Promise.all(texts)).join("");
}

/** In the order that `--sort` asks for, its keys as given: the last one counts most. */
export async function sortedRefs(
  repository: Repository,
  refs: readonly Ref[],
  keys: readonly string[],
): Promise<Facts[]> {
  const list = await Promise.all(refs.map((ref) => factsOf(repository, ref)));
  for (const given of keys) {
    const down = given.startsWith("-");
    const key = down ? given.slice(1) : given;
    const when = /^(creator|committer|author|tagger)date$/.exec(key)?.[1] as "creator" | undefined;
    const order = (a: Facts, b: Facts): number => {
      if (when !== undefined) return (a[when]?.timestamp ?? 0) - (b[when]?.timestamp ?? 0);
      const versions = /^(?:version:refname|v:refname)$/.test(key);
      return (versions ? compareVersions : compareBytes)(a.ref.name, b.ref.name);
    };
    if (when === undefined && !/^(?:(?:version:|v:)?refname)$/.test(key))
      throw fatal(`sorting by ${key} is not there`);
    list.sort((a, b) => (down ? order(b, a) : order(a, b)));
  }
  return list;
}

export async function forEachRef(repository: Repository, context: CommandContext): Promise<number> {
  const options = parseOptions(
    context,
    "",
    { "format=": "format", "sort=": "sort", "count=": "count", "points-at=": "points" },
    { status: 129 },
  );
  const patterns = options.operands.map((pattern) => {
    const glob = globRegex(pattern, { pathname: true });
    const stem = pattern.replace(/\/+$/, "");
    return (name: string) => name === stem || name.startsWith(`${stem}/`) || glob.test(name);
  });
  const at = options.has("points") ? await repository.need(options.get("points")!) : undefined;
  const refs = (await allRefs(repository)).filter(
    ({ name }) => patterns.length === 0 || patterns.some((has) => has(name)),
  );
  const format = options.get("format") ?? "%(objectname) %(objecttype)\t%(refname)";
  const list = (await sortedRefs(repository, refs, options.all("sort"))).filter(
    ({ ref, target }) => at === undefined || ref.oid === at || target === at,
  );
  const most = options.has("count") ? Number(options.get("count")) : list.length;
  for (const facts of list.slice(0, most))
    context.write(`${await formattedRef(repository, facts, format)}\n`);
  return 0;
}

export async function showRef(repository: Repository, context: CommandContext): Promise<number> {
  const options = parseOptions(
    context,
    "qds",
    {
      quiet: "q",
      verify: "verify",
      tags: "tags",
      heads: "heads",
      branches: "heads",
      dereference: "d",
      head: "head",
      "hash=?": "s",
    },
    { status: 129 },
  );
  const only = [
    ...(options.has("tags") ? ["refs/tags/"] : []),
    ...(options.has("heads") ? ["refs/heads/"] : []),
  ];
  const refs = await allRefs(repository);
  const head = await repository.resolve("HEAD");
  if (head !== undefined && (options.has("head") || options.operands.includes("HEAD")))
    refs.unshift({ name: "HEAD", oid: head });
  const chosen = refs.filter(({ name }) => {
    if (only.length > 0 && !only.some((prefix) => name.startsWith(prefix))) return false;
    if (options.operands.length === 0) return true;
    return options.operands.some((one) =>
      options.has("verify") ? name === one : name === one || name.endsWith(`/${one}`),
    );
  });
  if (options.has("verify") && chosen.length < options.operands.length) {
    if (options.has("q")) return 1;
    const missing = options.operands.find((one) => !chosen.some(({ name }) => name === one));
    throw fatal(`'${missing}' - not a valid ref`);
  }
  if (!options.has("q"))
    for (const { name, oid } of chosen) {
      context.write(options.has("s") ? `${oid}\n` : `${oid} ${name}\n`);
      const target = options.has("d") ? await peeled(repository, oid) : oid;
      if (target !== oid) context.write(`${target} ${name}^{}\n`);
    }
  return chosen.length > 0 ? 0 : 1;
}

export async function symbolicRef(
  repository: Repository,
  context: CommandContext,
): Promise<number> {
  const options = parseOptions(context, "qm:", { quiet: "q", short: "short" }, { status: 129 });
  const [name, value] = options.operands;
  const { git, base } = repository;
  if (name === undefined)
    throw new CommandFailure("usage: git symbolic-ref [<options>] <name> [<ref>]", 129);
  if (value !== undefined) {
    if (name === "HEAD" && !value.startsWith("refs/"))
      throw fatal("Refusing to point HEAD outside of refs/");
    await git.writeRef({ ...base, ref: name, value, symbolic: true, force: true });
    return 0;
  }
  const target = await git.resolveRef({ ...base, ref: name, depth: 2 }).catch(() => undefined);
  if (target === undefined || !target.startsWith("refs/")) {
    if (options.has("q")) return 1;
    throw fatal(`ref ${name} is not a symbolic ref`);
  }
  context.write(`${options.has("short") ? shortName(target) : target}\n`);
  return 0;
}

export async function updateRef(repository: Repository, context: CommandContext): Promise<number> {
  const options = parseOptions(
    context,
    "dm:",
    { "no-deref": "noderef", "create-reflog": "x" },
    { status: 129 },
  );
  const { git, base } = repository;
  const [given, ...values] = options.operands;
  const [value, old] = options.has("d") ? [undefined, values[0]] : values;
  if (given === undefined || (value === undefined && !options.has("d")))
    throw new CommandFailure(
      "usage: git update-ref [<options>] <refname> <new-oid> [<old-oid>]",
      129,
    );
  const branch =
    given === "HEAD" && !options.has("noderef") ? await repository.branch() : undefined;
  const ref = branch === undefined ? given : `refs/heads/${branch}`;
  if (ref !== "HEAD" && !ref.startsWith("refs/")) throw fatal(`${ref}: not a valid SHA1`);
  const now = (await git.resolveRef({ ...base, ref }).catch(() => undefined)) ?? none;
  const isNone = old === "" || old === none;
  const wanted = old === undefined ? now : isNone ? none : await repository.resolve(old);
  if (wanted === undefined) throw fatal(`${old}: not a valid old SHA1`);
  if (now !== wanted)
    throw fatal(
      now === none
        ? `cannot lock ref '${ref}': unable to resolve reference '${ref}'`
        : `cannot lock ref '${ref}': is at ${now} but expected ${wanted}`,
    );
  if (value === undefined || value === none) await git.deleteRef({ ...base, ref });
  else await git.writeRef({ ...base, ref, value: await repository.need(value), force: true });
  return 0;
}
