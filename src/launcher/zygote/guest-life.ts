/**
 * Owns what every process that is to be a guest has before its program comes: bindings that are
 * virtual, streams, a way out, and how it lives once it is told what to be. A zygote prepares it
 * for its forks, an engine of a guest's own for itself.
 */
import type { CallListeners, Channel } from "../../guest/channel.js";
import { adoptEngineOptions, inheritedFlags } from "../../guest/engine-options.js";
import type { StartMain } from "../../guest/first-callback.js";
import { assumeIdentity, reassumeIdentity } from "../../guest/identity.js";
import { installBindings } from "../../guest/install.js";
import { installLeaving } from "../../guest/leaving.js";
import { runCopiedProgram, runProgram } from "../../guest/program.js";
import { hideOwnFrames } from "../../guest/stack-frames.js";
import { waitForOrder } from "../../guest/programs/sole-command.js";
import type { Order } from "../../guest/programs/sole-command.js";
import { installStdio } from "../../guest/stdio.js";
import { listenForSignals } from "../../guest/bindings/signal.js";
import { listenForFlows } from "../../guest/bindings/stream-handle.js";
import { ThreadSlots, threadSlots } from "../../guest/thread-slots.js";
import type * as Deterministic from "../../guest/deterministic/index.js";
import type { Modules } from "../../guest/bindings/worker.js";
import type { StartOptions } from "../../protocol/guest-calls.js";
import { reserveCallbacks } from "../../sandbox/callbacks.js";
import type { InternalBinding, RequireBuiltin } from "./engine-modules.js";

declare const internalBinding: InternalBinding;
declare const requireBuiltin: RequireBuiltin;

/** What sandbox/sqlite-vfs.ts registers in a thread that opens a database, and some more. */
const callbacksPerThread = 28;

export interface GuestLife {
  /** Bindings as the engine has them. */
  engineBinding: InternalBinding;
  /** What every channel tells of its calls. */
  readonly callListeners: CallListeners;
  /** Makes `channel` the one that bindings use. */
  use(channel: Channel | undefined): void;
  /** Waits for what the guest is to be. */
  ordered(guest: Channel): Order;
  /** How a copy of the guest, once it is a template, has its program begin, and what it does first of all. */
  prepareCopies(start: StartMain, populate: () => void): void;
  /** Runs the program of the order. */
  live(guest: Channel, order?: Order): Promise<unknown> | undefined;
}

/** `warm` loads what is wanted ahead, once the bindings are virtual. */
export async function prepareLife(
  modules: Modules,
  warm: () => Promise<void> | void,
): Promise<GuestLife> {
  adoptEngineOptions(internalBinding, requireBuiltin);
  reserveCallbacks((1 + threadSlots) * callbacksPerThread);
  const { moduleLoadList } = process as unknown as { moduleLoadList: string[] };
  const loadedByNode = moduleLoadList.length;
  let channel: Channel | undefined;
  const guestChannel = (): Channel => {
    if (channel === undefined) throw new Error("no guest has started");
    return channel;
  };
  const callListeners: CallListeners = [];
  const { engineBinding } = installBindings({
    internalBinding,
    requireBuiltin,
    channel: guestChannel,
    callListeners,
    slots: ThreadSlots.reserve(),
    modules,
    ownFlags: inheritedFlags,
  });
  await warm();
  hideOwnFrames(internalBinding, requireBuiltin);
  installStdio(requireBuiltin, () => channel);
  const leaving = installLeaving({ internalBinding, requireBuiltin }, guestChannel);

  const live = (guest: Channel, order = waitForOrder(guest)): Promise<unknown> | undefined => {
    const { start, source, refused } = order;
    const loop =
      start.deterministic &&
      // Loaded here, as few guests need it.
      (require("../../guest/deterministic/index.js") as typeof Deterministic).beginDeterministic(
        { internalBinding, requireBuiltin },
        guest,
        start.deterministic,
      );
    assumeIdentity(start);
    // What was loaded to be warm has not been loaded as far as the program can tell.
    moduleLoadList.length = loadedByNode;
    guest.setOutputs(start.outputWindowBytes, start.descriptors);
    listenForSignals(guest);
    listenForFlows(guest);
    const text = Buffer.from(source.buffer, source.byteOffset, source.byteLength).toString("utf8");
    const tools = { requireBuiltin, internalBinding, channel: guest, leaving, refused, copies };
    const program = runProgram(tools, start, text);
    loop?.endTurn();
    return program;
  };
  let startCopy: StartMain = (main) => main();
  let populate = (): void => {};
  const begin = (start: StartOptions, source: Uint8Array): void =>
    startCopy(() => {
      const guest = guestChannel();
      reassumeIdentity(start);
      guest.setOutputs(start.outputWindowBytes, start.descriptors);
      const text = Buffer.from(source.buffer, source.byteOffset, source.byteLength);
      const tools = { requireBuiltin, internalBinding, channel: guest, leaving, copies };
      void runCopiedProgram(tools, start, text.toString("utf8"));
    });
  const copies = { begin, populate: () => populate() };
  return {
    engineBinding,
    callListeners,
    use: (next) => (channel = next),
    ordered: waitForOrder,
    live,
    prepareCopies: (start, ahead) => {
      startCopy = start;
      populate = ahead;
    },
  };
}
