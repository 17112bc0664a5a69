// Which open files do processes share? kcmp(2) over every pair of descriptors of the pids given.
import { readdirSync, readlinkSync } from "node:fs";
import { syscall } from "./native.mjs";

const KCMP = process.arch === "x64" ? 312 : 272;
const KCMP_FILE = 0;
const pids = process.argv.slice(2).map(Number);
const all = pids.flatMap((pid) =>
  readdirSync(`/proc/${pid}/fd`).map((fd) => ({
    pid,
    fd: Number(fd),
    target: readlinkSync(`/proc/${pid}/fd/${fd}`),
  })),
);
const shared = [];
let refused = 0;
all.forEach((one, i) => {
  for (const other of all.slice(i + 1)) {
    if (other.pid === one.pid) continue;
    const { result, errno } = syscall(KCMP, one.pid, other.pid, KCMP_FILE, one.fd, other.fd);
    if (errno !== 0) refused = errno;
    else if (result === 0) shared.push([one, other]);
  }
});
console.log(JSON.stringify({ shared, refused, descriptors: all }));
