/**
 * The real file system and the engine behind one face, for the differential test:
 * `apply` runs one step and answers a comparable value or the negative errno.
 */
import fs from "node:fs";
import { FileSystem } from "../../../dist/kernel/fs/index.js";

const isRoot = process.getuid() === 0;

const bytesOf = (length) => Buffer.alloc(length, "0123456789abcdef!");
const summary = (stat) => ({
  mode: stat.mode,
  nlink: stat.nlink,
  uid: stat.uid,
  gid: stat.gid,
  ...((stat.mode & 0o170000) === 0o040000 ? {} : { size: stat.size }),
});

export class Real {
  files = new Map();

  constructor(root) {
    this.root = root;
  }

  become({ uid, gid }) {
    if (!isRoot) return;
    process.seteuid(0);
    process.setegid(gid);
    process.seteuid(uid);
  }

  apply(step) {
    const at = step.path === undefined ? "" : `${this.root}/${step.path}`;
    const fd = this.files.get(step.slot);
    try {
      return this.#run(step, at, fd) ?? 0;
    } catch (error) {
      if (typeof error.errno !== "number") throw error;
      return -Math.abs(error.errno);
    }
  }

  #run(step, at, fd) {
    switch (step.op) {
      case "mkdir":
        return fs.mkdirSync(at, { mode: step.mode });
      case "rmdir":
        return fs.rmdirSync(at);
      case "unlink":
        return fs.unlinkSync(at);
      case "rename":
        return fs.renameSync(at, `${this.root}/${step.to}`);
      case "link":
        return fs.linkSync(at, `${this.root}/${step.to}`);
      case "symlink":
        return fs.symlinkSync(step.target.text ?? `${this.root}/${step.target.absolute}`, at);
      case "readlink":
        return fs.readlinkSync(at);
      case "stat":
        return summary(step.follow ? fs.statSync(at) : fs.lstatSync(at));
      case "readdir":
        return fs.readdirSync(at).sort();
      case "realpath":
        return fs.realpathSync.native(at);
      case "access":
        return fs.accessSync(at, step.mode);
      case "chmod":
        return fs.chmodSync(at, step.mode);
      case "chown":
        return (step.follow ? fs.chownSync : fs.lchownSync)(at, step.uid, step.gid);
      case "utimes":
        return (step.follow ? fs.utimesSync : fs.lutimesSync)(at, 1000, 2000);
      case "truncate":
        return fs.truncateSync(at, step.size);
      case "writeFile": {
        const file = fs.openSync(at, step.flags, step.mode);
        try {
          fs.writeSync(file, bytesOf(step.size));
        } finally {
          fs.closeSync(file);
        }
        return 0;
      }
      case "readFile":
        return fs.readFileSync(at, "latin1");
      case "open":
        if (fd !== undefined) fs.closeSync(fd);
        this.files.delete(step.slot);
        this.files.set(step.slot, fs.openSync(at, step.flags, step.mode));
        return 0;
      case "mkdirTree":
        return fs.mkdirSync(at, { recursive: true, mode: step.mode });
      case "removeTree":
        return fs.rmSync(at, { recursive: true });
      default:
        return fd === undefined ? 0 : this.#onFile(step, fd);
    }
  }

  #onFile(step, fd) {
    const at = step.position === -1 ? null : step.position;
    switch (step.op) {
      case "read": {
        const target = Buffer.alloc(step.size);
        const count = fs.readSync(fd, target, 0, step.size, at);
        return target.toString("latin1", 0, count);
      }
      case "write":
        return fs.writeSync(fd, bytesOf(step.size), 0, step.size, at);
      case "fstat":
        return summary(fs.fstatSync(fd));
      case "ftruncate":
        return fs.ftruncateSync(fd, step.size);
      case "fchmod":
        return fs.fchmodSync(fd, step.mode);
      case "fchown":
        return fs.fchownSync(fd, step.uid, step.gid);
      case "close":
        this.files.delete(step.slot);
        return fs.closeSync(fd);
      default:
        throw new Error(step.op);
    }
  }

  close() {
    for (const fd of this.files.values()) fs.closeSync(fd);
  }
}

export class Ours {
  files = new Map();
  fs = new FileSystem();

  constructor(root) {
    this.root = root;
  }

  become({ uid, gid }) {
    this.who = { uid, gid, umask: process.umask(), cwd: "/" };
  }

  apply(step) {
    const { fs: own, who } = this;
    const at = step.path === undefined ? "" : `${this.root}/${step.path}`;
    const file = this.files.get(step.slot);
    switch (step.op) {
      case "mkdir":
        return own.mkdir(who, at, step.mode);
      case "rmdir":
        return own.rmdir(who, at);
      case "unlink":
        return own.unlink(who, at);
      case "rename":
        return own.rename(who, at, `${this.root}/${step.to}`);
      case "link":
        return own.link(who, at, `${this.root}/${step.to}`);
      case "symlink":
        return own.symlink(who, step.target.text ?? `${this.root}/${step.target.absolute}`, at);
      case "readlink":
        return own.readlink(who, at);
      case "stat": {
        const stat = own.stat(who, at, step.follow);
        return typeof stat === "number" ? stat : summary(stat);
      }
      case "readdir": {
        const entries = own.readdir(who, at);
        return typeof entries === "number" ? entries : entries.map((entry) => entry.name).sort();
      }
      case "realpath":
        return own.realpath(who, at);
      case "access":
        return own.access(who, at, step.mode);
      case "chmod":
        return own.chmod(who, at, step.mode);
      case "chown":
        return own.chown(who, at, step.uid, step.gid, step.follow);
      case "utimes":
        return own.utimes(who, at, 1_000_000, 2_000_000, step.follow);
      case "truncate":
        return own.truncate(who, at, step.size);
      case "writeFile":
        return own.writeFile(who, at, bytesOf(step.size), step.flags, step.mode);
      case "readFile": {
        const content = own.readFile(who, at);
        return typeof content === "number" ? content : content.toString("latin1");
      }
      case "open": {
        file?.unref();
        this.files.delete(step.slot);
        const opened = own.open(who, at, step.flags, step.mode);
        if (typeof opened === "number") return opened;
        this.files.set(step.slot, opened);
        return 0;
      }
      case "mkdirTree":
        return own.mkdirTree(who, at, step.mode);
      case "removeTree":
        return own.removeTree(who, at);
      default:
        return file === undefined ? 0 : this.#onFile(step, file);
    }
  }

  #onFile(step, file) {
    switch (step.op) {
      case "read": {
        const buffer = Buffer.alloc(step.size);
        const count = file.read(buffer, step.position);
        return count < 0 ? count : buffer.toString("latin1", 0, count);
      }
      case "write":
        return file.write(bytesOf(step.size), step.position);
      case "fstat":
        return summary(file.stat());
      case "ftruncate":
        return file.truncate(step.size);
      case "fchmod":
        return file.chmod(step.mode, this.who);
      case "fchown":
        return file.chown(step.uid, step.gid, this.who);
      case "close":
        this.files.delete(step.slot);
        file.unref();
        return 0;
      default:
        throw new Error(step.op);
    }
  }
}
