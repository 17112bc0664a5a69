/**
 * Owns a session's working directory as a tar archive, in both directions, made and read by the machine's own
 * `tar`, so that no parser of the host meets bytes of the machine's.
 *
 * Invariants: restoring replaces what is there; an archive over its bounds is refused before anything is
 * removed. Untrusted: archives; their content never leaves the machine.
 */
import { posix } from "node:path";
import type { Session } from "./session.js";

export interface ArchiveBounds {
  /** Bytes of the archive. */
  inputBytes?: number | undefined;
  extractedBytes?: number | undefined;
  members?: number | undefined;
}

/** What an archive exceeds; `actual` is as far as was counted. */
export class ArchiveBoundError extends Error {
  override readonly name = "ArchiveBoundError";

  constructor(
    readonly details: { reason: string; limit: number; actual: number; member?: string },
  ) {
    super(`${details.reason}: ${details.actual} of at most ${details.limit}`);
  }
}

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
/** Where an archive lies while it is read; no path of a workspace. */
const restoring = "/tmp/.secure-exec-restore.tar";
const blockBytes = 512;
const gzipMagic = 0x8b1f;

async function tar(session: Session, command: string, what: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  const { exitCode, stderr } = await session.exec(command, {
    outputBytes: 64 * 1024,
    onStdout: (chunk) => void chunks.push(new Uint8Array(chunk)),
  });
  if (exitCode !== 0) throw new Error(`${what} failed: ${stderr.trim().slice(0, 500)}`);
  return new Uint8Array(Buffer.concat(chunks));
}

/** Throws for the root of the machine, which has the machine's own files and trees of the kernel. */
export function checkWorkspace(directory: string): void {
  if (posix.resolve(directory) === "/")
    throw new RangeError("a workspace at / is the whole machine, and cannot be archived");
}

/** The command that archives `directory`; "" among the excluded paths is all of it. */
function archiving(directory: string, excluded: Iterable<string>): string {
  checkWorkspace(directory);
  const paths = [...excluded];
  // An archive of nothing is two empty blocks.
  if (paths.includes("")) return `head -c ${2 * blockBytes} /dev/zero`;
  const flags = paths.map((path) => `--exclude=${quoted(`./${posix.normalize(path)}`)}`);
  return `tar -cf - ${flags.join(" ")} -C ${quoted(directory)} .`;
}

/** What is below `directory`, but for paths that are excluded (relative to it). */
export async function archiveOf(
  session: Session,
  directory: string,
  excluded: Iterable<string> = [],
): Promise<Uint8Array> {
  return tar(session, archiving(directory, excluded), "archiving the workspace");
}

/** A digest of that archive: of names, modes, times and content. */
export async function fingerprintOf(
  session: Session,
  directory: string,
  excluded: Iterable<string> = [],
): Promise<string> {
  const command = `set -o pipefail; ${archiving(directory, excluded)} | sha256sum`;
  const said = await tar(session, command, "reading the workspace");
  return Buffer.from(said).toString("latin1").slice(0, 64);
}

/** Removes what is below `directory`, and makes it where it is not there; what is mounted there stays. */
export async function emptyDirectory(session: Session, directory: string): Promise<void> {
  await tar(session, emptying(directory), "emptying the workspace");
}

function emptying(directory: string): string {
  checkWorkspace(directory);
  const place = quoted(directory);
  return `mkdir -p ${place} && find ${place} -mindepth 1 -xdev -delete`;
}

/** Names and sizes of members, read from the machine's own listing. */
async function checkMembers(session: Session, bounds: ArchiveBounds): Promise<void> {
  const { members, extractedBytes } = bounds;
  if (members === undefined && extractedBytes === undefined) return;
  const listed = await tar(session, `tar -tvf ${restoring}`, "reading the archive");
  let [count, bytes] = [0, 0];
  for (const line of Buffer.from(listed).toString("utf8").split("\n")) {
    const [, size = "0", member = ""] = /^\S+\s+\S+\s+(\d+)\s+\S+\s+\S+\s+(.*)$/.exec(line) ?? [];
    const path = member.replace(/^\.\//, "").replace(/\/$/, "");
    if (path === "" || path === ".") continue;
    const exceeded = (reason: string, limit: number | undefined, actual: number): void => {
      if (limit !== undefined && actual > limit)
        throw new ArchiveBoundError({ reason, limit, actual, member: path });
    };
    exceeded("archive member count exceeds limit", members, ++count);
    exceeded("archive extracted size exceeds limit", extractedBytes, (bytes += Number(size)));
  }
}

/** Makes `directory` what the archive (tar, or tar.gz) has. */
export async function restoreArchive(
  session: Session,
  directory: string,
  archive: Uint8Array,
  bounds: ArchiveBounds = {},
): Promise<void> {
  const { inputBytes } = bounds;
  if (inputBytes !== undefined && archive.byteLength > inputBytes)
    throw new ArchiveBoundError({
      reason: "archive input size exceeds limit",
      limit: inputBytes,
      actual: archive.byteLength,
    });
  const view = new DataView(archive.buffer, archive.byteOffset, archive.byteLength);
  const zipped = archive.byteLength > 2 && view.getUint16(0, true) === gzipMagic;
  if (!zipped && (archive.byteLength < blockBytes || archive.byteLength % blockBytes !== 0))
    throw new Error("this is no tar archive");
  const file = zipped ? `${restoring}.gz` : restoring;
  await session.writeFile(file, archive);
  try {
    if (zipped) await tar(session, `gzip -df ${file}`, "unpacking the archive");
    await checkMembers(session, bounds);
    const command = `${emptying(directory)} && tar -xf ${restoring} -C ${quoted(directory)}`;
    await tar(session, command, "restoring the workspace");
  } finally {
    await session.remove(file);
    await session.remove(restoring);
  }
}
