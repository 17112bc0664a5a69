// What helpers opened for a test file ends with that file, also where several files share a process: a helper is loaded once
// there, and a hook of its own would be the first file's.
import { after } from "node:test";

const ends = new Set();
let shared = false;

/** Calls `end` when a test file is through: once in a process that runs one file, after each where it runs several. */
export function atFileEnd(end) {
  if (ends.size === 0 && !shared) after(endFile);
  ends.add(end);
}

/** This process runs several files, and says itself when one is through. */
export function shareProcess() {
  shared = true;
}

/** The file that ran is through. */
export async function endFile() {
  await Promise.all([...ends].map((end) => end()));
}
