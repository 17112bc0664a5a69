/**
 * Owns the order in which one thread's bindings become virtual: the zygote's, for
 * every main thread forked from it, and that of each worker. Nothing of a program
 * has run in the thread; nothing here protects anything.
 */
import { denyBindings } from "./bindings/denied.js";
import { installFileHandleTransfer } from "./bindings/file-handle-transfer.js";
import { installFs } from "./bindings/fs.js";
import { installModules } from "./bindings/modules.js";
import { installSignals } from "./bindings/signal.js";
import { installWorker } from "./bindings/worker.js";
import type { GuestModules } from "./bindings/worker.js";
import type { Channel } from "./channel.js";
import type { GuestEnvironment } from "./environment.js";
import { installIdentity } from "./identity.js";
import * as libc from "../sandbox/libc.js";
import type { ThreadSlots } from "./thread-slots.js";

export interface ThreadTools {
  internalBinding(name: string): any;
  requireBuiltin(id: string): any;
  /** The thread's socket; the zygote has none, and its forks each have their own. */
  channel(): Channel;
  slots: ThreadSlots;
  modules: GuestModules;
  execArgv: readonly string[];
}

/** The main thread's exit travels on another socket and must not overtake what was written before it. */
function writeThrough(channel: Channel, fd: number, data: Uint8Array): void {
  channel.writeOutput(fd, data);
  // Whatever is asked now is answered after the kernel has taken the output.
  channel.call("getcwd", {});
}

export function installBindings(tools: ThreadTools): void {
  const { internalBinding, requireBuiltin, channel } = tools;
  const environment: GuestEnvironment = {
    internalBinding,
    requireBuiltin,
    kernel: {
      call: (name, args) => channel().call(name, args),
      callAsync: (name, args, done) => channel().callAsync(name, args, done),
    },
    writeOutput: internalBinding("worker").isMainThread
      ? (fd, data) => channel().writeOutput(fd, data)
      : (fd, data) => writeThrough(channel(), fd, data),
    openThreadSocket: () => channel().callForDescriptor("threadSocket"),
    closeSocket: (fd) => void libc.close(fd),
    readInput: (maxBytes) => channel().readInput(maxBytes),
  };
  installIdentity(internalBinding, requireBuiltin, () => environment.kernel);
  installSignals(internalBinding, requireBuiltin, channel);
  installFs(environment);
  installFileHandleTransfer(environment);
  installModules(environment);
  installWorker(environment, tools.slots, tools.modules, tools.execArgv);
  denyBindings(internalBinding);
}
