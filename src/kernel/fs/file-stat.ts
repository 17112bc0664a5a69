/** Owns the form in which files, file systems and directory entries are described. */

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

/** Owner, permission bits and creation time of an inode about to exist. */
