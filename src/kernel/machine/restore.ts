/**
 * Owns the making of a machine's files out of a snapshot's archive.
 *
 * Invariant: nothing runs in the machine before `finish`; one that fails is disposed by whoever made it.
 * Untrusted: the archive, every byte.
 */
import { ArchiveParser } from "../../protocol/archive-parser.js";
import { manifestName, mostManifestBytes, parseManifest } from "../../protocol/snapshot.js";
import type { SnapshotManifest } from "../../protocol/snapshot.js";
import { ArchiveError } from "../../protocol/tar.js";
import type { FileSystem, TreeImport } from "../fs/index.js";
import { installNewPrograms } from "../process/programs.js";

export class Restore {
  readonly #fs: FileSystem;
  readonly #tree: TreeImport;
  readonly #furnish: () => void;
  readonly #parser = new ArchiveParser();
  /** The text of the manifest, until the next entry comes. */
  #text: Buffer[] | undefined;
  #manifest: SnapshotManifest | undefined;

  /** `furnish` adds what a machine has beside its files. */
  constructor(fs: FileSystem, furnish: () => void) {
    this.#fs = fs;
    this.#tree = fs.beginImport();
    this.#furnish = furnish;
  }

  push(data: Buffer): void {
    for (const event of this.#parser.push(data)) {
      if ("content" in event) {
        if (this.#text === undefined) this.#tree.content(event.content);
        else this.#text.push(Buffer.from(event.content));
        continue;
      }
      const { entry, records } = event;
      if (this.#manifest === undefined && this.#text === undefined) {
        if (entry.name !== manifestName || entry.type !== "0")
          throw new ArchiveError("it does not begin with a manifest");
        if (entry.size > mostManifestBytes) throw new ArchiveError("its manifest is too long");
        this.#text = [];
        continue;
      }
      if (this.#text !== undefined) {
        this.#manifest = parseManifest(Buffer.concat(this.#text).toString("utf8"));
        this.#text = undefined;
      }
      this.#tree.entry(entry, records);
    }
  }

  finish(): void {
    this.#parser.finish();
    if (this.#manifest === undefined) throw new ArchiveError("it holds no files");
    this.#tree.finish();
    installNewPrograms(this.#fs, this.#manifest.programs);
    this.#furnish();
  }
}
