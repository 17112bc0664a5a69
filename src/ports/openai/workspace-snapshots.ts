/**
 * Owns what is kept of a session's workspace where its client's `snapshot` asks for that: a directory of this host, or
 * an archive in a store of the package's interface.
 *
 * Invariants: a directory that is removed is one that was made here, whatever a state says; on the host there are
 * files and directories alone, links are in a list beside them.
 * Untrusted: names and content of the workspace; `copyOut` keeps them below the directory.
 */
import { randomUUID } from "node:crypto";
import { access, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { isAbsolute, join, posix } from "node:path";
import {
  archiveOf,
  checkWorkspace,
  emptyDirectory,
  fingerprintOf,
  restoreArchive,
} from "../core/workspace-archive.js";
import type { ArchiveBounds } from "../core/workspace-archive.js";
import type { Session } from "../core/session.js";
import { ephemeralPaths } from "./manifest.js";
import type { Manifest } from "./manifest.js";

/** Where a workspace is kept: nowhere, as a directory of this host, or with a store of the package's interface. */
export type SnapshotSpec =
  | { type: "noop" }
  /** `baseDir`: default $OPENAI_AGENTS_SANDBOX_SNAPSHOT_DIR, or the package's own folder of the user's state. */
  | { type: "local"; baseDir?: string }
  | {
      type: "remote";
      id?: string;
      store: {
        /** Keeps a workspace. */
        save(args: { id?: string; data: Uint8Array }): Promise<{ id: string }>;
        /** What was kept. */
        load(args: { id: string }): Promise<{ data: Uint8Array }>;
      };
    };

/** What a state has of it. */
export interface Snapshot {
  id: string;
  type: string;
  [more: string]: unknown;
}

/** The package's name for what a fingerprint is of. */
export const fingerprintVersion = "workspace_tree_sha256_v1";

const fileName = /^[\w-]+$/;

function folderOf({ baseDir }: { baseDir?: string }): string {
  const configured = baseDir ?? process.env["OPENAI_AGENTS_SANDBOX_SNAPSHOT_DIR"]?.trim();
  if (configured !== undefined && configured !== "") return configured;
  const state = process.env["XDG_STATE_HOME"]?.trim() ?? "";
  const home = homedir();
  const base = isAbsolute(state) ? state : home === "" ? tmpdir() : join(home, ".local/state");
  return join(base, "openai-agents-js/sandbox-snapshots");
}

const directoryOf = (spec: { baseDir?: string }, id: string): string =>
  join(folderOf(spec), `secure-exec-${id}`);
const linksOf = (directory: string): string => `${directory}.links.json`;

async function removeDirectory(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true });
  await rm(linksOf(directory), { force: true });
}

/** Copies the workspace out; its links are told in a list. */
async function copyWorkspace(session: Session, manifest: Manifest, to: string): Promise<void> {
  const excluded = new Set(ephemeralPaths(manifest));
  const { root } = manifest;
  checkWorkspace(root);
  await mkdir(to, { recursive: true, mode: 0o700 });
  if (!excluded.has("")) {
    const filter = (path: string): boolean => !excluded.has(path);
    const { skipped } = await session.runtime.copyOut(root, to, { filter });
    const links: [string, string][] = [];
    for (const path of skipped) {
      const full = posix.join(root, path);
      const stat = await session.stat(full, { follow: false });
      if (stat?.type === "symlink" && !excluded.has(path))
        links.push([path, await session.runtime.fs.readlink(full)]);
    }
    await writeFile(linksOf(to), JSON.stringify(links), { mode: 0o600 });
  }
}

async function restoreWorkspace(session: Session, root: string, from: string): Promise<void> {
  await access(from);
  await emptyDirectory(session, root);
  await session.runtime.copyIn(from, root);
  const text = await readFile(linksOf(from), "utf8").catch(() => "[]");
  for (const [path, target] of JSON.parse(text) as [string, string][]) {
    const full = posix.join(root, path);
    if (full.startsWith(`${root}/`)) await session.runtime.fs.symlink(target, full);
  }
}

export class WorkspaceSnapshots {
  /** Directories that were made or restored from here, by session. */
  readonly #directories = new Map<string, string>();

  /** Keeps the workspace as `spec` says, in the place of what was kept of this session before. */
  async save(
    session: Session,
    manifest: Manifest,
    spec: SnapshotSpec | null,
    archive: () => Promise<Uint8Array>,
    before: Snapshot | null,
  ): Promise<Snapshot | null> {
    let snapshot: Snapshot | null = null;
    const previous = this.#directories.get(session.id);
    this.#directories.delete(session.id);
    if (spec?.type === "remote") {
      const saved = await spec.store.save({
        id: spec.id ?? before?.id ?? randomUUID(),
        data: await archive(),
      });
      snapshot = { type: "remote", id: saved.id };
    } else if (spec?.type === "local") {
      const id = randomUUID();
      const path = directoryOf(spec, id);
      try {
        await copyWorkspace(session, manifest, path);
      } catch (error) {
        await removeDirectory(path);
        throw error;
      }
      this.#directories.set(session.id, path);
      snapshot = { type: "local", id, path };
    }
    if (previous !== undefined) await removeDirectory(previous);
    return snapshot;
  }

  /** Whether there is something to restore. */
  async has(snapshot: Snapshot | null | undefined, spec: SnapshotSpec | null): Promise<boolean> {
    if (snapshot === null || snapshot === undefined) return false;
    if (spec?.type === "remote") return snapshot.type === "remote";
    if (spec?.type !== "local" || !fileName.test(snapshot.id)) return false;
    // By its name, not the path that a state from elsewhere may have.
    const found = access(directoryOf(spec, snapshot.id));
    return found.then(
      () => true,
      () => false,
    );
  }

  /** Makes the workspace what was kept; `has` has said that it is there. */
  async restore(
    session: Session,
    root: string,
    snapshot: Snapshot,
    spec: SnapshotSpec | null,
    bounds: ArchiveBounds,
  ): Promise<void> {
    if (spec?.type === "remote") {
      const { data } = await spec.store.load({ id: snapshot.id });
      await restoreArchive(session, root, data, bounds);
    } else if (spec?.type === "local") {
      const path = directoryOf(spec, snapshot.id);
      await restoreWorkspace(session, root, path);
      this.#directories.set(session.id, path);
    }
  }
}

/** What two workspaces of the same files have in common. */
export const workspaceFingerprint = (session: Session, manifest: Manifest): Promise<string> =>
  fingerprintOf(session, manifest.root, ephemeralPaths(manifest));

/** The workspace as an archive, without what is ephemeral. */
export function workspaceArchive(session: Session, manifest: Manifest): Promise<Uint8Array> {
  return archiveOf(session, manifest.root, ephemeralPaths(manifest));
}
