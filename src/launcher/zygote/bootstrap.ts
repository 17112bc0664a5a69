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

/** With `keeps` it leaves the descriptors open, for those that it starts. */
export function bootstrap(entry: string, keeps: boolean): string {
  return `{
  const { closeSync, fstatSync, readSync } = require("fs");
  // By position: the open file is one for all that have it.
  const [guest, other] = [${bundleFd}, ${programsFd}].map((fd) => {
    const bytes = Buffer.allocUnsafeSlow(fstatSync(fd).size);
    for (let at = 0, size = 1; at < bytes.length && size > 0; at += size)
      size = readSync(fd, bytes, at, bytes.length - at, at);
    ${keeps ? "" : "closeSync(fd);"}
    return bytes;
  });
  const sources = JSON.parse(guest);
  // The shell and the commands: bytes that every fork has, and whoever first needs one reads them.
  let programs;
  const program = (id) => (programs ??= JSON.parse(other))[id];
  const id = "guest/loader", exports = {};
  const filename = "node:internal/secure-exec/" + id;
  require("vm").compileFunction(sources[id], ["exports"], { filename })(exports);
  exports.begin(${JSON.stringify(entry)}, require, sources, program);
}`;
}

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
