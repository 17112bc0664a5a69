// Loads a workload module in the zygote, forks, locks down fully and runs it,
// echoing its socket (fd 3). Prints { stderr, stdout, status... } of the child.
// argv: path of a module that sets globalThis.__main, mode, memory budget in MiB
import { createRequire } from "node:module";
import net from "node:net";
import * as libc from "../../../dist/sandbox/libc.js";
import { applyRlimits } from "../../../dist/sandbox/rlimits.js";
import { buildStage2, install, prepareStage2 } from "../../../dist/sandbox/seccomp.js";

libc.setParentDeathSignal(libc.SIGKILL);
const [path, mode, budget] = process.argv.slice(2);
process.env.VIRT = "1";
process.env.WARM = "1";
process.env.SOCKFD = "50";
const require = createRequire(import.meta.url);
require(path);
prepareStage2(mode);

const [ours, theirs] = libc.socketpair(libc.SOCK_STREAM, libc.SOCK_CLOEXEC);
const [outRead, outWrite] = libc.pipe2(libc.O_CLOEXEC);
const [errRead, errWrite] = libc.pipe2(libc.O_CLOEXEC);
const pid = libc.fork();
if (pid === 0) {
  libc.setParentDeathSignal(libc.SIGKILL);
  libc.uvLoopFork();
  process.reallyExit = (code) => libc._exit(code ?? 0);
  process.exit = (code) => libc._exit(code ?? 0);
  libc.close(ours);
  libc.dup2(theirs, 50);
  libc.dup2(outWrite, 1);
  libc.dup2(errWrite, 2);
  globalThis.__sock = new net.Socket({ fd: 50, readable: true, writable: true });
  applyRlimits({ memoryBytes: Number(budget) * 2 ** 20, cpuSeconds: 60 });
  install(buildStage2({ pid: libc.getpid(), strict: mode === "strict" }));
  globalThis.__main();
} else {
  libc.close(theirs);
  libc.close(outWrite);
  libc.close(errWrite);
  libc.setNonBlocking(ours, true);
  const text = { [outRead]: "", [errRead]: "" };
  const open = new Set([outRead, errRead]);
  const echo = [];
  const chunk = Buffer.alloc(65536);
  const end = Date.now() + 90_000;
  while (open.size > 0 && Date.now() < end) {
    const fds = [...open].map((fd) => ({ fd, events: libc.POLLIN }));
    fds.push({ fd: ours, events: libc.POLLIN | (echo.length > 0 ? libc.POLLOUT : 0) });
    const revents = libc.poll(fds, 1000);
    fds.forEach(({ fd }, i) => {
      if (revents[i] === 0) return;
      if (fd === ours) {
        const got = libc.read(ours, chunk, 0, chunk.length);
        if (got > 0) echo.push(Buffer.from(chunk.subarray(0, got)));
        else if (got === 0) libc.pollReadable(-1, 5);
        while (echo.length > 0) {
          const put = libc.write(ours, echo[0], 0, echo[0].length);
          if (put < 0) break;
          if (put === echo[0].length) echo.shift();
          else echo[0] = echo[0].subarray(put);
        }
        return;
      }
      const got = libc.read(fd, chunk, 0, chunk.length);
      if (got <= 0) open.delete(fd);
      else text[fd] += chunk.toString("utf8", 0, got);
    });
  }
  if (open.size > 0) libc.kill(pid, libc.SIGKILL);
  const { status } = libc.waitpid(pid, 0);
  console.log(
    JSON.stringify({
      stdout: text[outRead],
      stderr: text[errRead],
      exit: libc.exitCodeOf(status),
      signal: libc.signalOf(status),
      timeout: open.size > 0,
    }),
  );
  libc._exit(0);
}
