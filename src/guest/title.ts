/**
 * Owns `process.title`: the first word of the command line until the program says otherwise, and then
 * what the machine's `ps` shows. libuv would write it over the arguments of the process that guests
 * are forked from.
 */
import type { GuestEnvironment } from "./environment.js";
import { sharedIdentity } from "./identity.js";

let title: string | undefined;

/** Once per thread; what a worker sets, it alone reads. */
export function installTitle({ internalBinding, kernel }: GuestEnvironment): void {
  const owner = internalBinding("worker").ownsProcessState as boolean;
  Object.defineProperty(process, "title", {
    get: () => title ?? sharedIdentity().start.argv0,
    set(value: unknown) {
      const given = Buffer.from(String(value));
      if (!owner) {
        title = given.toString();
        return;
      }
      const { argv0, argv } = sharedIdentity().start;
      // It takes the place of the arguments; uv_set_process_title.
      const room = Buffer.byteLength([argv0, ...argv].join(" "));
      const text = given.toString("utf8", 0, room);
      title = text;
      kernel.event("title", { text });
    },
    enumerable: true,
    configurable: true,
  });
}
