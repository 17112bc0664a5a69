/**
 * Owns how host tools lie in a VM's file system: one executable with a name per
 * tool and alias, where PATH looks, and one that lists them all.
 *
 * Invariant: a tool never takes the place of a command or of a file that is there.
 * Nothing here is untrusted: names were checked by the SDK.
 */
import { O_CREAT, O_EXCL, O_WRONLY } from "../../abi/fcntl.js";
import { programMagic } from "../../protocol/programs.js";
import { toolListCommand } from "../../protocol/tools.js";
import { kernelCredentials as root } from "../fs/index.js";
import type { FileSystem } from "../fs/index.js";

const directories = ["/usr/local/bin", "/usr/bin"] as const;
const original = `/usr/local/bin/${toolListCommand}`;

function device(fs: FileSystem, path: string): number {
  const stat = fs.stat(root, path, true);
  return typeof stat === "number" ? stat : stat.dev;
}

/** Adds the commands that are missing; those there already stand for the same names. */
export function installToolCommands(fs: FileSystem, names: Iterable<string>): void {
  const text = Buffer.from(`${programMagic}tool\n`);
  // A host's directory may be mounted over one of these; nothing is written there.
  if (directories.some((directory) => device(fs, directory) !== device(fs, "/"))) return;
  fs.writeFile(root, original, text, O_WRONLY | O_CREAT | O_EXCL, 0o755);
  for (const name of names) {
    const paths = directories.map((directory) => `${directory}/${name}`);
    if (paths.some((path) => typeof fs.stat(root, path, false) !== "number")) continue;
    // A full file system leaves a tool without its command; calls by name need none.
    for (const path of paths) fs.link(root, original, path);
  }
}
