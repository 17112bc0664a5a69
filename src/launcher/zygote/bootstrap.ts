/**
 * Owns the text given to `node -e` in every process of ours that loads guest-side modules: it reads them
 * from descriptors, so that no host path enters the process, and lets ../../guest/loader.ts go on. It
 * declares nothing that a guest could find: what is declared in a block is not the global scope's.
 */
import * as libc from "../../sandbox/libc.js";
import { IsolationUnavailable } from "../../sandbox/unavailable.js";

/** The exit code of a process of ours that could not start. */
const startFailed = 1;

/** Where such a process finds dist/guest.json and dist/programs.json. */
export const bundleFd = 4;
export const programsFd = 5;
/** Where a zygote finds what ./compiled-forms.ts reads, if anything, and the loader what ../../sandbox/early-reservation.ts made. */
const formsFd = 6;
export const reservationFd = 7;

/** Where a process that serves the kernel process is told what to do. */
export const controlFd = 3;
/** What the first byte on the control socket says a process is to become. */
export const kinds = Object.freeze({ zygote: 1, starter: 2 } as const);

/** `entry` is an expression for the name of the first module; `keeps`, one for whether the descriptors stay open; `fds` are those. */
const text = (entry: string, keeps: string, fds: readonly number[]): string => `{
  // Ours are nobody's business. The option for it is not given: C++ reads it, too, and guests could not have it otherwise.
  process.removeAllListeners("warning");
  const { closeSync, fstatSync, readSync } = require("fs");
  // The loader has read it.
  if (process.env.LD_PRELOAD) {
    delete process.env.LD_PRELOAD;
    closeSync(${reservationFd});
  }
  const entry = ${entry};
  const places = ${JSON.stringify(fds)}.map((fd) => [fd, fstatSync(fd).size]);
  const [[, guestBytes], , [, formsBytes] = [0, 0]] = places;
  // Texts and forms are for the threads of a process as well.
  const shared = formsBytes && Buffer.from(new SharedArrayBuffer(guestBytes + formsBytes));
  // At a position: other processes read the same open files.
  const [guest, other, forms] = places.map(([fd, size], index) => {
    const from = index === 0 ? 0 : guestBytes;
    const bytes = shared && index !== 1 ? shared.subarray(from, from + size) : Buffer.allocUnsafeSlow(size);
    for (let at = 0; at < bytes.length; ) at += readSync(fd, bytes, at, bytes.length - at, at);
    if (!${keeps}) closeSync(fd);
    return bytes;
  });
  const id = "guest/loader", exports = {};
  const filename = "node:internal/secure-exec/" + id;
  // Of all texts only this one is read here: to parse them was a tenth of what a zygote did before it served.
  const from = guest.indexOf(JSON.stringify(id) + ":") + id.length + 3;
  const loader = JSON.parse(guest.utf8Slice(from, guest.indexOf('","', from) + 1));
  require("vm").compileFunction(loader, ["exports"], { filename })(exports);
  exports.begin(entry, require, guest, other, forms && { text: guest, forms });
}`;

/** Of a process that serves the kernel process. A starter's descriptors are for those that it starts. */
export const anyBootstrap = text(
  `((kind) => {
    readSync(${controlFd}, kind, 0, 1, null);
    return "launcher/zygote/" + (kind[0] === ${kinds.starter} ? "starter" : "start");
  })(Buffer.alloc(1))`,
  `entry.endsWith("starter")`,
  [bundleFd, programsFd, formsFd],
);

/** Of an engine that is one guest's own. */
export const ownBootstrap = text(`"launcher/zygote/own-engine"`, "false", [bundleFd, programsFd]);

/** Where a guest finds its socket. */
export const guestSocketFd = 3;
/** Where an engine of a guest's own finds its /proc/self/status. */
export const statusFd = 6;

/** Runs the start of a process of ours; one that fails says why, and ends. */
export function begin(boot: () => Promise<void> | void): void {
  const failed = (error: unknown): void => {
    const said =
      error instanceof IsolationUnavailable
        ? error.lastWords
        : error instanceof Error
          ? error.stack
          : String(error);
    const text = Buffer.from(`${said}\n`);
    libc.write(2, text, 0, text.length);
    libc._exit(startFailed);
  };
  try {
    boot()?.catch(failed);
  } catch (error) {
    failed(error);
  }
}
