/**
 * The tree a sandbox starts with.
 *
 * Owns: the initial directories, devices and files under /etc.
 * Invariant: complete or an exception; a sandbox never starts with half a tree.
 * Untrusted: nothing. The identity is host configuration, checked because it is
 * written into line-based files.
 */
import { errnoName } from "../../abi/errno.js";
import { O_CREAT, O_EXCL, O_WRONLY } from "../../abi/fcntl.js";
import { kernelCredentials as boot } from "./credentials.js";
import { deviceNames } from "./device.js";
import type { FileSystem } from "./file-system.js";

export interface BootIdentity {
  uid: number;
  gid: number;
  user: string;
  home: string;
  hostname: string;
}

const directories = `/dev /dev/pts /etc /home /media /mnt /opt /run /srv
  /usr /usr/bin /usr/sbin /usr/lib /usr/share /usr/local /usr/local/bin /usr/local/sbin /usr/local/lib
  /var /var/log /var/lib`.split(/\s+/);

const links = [
  ["/var/run", "../run"],
  ["/var/lock", "../run"],
  ["/dev/fd", "/proc/self/fd"],
  ["/dev/stdin", "/proc/self/fd/0"],
  ["/dev/stdout", "/proc/self/fd/1"],
  ["/dev/stderr", "/proc/self/fd/2"],
  ["/etc/mtab", "/proc/self/mounts"],
] as const;

export function bootLayout(fs: FileSystem, identity: BootIdentity): void {
  checkIdentity(identity);
  for (const path of directories) must(fs.mkdir(boot, path, 0o755), path);
  // As Debian has it since the merge of /usr.
  for (const name of ["bin", "sbin", "lib"])
    must(fs.symlink(boot, `usr/${name}`, `/${name}`), name);
  for (const path of ["/proc", "/sys"]) must(fs.mkdir(boot, path, 0o555), path);
  for (const path of ["/tmp", "/var/tmp", "/dev/shm"]) must(fs.mkdir(boot, path, 0o1777), path);
  for (const path of [identity.home, "/root", "/workspace"]) {
    must(fs.mkdirTree(boot, path, 0o755), path);
    must(fs.chown(boot, path, identity.uid, identity.gid, false), path);
  }
  for (const [path, target] of links) must(fs.symlink(boot, target, path), path);
  for (const device of deviceNames) must(fs.makeDevice(boot, `/dev/${device}`, device), device);
  for (const [name, text] of Object.entries(configuration(identity))) {
    must(fs.writeFile(boot, `/etc/${name}`, text, O_WRONLY | O_CREAT | O_EXCL, 0o644), name);
  }
}

function checkIdentity({ uid, gid, user, home, hostname }: BootIdentity): void {
  const isId = (id: number): boolean => Number.isInteger(id) && id >= 0 && id < 0xffff_ffff;
  if (!isId(uid) || !isId(gid)) throw new RangeError(`no user id: ${uid}:${gid}`);
  if (!/^[A-Za-z_][A-Za-z0-9_.-]*$/.test(user)) throw new RangeError(`no user name: ${user}`);
  if (!/^\/[^:\s\0]+$/.test(home)) throw new RangeError(`no home directory: ${home}`);
  if (!/^[A-Za-z0-9][A-Za-z0-9.-]*$/.test(hostname))
    throw new RangeError(`no host name: ${hostname}`);
}

function must(result: string | number, what: string): void {
  if (typeof result === "number" && result < 0)
    throw new Error(`cannot lay out ${what}: ${errnoName(-result) ?? result}`);
}

function configuration({ uid, gid, user, home, hostname }: BootIdentity): Record<string, string> {
  // One account per line; the guest's own may be root or nobody itself.
  const accounts = ["root:x:0:0:root:/root:/bin/sh"];
  const groups = ["root:x:0:"];
  if (uid !== 0 && user !== "root") {
    accounts.push(`${user}:x:${uid}:${gid}:${user}:${home}:/bin/sh`);
    if (gid !== 0) groups.push(`${user}:x:${gid}:`);
  }
  if (uid !== 65534 && user !== "nobody")
    accounts.push("nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin");
  if (gid !== 65534) groups.push("nogroup:x:65534:");
  return {
    passwd: lines(accounts),
    group: lines(groups),
    hostname: lines([hostname]),
    hosts: lines([
      "127.0.0.1 localhost",
      "::1 localhost ip6-localhost ip6-loopback",
      ...(hostname === "localhost" ? [] : [`127.0.1.1 ${hostname}`]),
    ]),
    "resolv.conf": lines(["nameserver 127.0.0.1"]),
    "os-release": lines([
      'NAME="secure-exec"',
      "ID=secure-exec",
      "ID_LIKE=linux",
      'PRETTY_NAME="secure-exec"',
    ]),
    profile: lines([
      "export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      "umask 022",
    ]),
    shells: lines(["/bin/sh"]),
    "nsswitch.conf": lines(["passwd: files", "group: files", "hosts: files dns"]),
  };
}

function lines(text: string[]): string {
  return `${text.join("\n")}\n`;
}
