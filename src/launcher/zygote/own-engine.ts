/**
 * Owns the life of an engine that was executed for one guest: it makes itself ready as a zygote does,
 * without all that is worth it only for many, locks itself down with all of its threads and is the guest.
 *
 * Nothing of a guest is read before the lock-down but the flags that the engine was started with,
 * which the kernel process has checked.
 */
import { Channel } from "../../guest/channel.js";
import { keepInterruptHandler } from "../../guest/bindings/interrupts.js";
import { prepareFirstCallback } from "../../guest/first-callback.js";
import { sourcesIn, textsOf } from "../../guest/loader.js";
import type { Loader, Sources } from "../../guest/loader.js";
import { hideInternals } from "../../guest/public-modules.js";
import * as libc from "../../sandbox/libc.js";
import { begin, guestSocketFd, statusFd } from "./bootstrap.js";
import { addonsOrder } from "./control.js";
import { prepareLife } from "./guest-life.js";
import { lockDownEngine } from "./lock-down.js";
import { clearGlobals } from "./start.js";
import type { InternalBinding, RequireBuiltin } from "./engine-modules.js";

declare const internalBinding: InternalBinding;
declare const requireBuiltin: RequireBuiltin;

/** Called by guest/loader.ts, once. */
export function start(loader: Loader, bundle: Buffer): void {
  const sources = sourcesIn(bundle);
  loader.sources = textsOf(sources);
  // The exec before has made it dumpable again.
  libc.setDumpable(false);
  libc.setParentDeathSignal(libc.SIGKILL);
  clearGlobals(requireBuiltin("module").builtinModules);
  const [, memoryBytes, addons] = process.argv;
  begin(() => boot(sources, Number(memoryBytes), addons === addonsOrder));
}

async function boot(sources: Sources, memoryBytes: number, addons: boolean): Promise<void> {
  const life = await prepareLife({ sources }, () => undefined);
  const startMain = prepareFirstCallback(internalBinding, true);
  hideInternals(requireBuiltin);
  const guest = new Channel(guestSocketFd, life.callListeners, () => {
    libc._exit(1);
    throw new Error("unreachable");
  });
  life.use(guest);
  guest.attach(life.engineBinding);
  keepInterruptHandler();
  lockDownEngine(memoryBytes, addons, statusFd);
  guest.event("ready", {});
  // Awaited here: what the event loop has read already, nobody could wait for.
  const order = life.ordered(guest);
  startMain(() => void life.live(guest, order));
}
