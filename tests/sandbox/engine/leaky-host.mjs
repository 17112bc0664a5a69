// A host whose parent left descriptors open and whose native code opens without close-on-exec, as
// many libraries do. Prints what kernel process and zygote have of them.
import { readdirSync, readlinkSync } from "node:fs";
import * as libc from "../../../dist/sandbox/libc.js";
import { NodeRuntime } from "../../../dist/index.js";
import { tree } from "../../support/processes.mjs";

const opened = [
  ...libc.pipe2(0),
  ...libc.socketpair(libc.SOCK_STREAM, 0),
  libc.pipe2(0)[1],
  libc.openReadOnly("/etc/passwd"),
];
for (const fd of opened) libc.setCloseOnExec(fd, false);
const inherited = process.argv.slice(2).map(Number);
const targets = (pid, fds) =>
  fds.map((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      return "";
    }
  });
const left = [...targets(process.pid, opened), ...targets(process.pid, inherited)];
const runtime = await NodeRuntime.create();
const { kernel, zygote } = tree();
const all = (pid) => targets(pid, readdirSync(`/proc/${pid}/fd`).map(Number));
console.log(JSON.stringify({ left, kernel: all(kernel), zygote: all(zygote) }));
await runtime.dispose();
process.exit(0);
