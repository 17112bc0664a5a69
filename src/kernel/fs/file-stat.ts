/** Owns the form in which files, file systems and directory entries are described, and that in which guests are told. */
import { statSlots } from "../../protocol/fs-calls.js";

export interface FileStat {
  dev: number;
  ino: number;
  mode: number;
  nlink: number;
  uid: number;
  gid: number;
  rdev: number;
  size: number;
  blksize: number;
  blocks: number;
  atimeMs: number;
  mtimeMs: number;
  ctimeMs: number;
  birthtimeMs: number;
}

export interface FileSystemStat {
  type: number;
  bsize: number;
  blocks: number;
  bfree: number;
  bavail: number;
  files: number;
  ffree: number;
}

export interface DirectoryEntry {
  name: string;
  /** DT_*: 1 fifo, 2 chr, 4 dir, 6 blk, 8 reg, 10 lnk, 12 sock. */
  type: number;
}

/** What `stat` and `fstat` answer. */
export function statNumbers(stat: FileStat): number[] {
  const values = [
    stat.dev,
    stat.mode,
    stat.nlink,
    stat.uid,
    stat.gid,
    stat.rdev,
    stat.blksize,
    stat.ino,
    stat.size,
    stat.blocks,
  ];
  for (const ms of [stat.atimeMs, stat.mtimeMs, stat.ctimeMs, stat.birthtimeMs]) {
    let seconds = Math.floor(ms / 1000);
    let nanoseconds = Math.round((ms - seconds * 1000) * 1e6);
    if (nanoseconds >= 1e9) {
      seconds += 1;
      nanoseconds -= 1e9;
    }
    values.push(seconds, nanoseconds);
  }
  if (values.length !== statSlots) throw new Error(`stat answers ${values.length} values`);
  return values;
}
