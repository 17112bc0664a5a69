/**
 * Owns what a manifest of `@openai/agents-core` makes of a machine: files, directories, copies of the host's
 * files, repositories and bind mounts, with their modes.
 *
 * Invariants: an entry lies below the manifest's root; files of the host are those that its grants or the
 * client's source directory have, and none behind a symbolic link; what a machine cannot give is refused before
 * anything is made. Untrusted: nothing but content; a manifest is the host's.
 */
import { lstatSync, realpathSync } from "node:fs";
import { readFile, readdir } from "node:fs/promises";
import { posix, relative, resolve } from "node:path";
import { SecureExecError } from "../../index.js";
import type { Session } from "../core/session.js";

type Bag = Readonly<Record<string, unknown>>;

export interface ManifestEntry {
  type: string;
  ephemeral?: boolean;
  permissions?: unknown;
  group?: unknown;
  children?: Record<string, ManifestEntry>;
  content?: string | Uint8Array;
  src?: string;
  repo?: string;
  host?: string;
  ref?: string;
  subpath?: string;
  source?: string;
  mountPath?: string;
  readOnly?: boolean;
  mountStrategy?: { type: string };
}

export interface ManifestVariable {
  value?: string;
  ephemeral?: boolean;
  resolve(): Promise<string>;
  /** Of a reference to a secret: what may be persisted in its place. */
  toJSON?(): unknown;
}

/** The part of the package's class that is needed. */
export interface Manifest {
  readonly version: number;
  readonly root: string;
  readonly entries: Record<string, ManifestEntry>;
  readonly environment: Record<string, ManifestVariable>;
  readonly users: readonly unknown[];
  readonly groups: readonly unknown[];
  readonly extraPathGrants: readonly { path: string; readOnly?: boolean; hostPath?: string }[];
  readonly remoteMountCommandAllowlist: readonly string[];
}

/** The package's class, of which a manifest is. */
export type ManifestClass = new (init?: Record<string, unknown>) => Manifest;

export interface MaterializeOptions {
  /** Below it, files of the host need no grant. */
  sourceDirectory: string;
}

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
/** DEFAULT_SANDBOX_ENTRY_PERMISSIONS of the package. */
const defaultMode = 0o755;

/** A path of an entry, relative to the root. Throws for one that leaves it. */
function entryPath(path: string): string {
  const plain = posix.normalize(path).replace(/^\.\/?$|^\.\/|\/$/g, "");
  if (posix.isAbsolute(plain) || plain === ".." || plain.startsWith("../"))
    throw new Error(`the manifest's entry ${JSON.stringify(path)} is not below its root`);
  return plain;
}

/** Mode bits, of whichever form the package has for them: 0o750, "drwxr-x---", { owner, group, other }. */
function modeOf(permissions: unknown): number {
  if (permissions === undefined) return defaultMode;
  if (typeof permissions === "number") return permissions & 0o777;
  if (typeof permissions === "string") {
    const bits = permissions.slice(-9);
    return [...bits].reduce((mode, bit) => mode * 2 + (bit === "-" ? 0 : 1), 0);
  }
  const { owner = 7, group = 0, other = 0 } = permissions as Record<string, number | undefined>;
  return (owner << 6) | (group << 3) | other;
}

/** Every entry with its path, parents first. */
function* entriesOf(
  entries: Readonly<Record<string, ManifestEntry>>,
  below = "",
): Generator<[path: string, entry: ManifestEntry]> {
  for (const [name, entry] of Object.entries(entries)) {
    const own = entryPath(name);
    const path = own === "" ? below : posix.join(below, own);
    yield [path, entry];
    if (entry.type === "dir" && entry.children !== undefined)
      yield* entriesOf(entry.children, path);
  }
}

/** What persisted archives leave out. */
export function ephemeralPaths(manifest: Manifest): string[] {
  return [...entriesOf(manifest.entries)].flatMap(([path, entry]) =>
    entry.ephemeral === true || entry.type === "mount" ? [mountPathOf(path, entry)] : [],
  );
}

const mountPathOf = (path: string, { mountPath }: ManifestEntry): string =>
  mountPath === undefined ? path : entryPath(mountPath);

/** Where entries of a manifest will be, relative to its root. */
export const entryPaths = (manifest: Manifest): string[] =>
  [...entriesOf(manifest.entries)].map(([path, entry]) => mountPathOf(path, entry));

/** The package's class for errors of mounts. */
export type MountErrorClass = new (
  message: string,
  details?: Record<string, unknown>,
  code?: "unsupported_feature",
) => Error;

/** Throws for what no machine of ours can give. */
export function checkManifest(manifest: Manifest, MountError?: MountErrorClass): void {
  if (manifest.users.length > 0) throw unsupported("manifest users");
  if (manifest.groups.length > 0) throw unsupported("manifest groups");
  for (const [path, entry] of entriesOf(manifest.entries)) checkEntry(path, entry, MountError);
}

/** As the package's own errors have a code. */
const unsupported = (feature: string): Error =>
  Object.assign(new Error(`secure-exec does not support ${feature} yet`), {
    code: "unsupported_feature",
    details: { provider: "secure-exec", feature },
  });

const plainTypes = ["dir", "file", "local_file", "local_dir", "git_repo"];
const bindStrategy = "local_bind";

export function checkEntry(path: string, entry: ManifestEntry, MountError?: MountErrorClass): void {
  if (entry.group !== undefined) throw unsupported("sandbox entry group ownership");
  const { type, mountStrategy } = entry;
  if (plainTypes.includes(type)) return;
  const strategy = mountStrategy?.type ?? bindStrategy;
  if (type === "mount" && strategy === bindStrategy) return;
  const message =
    `secure-exec does not support entries of type ${type} (${path}) with the strategy ${strategy}; ` +
    `its one SDK-supported strategy is ${bindStrategy}, of entries of type mount`;
  const [code, details] = ["unsupported_feature", { provider: "secure-exec", path }] as const;
  throw MountError === undefined
    ? Object.assign(new Error(message), { code, details })
    : new MountError(message, details, code);
}

/** A file of the host that may be copied, without symbolic links on its way. */
function sourceOf(
  manifest: Manifest,
  entry: ManifestEntry,
  { sourceDirectory }: MaterializeOptions,
) {
  const { src = "", type } = entry;
  const path = resolve(sourceDirectory, src);
  const allowed = [sourceDirectory, ...manifest.extraPathGrants.map((grant) => grant.path)];
  const isBelow = (directory: string): boolean => {
    const way = relative(resolve(directory), path);
    return way !== ".." && !way.startsWith("../");
  };
  if (!allowed.some(isBelow))
    throw new Error(
      `${type} source ${src} is outside of ${sourceDirectory} and of the manifest's extraPathGrants`,
    );
  if (lstatSync(path).isSymbolicLink())
    throw new Error(`${type} entries do not support symbolic links: ${src}`);
  if (realpathSync(path) !== path)
    throw new Error(`${type} entries do not support symbolic link ancestors: ${src}`);
  return path;
}

async function copyDirectory(session: Session, from: string, to: string): Promise<void> {
  await session.mkdir(to, { recursive: true });
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [`${from}/${entry.name}`, posix.join(to, entry.name)];
    if (entry.isDirectory()) await copyDirectory(session, source, target);
    else if (entry.isFile()) await session.writeFile(target, await readFile(source));
    else throw new Error(`local_dir entries do not support symbolic links: ${source}`);
  }
}

async function command(session: Session, line: string, what: string): Promise<void> {
  const { exitCode, stderr } = await session.exec(line, { cwd: "/" });
  if (exitCode !== 0) throw new Error(`${what} failed: ${stderr.trim().slice(0, 500)}`);
}

async function clone(session: Session, target: string, entry: ManifestEntry): Promise<void> {
  const { host = "github.com", repo = "", ref, subpath } = entry;
  const url = repo.includes("://") ? repo : `https://${host}/${repo}`;
  const branch = ref === undefined ? "" : `--branch ${quoted(ref)} `;
  const place = subpath === undefined ? target : `/tmp/.clone-${Date.now()}`;
  await command(
    session,
    `git clone --depth 1 ${branch}${quoted(url)} ${quoted(place)}`,
    `cloning ${url}`,
  );
  if (subpath === undefined) return;
  await session.rename(posix.join(place, entryPath(subpath)), target);
  await session.remove(place);
}

/** Makes one entry; its children are entries of their own. */
async function make(
  session: Session,
  manifest: Manifest,
  path: string,
  entry: ManifestEntry,
  options: MaterializeOptions,
): Promise<void> {
  const target = posix.join(manifest.root, path);
  switch (entry.type) {
    case "dir":
      await session.mkdir(target, { recursive: true });
      break;
    case "file":
      await session.writeFile(target, entry.content ?? "");
      break;
    case "local_file":
      await session.writeFile(target, await readFile(sourceOf(manifest, entry, options)));
      break;
    case "local_dir":
      await copyDirectory(session, sourceOf(manifest, entry, options), target);
      break;
    case "git_repo":
      await session.mkdir(posix.dirname(target), { recursive: true });
      return clone(session, target, entry);
    default:
      return bind(session, posix.join(manifest.root, mountPathOf(path, entry)), entry);
  }
  await command(
    session,
    `chmod ${modeOf(entry.permissions).toString(8)} ${quoted(target)}`,
    "chmod",
  );
}

/** A directory of the host; for reading unless the entry says otherwise, and the kernel holds it to that. */
async function bind(session: Session, guestPath: string, entry: ManifestEntry): Promise<void> {
  const { source = "", readOnly = true } = entry;
  await session.runtime.mount({ guestPath, hostPath: source, readOnly });
}

/** Makes all entries of a manifest that was checked. */
export async function materialize(
  session: Session,
  manifest: Manifest,
  options: MaterializeOptions,
): Promise<void> {
  for (const [path, entry] of entriesOf(manifest.entries))
    await make(session, manifest, path, entry, options);
}

/** Shows the directories of the host that the manifest grants, at their path or the one it has for them. */
export async function mountGrants(session: Session, manifest: Manifest): Promise<void> {
  for (const { path, hostPath = path, readOnly = false } of manifest.extraPathGrants)
    await session.runtime.mount({ guestPath: path, hostPath, readOnly });
}

const bindsOf = (manifest: Manifest): [guestPath: string, entry: ManifestEntry][] =>
  [...entriesOf(manifest.entries)]
    .filter(([, { type }]) => type === "mount")
    .map(([path, entry]) => [posix.join(manifest.root, mountPathOf(path, entry)), entry]);

/** Does `work` on a workspace without its binds, which it has again afterwards. */
export async function withoutBinds(
  session: Session,
  manifest: Manifest,
  work: () => Promise<void>,
): Promise<void> {
  const binds = bindsOf(manifest);
  for (const [guestPath] of [...binds].reverse())
    await session.runtime.unmount(guestPath).catch((error: unknown) => {
      // In a machine that was just made, nothing is mounted.
      const code = SecureExecError.isSecureExecError(error) ? error.code : undefined;
      if (code !== "ERR_SECURE_EXEC_FILE") throw error;
    });
  try {
    await work();
  } finally {
    for (const [guestPath, entry] of binds) await bind(session, guestPath, entry);
  }
}

export async function environmentOf(manifest: Manifest): Promise<Record<string, string>> {
  const env: Record<string, string> = {};
  for (const [name, variable] of Object.entries(manifest.environment))
    env[name] = await variable.resolve();
  return env;
}

/** Variables as they may be persisted: values, and references in place of what they stand for. */
export function persistentVariables(manifest: Manifest): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(manifest.environment)
      .filter(([, variable]) => variable.ephemeral !== true)
      .map(([name, variable]) => [name, variable.toJSON?.() ?? { value: variable.value ?? "" }]),
  );
}

/** Entries without those that are ephemeral; a mount is one, whose content lies elsewhere, so it stays. */
function lasting(
  entries: Readonly<Record<string, ManifestEntry>>,
  passing = false,
): Record<string, ManifestEntry> {
  const kept: Record<string, ManifestEntry> = {};
  for (const [name, entry] of Object.entries(entries)) {
    const passes = passing || entry.ephemeral === true;
    const children = entry.children && lasting(entry.children, passes);
    const hasMounts = children !== undefined && Object.keys(children).length > 0;
    if (passes && entry.type !== "mount" && !hasMounts) continue;
    kept[name] = children === undefined ? entry : { ...entry, children };
  }
  return kept;
}

/** What a class of the package is made of; `ephemeral` things are left out where they are not wanted. */
export function initOf(manifest: Manifest, { ephemeral = true } = {}): Record<string, unknown> {
  const environment = Object.entries(manifest.environment).filter(
    ([, variable]) => ephemeral || variable.ephemeral !== true,
  );
  return {
    version: manifest.version,
    root: manifest.root,
    entries: ephemeral ? manifest.entries : lasting(manifest.entries),
    environment: Object.fromEntries(environment),
    users: manifest.users,
    groups: manifest.groups,
    extraPathGrants: manifest.extraPathGrants,
    remoteMountCommandAllowlist: manifest.remoteMountCommandAllowlist,
  };
}

/** A manifest with what another adds to it or replaces. */
export function merged(base: Manifest, delta: { entries?: Bag; environment?: Bag }): Manifest {
  const { entries, environment, ...rest } = initOf(base);
  const Class = base.constructor as ManifestClass;
  return new Class({
    ...rest,
    entries: { ...(entries as object), ...delta.entries },
    environment: { ...(environment as object), ...delta.environment },
  });
}

/** A manifest of the same root and grants with these entries alone. */
export function only(base: Manifest, entries: Record<string, ManifestEntry>): Manifest {
  const Class = base.constructor as ManifestClass;
  return new Class({ ...initOf(base), entries, environment: {} });
}
