/**
 * Owns the step from a command that has ended to the next one in the same process. The kernel decides whether there is one;
 * see kernel/process/kept-guests.ts.
 *
 * Invariant: a command that has left anything under way is the last one of its process: a call without an answer, a
 * timer, a handle, a connection that waits to be used again, a handler of a signal, a pipe to print through, work for
 * its end. Descriptors that it has left open the kernel sees.
 */
import type { StartOptions } from "../../protocol/guest-calls.js";
import { handlesSignals, listenForSignals } from "../bindings/signal.js";
import { hasFlows, listenForFlows } from "../bindings/stream-handle.js";
import type { Channel } from "../channel.js";
import { hasLeavingWork } from "../diagnostics/leaving-work.js";
import { assumeNextIdentity } from "../identity.js";
import type { RequireBuiltin } from "../engine-types.js";
import { resolveOrder, waitForOrder } from "./sole-command.js";
import type { Order } from "./sole-command.js";

interface NextTools {
  channel: Channel;
  requireBuiltin: RequireBuiltin;
}

/** Says how the command ended and waits to be told what comes next; undefined where this process cannot be another. */
export async function nextCommand(
  tools: NextTools,
  ended: StartOptions,
  code: number,
): Promise<Order | undefined> {
  const { channel, requireBuiltin } = tools;
  if (ended.again !== true) return undefined;
  // Not in the turn in which it ended, which is under way itself.
  await new Promise((done) => requireBuiltin("timers").setImmediate(done));
  if (!isAsBefore(tools)) return undefined;
  channel.event("exit", { code, again: true });
  // Only a command comes back: another program has a process of its own.
  const order = resolveOrder(tools, waitForOrder(channel));
  assumeNextIdentity(order.start);
  channel.setOutputs(order.start.outputWindowBytes, order.start.descriptors);
  listenForSignals(channel);
  listenForFlows(channel);
  return order;
}

function isAsBefore({ channel, requireBuiltin }: NextTools): boolean {
  return (
    channel.isAtRest &&
    !handlesSignals() &&
    !hasFlows() &&
    !hasLeavingWork() &&
    process.exitCode === undefined &&
    // Of those that do not keep the event loop alive as well.
    requireBuiltin("internal/timers").timerListQueue.peek() === undefined &&
    (process as unknown as { getActiveResourcesInfo(): string[] }).getActiveResourcesInfo()
      .length === 0
  );
}
