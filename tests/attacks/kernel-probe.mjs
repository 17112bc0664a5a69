// What code of an attacker's tries in the kernel process; the same in an ordinary process of the engine
// shows that it would have worked. Answers errno names, or what was reached.
import { spawn, spawnSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { openSync, readFileSync, readSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const tried = (work) => {
  try {
    return work();
  } catch (error) {
    return error.code ?? String(error);
  }
};
const x64 = process.arch === "x64";
const numbers = x64
  ? { ptrace: 101, clone: 56, socket: 41, unshare: 272, mknodat: 259, exit_group: 231 }
  : { ptrace: 117, clone: 220, socket: 198, unshare: 97, mknodat: 33, exit_group: 94 };
const AT_FDCWD = -100;
const AF_PACKET = 17;
const AF_INET = 2;
const SOCK_RAW = 3;
const CLONE_NEWUTS = 0x0400_0000;
const CLONE_FILES = 0x400;
const S_IFCHR_MEM = [0o020600, 0x101];
const PTRACE_ATTACH = 16;
const PTRACE_DETACH = 17;

/** `victim`: a process of the same user, not related to this one; `scratch`: a directory. */
export async function attack(libc, { victim, scratch }) {
  const { syscall } = libc;
  const traced = syscall(numbers.ptrace, PTRACE_ATTACH, victim, 0, 0);
  if (traced === 0) {
    libc.waitpid(victim, 0x4000_0000);
    syscall(numbers.ptrace, PTRACE_DETACH, victim, 0, 0);
  }
  const node = libc.cString(join(scratch, `mem-${process.pid}`));
  return {
    shell: tried(() => spawnSync("/bin/sh", ["-c", "echo out"]).stdout?.toString() ?? "EPERM"),
    itself: tried(() => spawnSync(process.execPath, ["-p", "1"]).stdout?.toString() ?? "EPERM"),
    later: await new Promise((resolve) => {
      const child = tried(() => spawn("/bin/true"));
      if (typeof child === "string") return resolve(child);
      child.on("error", ({ code }) => resolve(code)).on("exit", (code) => resolve(code));
    }),
    traced,
    environ: tried(() => readFileSync(`/proc/${victim}/environ`, "latin1").length > 0),
    memory: tried(() => openSync(`/proc/${victim}/mem`, "r+") > 0),
    signal: libc.kill(victim, 0),
    namespaces: syscall(numbers.unshare, CLONE_FILES | CLONE_NEWUTS),
    packets: syscall(numbers.socket, AF_PACKET, SOCK_RAW, 0),
    raw: syscall(numbers.socket, AF_INET, SOCK_RAW, 1),
    device: syscall(numbers.mknodat, AT_FDCWD, libc.addressOf(node), ...S_IFCHR_MEM),
    // What it must go on being able to do.
    udp: await new Promise((resolve) => {
      const socket = createSocket("udp4");
      socket.on("error", ({ code }) => resolve(code));
      socket.bind(0, "127.0.0.1", () => (socket.close(), resolve("bound")));
    }),
    renamed: tried(() => {
      const [from, to] = ["a", "b"].map((name) => join(scratch, name, `file-${process.pid}`));
      writeFileSync(from, "1");
      renameSync(from, to);
      return readFileSync(to, "utf8");
    }),
    zero: tried(() => readSync(openSync("/dev/zero", "r"), Buffer.alloc(4))),
  };
}

/** Every refused row of the table with arguments of no meaning: their answers, by name. */
export function everyRow(libc, rules) {
  const plain = rules.filter(({ args, action }) => args === undefined && action !== "allow");
  return Object.fromEntries(
    plain
      .filter(({ nr }) => nr[process.arch] !== undefined)
      .map(({ name, nr, action }) => [name, [libc.syscall(nr[process.arch], 0), -action.errno]]),
  );
}
