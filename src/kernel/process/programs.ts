/**
 * Owns how the programs of a VM lie in its file system: /usr/local/bin/node and
 * one executable with many names, as busybox does it.
 */
import { O_CREAT, O_EXCL, O_WRONLY } from "../../abi/fcntl.js";
import { errnoName } from "../../abi/errno.js";
import { commandNames, programMagic, shellNames } from "../../protocol/programs.js";
import type { ProgramKind } from "../../protocol/programs.js";
import { kernelCredentials as root } from "../fs/index.js";
import type { FileSystem } from "../fs/index.js";

export function installPrograms(fs: FileSystem): void {
  install(fs, "/usr/local/bin", "node", ["node"]);
  install(fs, "/usr/bin", "command", [...shellNames, ...commandNames]);
}

/** The programs that a machine of another version was not made with, where nothing else has their names. */
export function installNewPrograms(fs: FileSystem, known: readonly string[]): void {
  const had = new Set(known);
  const text = Buffer.from(`${programMagic}command\n`);
  for (const name of [...shellNames, ...commandNames]) {
    // One that does not fit is missing, as in the machine that was taken.
    if (!had.has(name))
      fs.writeFile(root, `/usr/bin/${name}`, text, O_WRONLY | O_CREAT | O_EXCL, 0o755);
  }
}

/** Makes `names` in `directory` executables of one kind: hard links of one file. */
export function install(
  fs: FileSystem,
  directory: string,
  kind: ProgramKind,
  names: readonly string[],
): void {
  const first = `${directory}/${names[0]}`;
  const text = `${programMagic}${kind}\n`;
  must(fs.writeFile(root, first, Buffer.from(text), O_WRONLY | O_CREAT | O_EXCL, 0o755), first);
  for (const name of names.slice(1)) must(fs.link(root, first, `${directory}/${name}`), name);
}

function must(result: number, what: string): void {
  if (result < 0) throw new Error(`cannot install ${what}: ${errnoName(-result) ?? result}`);
}
