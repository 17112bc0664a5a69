/**
 * Owns the files that Node's C++ writes past its own `fs` (reports, snapshots, profiles,
 * coverage): their names, and how they come into the machine's file system. The kernel
 * judges each write like any other of the process.
 */
import { O_CREAT, O_TRUNC, O_WRONLY } from "../../abi/fcntl.js";
import type { EngineTools } from "../environment.js";

/** O_WRONLY | O_CREAT | O_TRUNC; asm-generic/fcntl.h. */
const createFlags = O_WRONLY | O_CREAT | O_TRUNC;
const fileMode = 0o666;
const directoryMode = 0o777;

const pad = (value: number, width: number): string => String(value).padStart(width, "0");

/** DiagnosticFilename of src/node_internals: kind.date.time.pid.thread.sequence.ending. */
export function diagnosticName(
  kind: string,
  ending: string,
  thread: number,
  sequence: number,
): string {
  const now = new Date();
  const date = `${now.getFullYear()}${pad(now.getMonth() + 1, 2)}${pad(now.getDate(), 2)}`;
  const time = pad(now.getHours(), 2) + pad(now.getMinutes(), 2) + pad(now.getSeconds(), 2);
  return `${kind}.${date}.${time}.${process.pid}.${thread}.${pad(sequence, 3)}.${ending}`;
}

/** Throws the error that `fs` has for it. */
export function writeTextFile(env: EngineTools, path: string, text: string): void {
  env.internalBinding("fs").writeFileUtf8(path, text, createFlags, fileMode);
}

/** The same for what is too long for one string. `produce` gets the function that appends. */
export function writeParts(
  env: EngineTools,
  path: string,
  produce: (append: (part: Uint8Array) => void) => void,
): void {
  const fs = env.internalBinding("fs");
  const fd = fs.open(path, createFlags, fileMode) as number;
  try {
    produce((part) => {
      for (let at = 0; at < part.byteLength;)
        at += fs.writeBuffer(fd, part, at, part.byteLength - at, null) as number;
    });
  } finally {
    fs.close(fd);
  }
}

export function makeDirectories(env: EngineTools, path: string): void {
  env.internalBinding("fs").mkdir(path, directoryMode, true);
}
